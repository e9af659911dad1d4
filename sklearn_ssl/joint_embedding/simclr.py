"""SimCLR (Chen et al., 2020)."""

from dataclasses import dataclass
from numbers import Integral, Real

from sklearn_ssl import objectives
from sklearn_ssl._parameters import check_number, check_option, unless_auto
from sklearn_ssl.base import SSLTransformer
from sklearn_ssl.encoders import MLP


@dataclass(kw_only=True, eq=False, repr=False)
class SimCLR(SSLTransformer):
    """Two views of a row attract, views of different rows repel [1]_.

    Random cells of a table say little of what is alike in it; rows that are near each
    other do. So either view of a table's row is, with a chance of one half, a view of
    one of its nearest rows instead [3]_.

    Parameters
    ----------
    objective : {"info_nce", "sigmoid"}, default="info_nce"
        "info_nce" picks the partner of each view among all others (NT-Xent);
        "sigmoid" asks of each pair whether it is one row, with learned scale and bias
        [2]_.
    temperature : float, default=0.5
        Divides the similarities of "info_nce"; "sigmoid" starts from a scale of 10.
    projection_dim : int, default=128
        Width of the head's output, on which the loss works.
    n_neighbors : int or "auto", default="auto"
        The nearest rows of each row in training, by the preprocessed columns of a
        table: at most half of the other rows, and among 4096 rows at most. With 0 both
        views are always of the row, as in [1]_. "auto" is 5 for tables and 0 for
        images, which have no such distance.
    {training_parameters}

    Attributes
    ----------
    n_neighbors_ : int
        Nearest rows of each row in training, at most.
    {fitted_attributes}

    Notes
    -----
    ``score`` and early stopping judge by views of the row itself, and so favour
    ``n_neighbors=0``: choose it by a classifier, or by :mod:`sklearn_ssl.metrics`.

    References
    ----------
    .. [1] T. Chen, S. Kornblith, M. Norouzi, G. Hinton, "A Simple Framework for
       Contrastive Learning of Visual Representations", ICML 2020.
       https://arxiv.org/abs/2002.05709
    .. [2] X. Zhai, B. Mustafa, A. Kolesnikov, L. Beyer, "Sigmoid Loss for Language
       Image Pre-Training", ICCV 2023. https://arxiv.org/abs/2303.15343
    .. [3] S. Damrich, J. N. Böhm, F. A. Hamprecht, D. Kobak, "From t-SNE to UMAP with
       Contrastive Learning", ICLR 2023. https://arxiv.org/abs/2206.01816

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_ssl import SimCLR
    >>> X, y = load_digits(return_X_y=True)
    >>> images = X.reshape(-1, 8, 8)
    >>> simclr = SimCLR(modality="image", max_epochs=1, random_state=0).fit(images)
    >>> simclr.transform(images).shape
    (1797, 512)
    """

    objective: str = "info_nce"
    temperature: float = 0.5
    projection_dim: int = 128
    n_neighbors: int | str = "auto"

    def _check_parameters(self):
        super()._check_parameters()
        check_option("objective", self.objective, ("info_nce", "sigmoid"))
        if self.objective == "sigmoid" and self.optimizer == "lars":
            raise ValueError(
                "objective='sigmoid' learns a scale and a bias, for which the steps of "
                "optimizer='lars' are too large. Pass optimizer='adamw' or 'sgd'."
            )
        check_number("temperature", self.temperature, Real, 0, strict=True)
        check_number("projection_dim", self.projection_dim, Integral, 1)
        check_number("n_neighbors", self.n_neighbors, Integral, 0, words=("auto",))

    def _default_learning_rate(self, encoder):
        return 3e-3 if type(encoder) is MLP else super()._default_learning_rate(encoder)

    def _build_task(self, task):
        from torch import nn, tensor

        from sklearn_ssl.encoders.mlp import projection_head

        task.head = projection_head(task.n_outputs, task.n_outputs, self.projection_dim)
        if self.objective == "sigmoid":
            task.log_scale = nn.Parameter(tensor(10.0).log())
            task.bias = nn.Parameter(tensor(-10.0))
        has_columns = hasattr(task.inputs, "columns")
        n_neighbors = unless_auto(self.n_neighbors, 5 if has_columns else 0)
        if n_neighbors and not has_columns:
            raise ValueError(
                f"n_neighbors={n_neighbors} looks for rows by the columns of a table, "
                "but X has none. Pass n_neighbors='auto'."
            )
        task.adapted["n_neighbors"] = n_neighbors

    def _begin_fit(self, task):
        from sklearn_ssl.engine.neighbors import Neighbors

        if n_neighbors := task.adapted["n_neighbors"]:
            task.neighbors = Neighbors(task, n_neighbors)

    def _loss(self, task, batch):
        from sklearn_ssl.engine.neighbors import with_neighbors

        rows = (with_neighbors(task, batch) for _ in range(2))
        views = [task.view(row) for row in rows]
        z1, z2 = task.head(task.embed(*views)).chunk(2)
        if self.objective == "sigmoid":
            return objectives.sigmoid_contrast(z1, z2, task.log_scale.exp(), task.bias)
        return objectives.nt_xent(z1, z2, self.temperature)
