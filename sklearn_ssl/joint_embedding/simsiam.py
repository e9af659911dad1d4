"""SimSiam (Chen and He, 2021)."""

from dataclasses import dataclass
from numbers import Integral

from sklearn_ssl import objectives
from sklearn_ssl._parameters import check_number
from sklearn_ssl.base import SSLTransformer


@dataclass(kw_only=True, eq=False, repr=False)
class SimSiam(SSLTransformer):
    """Predict the embedding of one view from that of the other [1]_.

    There are neither negatives nor a teacher: that no gradient passes through what is
    predicted keeps the embedding from collapsing.

    Parameters
    ----------
    projection_dim : int, default=512
        Width of the projector's layers. Its output is normalized over the batch.
    prediction_dim : int, default=128
        Width of the predictor's hidden layer: a bottleneck, a quarter of the projection
        in [1]_.
    {training_parameters}

    Attributes
    ----------
    {fitted_attributes}

    References
    ----------
    .. [1] X. Chen, K. He, "Exploring Simple Siamese Representation Learning", CVPR
       2021. https://arxiv.org/abs/2011.10566

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_ssl import SimSiam
    >>> X, y = load_wine(return_X_y=True)
    >>> SimSiam(max_epochs=2, random_state=0).fit_transform(X).shape
    (178, 271)
    """

    projection_dim: int = 512
    prediction_dim: int = 128

    def _check_parameters(self):
        super()._check_parameters()
        check_number("projection_dim", self.projection_dim, Integral, 1)
        check_number("prediction_dim", self.prediction_dim, Integral, 1)

    def _default_learning_rate(self, encoder):
        return 1e-3

    def _build_task(self, task):
        from sklearn_ssl.encoders.mlp import projection_head

        width = self.projection_dim
        task.projector = projection_head(
            task.n_outputs, width, width, n_hidden=2, output_norm=True
        )
        task.predictor = projection_head(width, self.prediction_dim, width)

    def _loss(self, task, batch):
        views = task.view(batch), task.view(batch)
        z = task.projector(task.embed(*views))
        p1, p2 = task.predictor(z).chunk(2)
        # Without the stop-gradient all embeddings collapse to one.
        z1, z2 = z.detach().chunk(2)
        forward = objectives.negative_cosine(p1, z2)
        backward = objectives.negative_cosine(p2, z1)
        return (forward + backward) / 2
