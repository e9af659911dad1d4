"""SubTab (Ucar et al., 2021)."""

from dataclasses import dataclass
from numbers import Integral, Real
from typing import ClassVar

from sklearn_ssl import objectives
from sklearn_ssl._parameters import check_number
from sklearn_ssl.autoencoding.autoencoder import Autoencoder
from sklearn_ssl.encoders import MLP


@dataclass(kw_only=True, eq=False, repr=False)
class SubTab(Autoencoder):
    """Restore the whole row from each of several subsets of its columns [1]_.

    What the subsets of a row tell must also agree, and differ from what those of other
    rows tell. ``transform`` returns the mean over the subsets, without noise. Columns
    that stand together share a subset: their order matters.

    The authors cut the subsets out, so that place j of the encoder's input is another
    column in each; here all columns keep their place, and those outside the subset are
    zero. So columns may have several inputs, as categories have. And as in `SimCLR`,
    each subset is, with a chance of one half, of one of the row's nearest rows instead,
    which is then the row to restore.

    Parameters
    ----------
    n_subsets : int, default=4
        At most one a column.
    overlap : float, default=0.75
        Columns that a subset shares with its neighbour, as a share of those it would
        have without.
    corruption_rate : float, default=0.1
        Chance of a cell to be replaced, in training, by the same column's cell of a
        random row; drawn anew for each subset. Ignored if `views` are given.
    temperature : float, default=0.5
        Of the contrast between subsets: lower is stricter.
    projection_dim : int, default=128
        Width of the head's output, where subsets must agree.
    n_neighbors : int, default=5
        The nearest rows of each row in training, by the preprocessed columns: at most
        half of the other rows, and among 4096 rows at most. With 0 all subsets are of
        the row itself, as in [1]_.
    {training_parameters}

    Attributes
    ----------
    n_subsets_ : int
        Subsets of columns.
    {fitted_attributes}

    Notes
    -----
    ``score`` and early stopping judge by subsets of the row itself, and so favour
    ``n_neighbors=0``: choose it by a classifier, or by :mod:`sklearn_ssl.metrics`.

    References
    ----------
    .. [1] T. Ucar, E. Hajiramezanali, L. Edwards, "SubTab: Subsetting Features of
       Tabular Data for Self-Supervised Representation Learning", NeurIPS 2021.
       https://arxiv.org/abs/2110.04361

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_ssl import SubTab
    >>> X, y = load_wine(return_X_y=True)
    >>> SubTab(max_epochs=2, random_state=0).fit_transform(X).shape
    (178, 271)
    """

    modalities: ClassVar[tuple] = ("table",)

    n_subsets: int = 4
    overlap: float = 0.75
    corruption_rate: float = 0.1
    temperature: float = 0.5
    projection_dim: int = 128
    n_neighbors: int = 5

    def _check_parameters(self):
        super()._check_parameters()
        check_number("n_subsets", self.n_subsets, Integral, 1)
        check_number("overlap", self.overlap, Real, 0, 1)
        check_number("corruption_rate", self.corruption_rate, Real, 0, 1)
        check_number("temperature", self.temperature, Real, 0, strict=True)
        check_number("projection_dim", self.projection_dim, Integral, 1)
        check_number("n_neighbors", self.n_neighbors, Integral, 0)

    def _default_learning_rate(self, encoder):
        return 3e-3 if type(encoder) is MLP else super()._default_learning_rate(encoder)

    def _default_views(self, modality):
        return modality.corruption(self.corruption_rate)

    def _build_task(self, task):
        from torch import zeros

        from sklearn_ssl.encoders.mlp import projection_head
        from sklearn_ssl.views.subsets import column_subsets

        super()._build_task(task)
        task.head = projection_head(task.n_outputs, task.n_outputs, self.projection_dim)
        columns = task.inputs.columns_of_output
        subsets = column_subsets(len(columns), self.n_subsets, self.overlap)
        seen = zeros(len(subsets), *task.inputs.output_shape)
        for j, outputs in enumerate(columns):
            seen[:, outputs] = subsets[:, [j]].float()
        task.register_buffer("seen", seen, persistent=False)
        task.adapted["n_subsets"] = len(subsets)

    def _begin_fit(self, task):
        from sklearn_ssl.engine.neighbors import Neighbors

        if self.n_neighbors:
            task.neighbors = Neighbors(task, self.n_neighbors)

    def _loss(self, task, batch):
        from torch import cat, stack

        from sklearn_ssl.engine.neighbors import with_neighbors

        k = len(task.seen)
        rows = [with_neighbors(task, batch) for _ in range(k)]
        noisy = stack([task.inputs(task.view(row)) for row in rows])
        h = self._embed_subsets(task, noisy, task.encoder).flatten(0, 1)
        whole = {name: cat([row[name] for row in rows]) for name in batch}
        restored = task.inputs.reconstruction_loss(task.decoder(h), whole)
        z = task.head(h).unflatten(0, (k, -1))
        return restored + objectives.subset_agreement(z, self.temperature)

    def _reconstruct(self, task, batch):
        h = self._embed_subsets(task, task.inputs(batch), task.encoder)
        return task.decoder(h.mean(dim=0))

    def _encode(self, task, batch):
        return self._embed_subsets(task, task.inputs(batch), task.outputs).mean(dim=0)

    def _embed_subsets(self, task, x, encoder):
        """Embed subsets of rows (n, width) or (K, n, width): shape (K, n, d)."""
        x = x * task.seen[:, None]
        return encoder(x.flatten(0, 1)).unflatten(0, x.shape[:2])
