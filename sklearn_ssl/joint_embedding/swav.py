"""SwAV (Caron et al., 2020)."""

from dataclasses import dataclass
from numbers import Integral, Real

from sklearn_ssl import objectives
from sklearn_ssl._parameters import check_number, unless_auto
from sklearn_ssl.base import SSLTransformer
from sklearn_ssl.joint_embedding import _multi_crop

_MIN_PROTOTYPES, _MAX_PROTOTYPES, _MAX_QUEUE = 8, 3000, 3840


@dataclass(kw_only=True, eq=False, repr=False)
class SwAV(SSLTransformer):
    """Each view of a row predicts to which prototypes the other view belongs [1]_.

    The assignments use all prototypes equally, which keeps the embedding from
    collapsing; a loss that stays at the logarithm of their number means that it did.
    The prototypes stay as they are in the first epoch, or tenth of the training if
    that is shorter. Unlike in [1]_, the head's
    output is normalized over the batch, which small data need to get going.

    Parameters
    ----------
    n_prototypes : int or "auto", default="auto"
        Number of clusters; too few make the loss stall. "auto" is a quarter of the
        rows, between 8 and 3000.
    queue_length : int or "auto", default="auto"
        Rows of past batches that are assigned together with those of a batch, because
        a small one holds too few for all prototypes. "auto" is a quarter of the
        rows, at most 3840.
    temperature : float, default=0.1
        Divides the similarities to the prototypes in a prediction.
    epsilon : float, default=0.05
        The smaller, the harder the assignments that are predicted.
    n_local_views : int, default=4
        Further views, small and of small crops, that predict and are not predicted.
        There are none where views have no such kind, as those of tables, images are
        smaller than 32 pixels or the encoder takes one size of images alone.
    projection_dim : int, default=128
        Width of the head's output.
    {training_parameters}

    Attributes
    ----------
    n_prototypes_, queue_length_, n_local_views_ : int
        The numbers used.
    {fitted_attributes}

    References
    ----------
    .. [1] M. Caron, I. Misra, J. Mairal, P. Goyal, P. Bojanowski, A. Joulin,
       "Unsupervised Learning of Visual Features by Contrasting Cluster Assignments",
       NeurIPS 2020. https://arxiv.org/abs/2006.09882

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_ssl import SwAV
    >>> X, y = load_wine(return_X_y=True)
    >>> swav = SwAV(max_epochs=2, random_state=0).fit(X)
    >>> swav.transform(X).shape
    (178, 271)
    >>> swav.n_prototypes_
    44
    """

    n_prototypes: int | str = "auto"
    queue_length: int | str = "auto"
    temperature: float = 0.1
    epsilon: float = 0.05
    n_local_views: int = 4
    projection_dim: int = 128

    def _check_parameters(self):
        super()._check_parameters()
        check_number("n_prototypes", self.n_prototypes, Integral, 2, words=("auto",))
        check_number("queue_length", self.queue_length, Integral, 0, words=("auto",))
        check_number("temperature", self.temperature, Real, 0, strict=True)
        check_number("epsilon", self.epsilon, Real, 0, strict=True)
        check_number("n_local_views", self.n_local_views, Integral, 0)
        check_number("projection_dim", self.projection_dim, Integral, 1)

    def _build_task(self, task):
        import torch

        from sklearn_ssl.encoders.prototypes import PrototypeHead

        auto = min(max(task.n_rows // 4, _MIN_PROTOTYPES), _MAX_PROTOTYPES)
        n_prototypes = unless_auto(self.n_prototypes, auto)
        queue_length = unless_auto(self.queue_length, min(task.n_rows // 4, _MAX_QUEUE))
        task.adapted |= dict(n_prototypes=n_prototypes, queue_length=queue_length)
        _multi_crop.prepare(task, self.n_local_views)
        width = self.projection_dim
        shape = task.n_outputs, width, n_prototypes
        # Normalized, embeddings differ from the start in which prototypes are nearest.
        task.head = PrototypeHead(*shape, output_norm=True)
        # The latest of either view, newest first; empty places are zero.
        task.register_buffer("queue", torch.zeros(2, queue_length, width))
        task.queue_is_full = False

    def _begin_epoch(self, task):
        _multi_crop.begin_epoch(task)
        task.queue_is_full = bool(task.queue[:, -1:].any())

    def _loss(self, task, batch):
        import torch

        views, local = _multi_crop.draw(task, batch)
        z = task.head.project(_multi_crop.embed(task, views, local))
        z = z.unflatten(0, (len(views) + len(local), -1))
        scores = task.head.compare(z, fixed=_multi_crop.prototypes_fixed(task))
        with torch.no_grad():
            codes = self._codes(task, z[: len(views)], scores[: len(views)])
        return objectives.swapped_prediction(scores, codes, self.temperature)

    def _codes(self, task, z, scores):
        """Assign the rows of each view, together with those of its queue."""
        import torch

        n = z.shape[1]
        if task.training and task.queue_is_full:
            scores = torch.cat([scores, task.head.compare(task.queue)], dim=1)
        if task.training:
            newest_first = torch.cat([z.to(task.queue), task.queue], dim=1)
            task.queue.copy_(newest_first[:, : task.queue.shape[1]])
        return torch.stack([objectives.sinkhorn(s, self.epsilon)[:n] for s in scores])
