"""SubTab (Ucar et al., 2021)."""

from dataclasses import dataclass
from numbers import Integral, Real
from typing import ClassVar

from sklearn_ssl import objectives
from sklearn_ssl._parameters import check_number
from sklearn_ssl.autoencoding.autoencoder import Autoencoder


@dataclass(kw_only=True, eq=False, repr=False)
class SubTab(Autoencoder):
    """Restore the whole row from each of several subsets of its columns [1]_.

    What the subsets of a row tell must also agree, and differ from what those of other
    rows tell. ``transform`` returns the mean over the subsets, without noise. Columns
    that stand together share a subset: their order matters.

    The authors cut the subsets out, so that place j of the encoder's input is another
    column in each; here all columns keep their place, and those outside the subset are
    zero. So columns may have several inputs, as categories have.

    Parameters
    ----------
    n_subsets : int, default=4
        At most one a column.
    overlap : float, default=0.75
        Columns that a subset shares with its neighbour, as a share of those it would
        have without.
    corruption_rate : float, default=0.3
        Chance of a cell to be replaced, in training, by the same column's cell of a
        random row; drawn anew for each subset. Views of your own have theirs.
    temperature : float, default=0.1
        Of the contrast between subsets: lower is stricter.
    projection_dim : int, default=128
        Width of the head's output, where subsets must agree.
    {training_parameters}

    Attributes
    ----------
    n_subsets_ : int
        Subsets of columns.
    {fitted_attributes}

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
    corruption_rate: float = 0.3
    temperature: float = 0.1
    projection_dim: int = 128

    def _check_parameters(self):
        super()._check_parameters()
        check_number("n_subsets", self.n_subsets, Integral, 1)
        check_number("overlap", self.overlap, Real, 0, 1)
        check_number("corruption_rate", self.corruption_rate, Real, 0, 1)
        check_number("temperature", self.temperature, Real, 0, strict=True)
        check_number("projection_dim", self.projection_dim, Integral, 1)

    def _default_views(self, modality):
        return modality.corruption(self.corruption_rate)

    def _build_task(self, task):
        from torch import zeros

        from sklearn_ssl.encoders.mlp import projection_head
        from sklearn_ssl.views.subsets import column_subsets

        super()._build_task(task)
        task.head = projection_head(
            task.n_outputs, task.n_outputs, self.projection_dim, batch_norm=False
        )
        columns = task.inputs.columns_of_output
        subsets = column_subsets(len(columns), self.n_subsets, self.overlap)
        seen = zeros(len(subsets), *task.inputs.output_shape)
        for j, outputs in enumerate(columns):
            seen[:, outputs] = subsets[:, [j]].float()
        task.register_buffer("seen", seen, persistent=False)
        task.adapted["n_subsets"] = len(subsets)

    def _loss(self, task, batch):
        from torch import stack

        k = len(task.seen)
        noisy = stack([task.inputs(task.view(batch)) for _ in range(k)])
        h = self._embed_subsets(task, noisy, task.encoder).flatten(0, 1)
        whole = {
            name: cells.repeat(k, *[1] * (cells.ndim - 1))
            for name, cells in batch.items()
        }
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
