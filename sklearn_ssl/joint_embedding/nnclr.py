"""NNCLR (Dwibedi et al., 2021)."""

from dataclasses import dataclass
from numbers import Integral, Real

from sklearn_ssl import objectives
from sklearn_ssl._parameters import check_number, unless_auto
from sklearn_ssl.base import SSLTransformer


@dataclass(kw_only=True, eq=False, repr=False)
class NNCLR(SSLTransformer):
    """A view attracts the nearest neighbour of the other, and repels other rows' [1]_.

    The neighbours come from a queue of the latest projections: what is alike goes
    beyond two views of one row.

    Parameters
    ----------
    temperature : float, default=0.1
        Divides the similarities.
    queue_length : int or "auto", default="auto"
        Projections in the queue. "auto" is a quarter of the rows of the first fit, at
        most 65536.
    hidden_dim : int, default=512
        Width of the hidden layers of the projector and the predictor.
    projection_dim : int, default=128
        Width of the projections, which are normalized over the batch.
    {training_parameters}

    Attributes
    ----------
    queue_length_ : int
        Projections in the queue.
    {fitted_attributes}

    Notes
    -----
    ``score`` and early stopping look for neighbours in the queue that training left.

    References
    ----------
    .. [1] D. Dwibedi, Y. Aytar, J. Tompson, P. Sermanet, A. Zisserman, "With a Little
       Help from My Friends: Nearest-Neighbor Contrastive Learning of Visual
       Representations", ICCV 2021. https://arxiv.org/abs/2104.14548

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_ssl import NNCLR
    >>> X, y = load_wine(return_X_y=True)
    >>> NNCLR(max_epochs=2, random_state=0).fit_transform(X).shape
    (178, 271)
    """

    temperature: float = 0.1
    queue_length: int | str = "auto"
    hidden_dim: int = 512
    projection_dim: int = 128

    def _check_parameters(self):
        super()._check_parameters()
        check_number("temperature", self.temperature, Real, 0, strict=True)
        check_number("queue_length", self.queue_length, Integral, 1, words=("auto",))
        check_number("hidden_dim", self.hidden_dim, Integral, 1)
        check_number("projection_dim", self.projection_dim, Integral, 1)

    def _default_learning_rate(self, encoder):
        return 1e-3

    def _build_task(self, task):
        from sklearn_ssl.encoders.mlp import projection_head
        from sklearn_ssl.joint_embedding._parts import Queue, default_queue_length

        hidden, width = self.hidden_dim, self.projection_dim
        task.projector = projection_head(
            task.n_outputs, hidden, width, n_hidden=2, output_norm=True
        )
        task.predictor = projection_head(width, hidden, width)
        length = unless_auto(self.queue_length, default_queue_length(task.n_rows))
        task.queue = Queue(length, width)
        task.adapted["queue_length"] = length

    def _loss(self, task, batch):
        views = task.view(batch), task.view(batch)
        z = task.projector(task.embed(*views))
        p1, p2 = task.predictor(z).chunk(2)
        z1, _ = z.chunk(2)
        neighbours1, neighbours2 = task.queue.nearest(z).chunk(2)
        forward = objectives.info_nce(neighbours1, p2, self.temperature)
        backward = objectives.info_nce(neighbours2, p1, self.temperature)
        if task.training:
            # After the search: no row is the neighbour of its own other view.
            task.queue.enqueue(z1)
        return (forward + backward) / 2
