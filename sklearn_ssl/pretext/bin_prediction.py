"""Binning as a pretext task (Lee et al., 2024)."""

from dataclasses import dataclass
from numbers import Integral
from typing import ClassVar

from sklearn_ssl import objectives
from sklearn_ssl._parameters import check_number, check_option
from sklearn_ssl.base import SSLTransformer


@dataclass(kw_only=True, eq=False, repr=False)
class BinPrediction(SSLTransformer):
    """Predict, from a row's embedding, the bin that each number falls into [1]_.

    Bins hold about equally many training rows. That values of a bin are alike, and
    that all columns have one scale, is what the encoder learns beyond an autoencoder.
    Categories are predicted as they are. Missing cells are not predicted.

    Parameters
    ----------
    objective : {"reconstruct", "classify"}, default="reconstruct"
        "reconstruct" predicts the number of the bin by squared error, so that near
        bins are near misses (BinRecon); "classify" predicts one of the bins by
        cross-entropy (BinXent).
    n_bins : int, default=10
        Bins of each number column. Values that occur often, and so tie, leave fewer.
    {training_parameters}

    Attributes
    ----------
    n_bins_ : list of int
        Bins of each number column that hold training rows.
    {fitted_attributes}

    Notes
    -----
    By default some cells of the row are swapped for other rows' before it is embedded,
    as in denoising; ``views=Identity()`` of :mod:`sklearn_ssl.views` leaves it whole.
    ``partial_fit`` and ``warm_start`` keep the bins of the first fit. The numbers of a
    column's bins are scaled to mean 0 and variance 1 for "reconstruct", as if its bins
    held equally many rows. The code of [1]_ makes one bin fewer than it is asked for.

    References
    ----------
    .. [1] K. Lee et al., "Binning as a Pretext Task: Improving Self-Supervised Learning
       in Tabular Domains", ICML 2024. https://arxiv.org/abs/2405.07414

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_ssl import BinPrediction
    >>> X, y = load_wine(return_X_y=True)
    >>> bins = BinPrediction(n_bins=5, max_epochs=2, random_state=0).fit(X)
    >>> bins.transform(X).shape
    (178, 271)
    >>> bins.n_bins_
    [5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5]
    """

    modalities: ClassVar[tuple] = ("table",)

    objective: str = "reconstruct"
    n_bins: int = 10

    def _check_parameters(self):
        super()._check_parameters()
        check_option("objective", self.objective, ("reconstruct", "classify"))
        check_number("n_bins", self.n_bins, Integral, 2)

    def _build_task(self, task):
        from torch import full, nan

        from sklearn_ssl.encoders.mlp import projection_head

        n_numbers, sizes = task.inputs.n_numbers, task.inputs.cardinalities
        task.n_number_outputs = n_numbers * (self.n_bins if self._classifies else 1)
        width = task.n_number_outputs + sum(sizes)
        hidden = task.n_outputs
        task.head = projection_head(hidden, hidden, width, batch_norm=False)
        task.register_buffer("edges", full((n_numbers, self.n_bins - 1), nan))

    def _begin_fit(self, task):
        from sklearn_ssl.pretext.bins import count_bins, quantile_edges

        if task.edges.isnan().any():  # else an earlier fit has set them
            columns = task.inputs.present_numbers(task.source)
            task.edges.copy_(quantile_edges(columns, self.n_bins))
        task.adapted["n_bins"] = count_bins(task.edges).tolist()

    def _loss(self, task, batch):
        from sklearn_ssl.objectives.masked import mean_of
        from sklearn_ssl.pretext.bins import bins_of, count_bins

        n_numbers, sizes = task.inputs.n_numbers, task.inputs.cardinalities
        output = task.head(task.embed(task.view(batch)))
        numbers, categories = output.tensor_split([task.n_number_outputs], dim=1)
        loss = 0.0
        if n_numbers:
            bins, n_bins = bins_of(batch["numbers"], task.edges), count_bins(task.edges)
            present = task.inputs.present(batch)
            name = "bin_classification" if self._classifies else "bin_regression"
            objective = getattr(objectives, name)
            loss = n_numbers * objective(numbers, bins, n_bins, present)
        if sizes:
            codes = batch["categories"]
            errors = objectives.categorical_cross_entropy(
                categories, codes, sizes, reduction="none"
            )
            loss = loss + len(sizes) * mean_of(codes > 0, errors)
        return loss / (n_numbers + len(sizes))

    @property
    def _classifies(self):
        return self.objective == "classify"
