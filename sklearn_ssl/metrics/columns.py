"""What an embedding holds of the columns of a table."""

from numbers import Integral

import narwhals.stable.v2 as nw
import numpy as np
from sklearn.utils import Bunch, _safe_indexing, check_random_state
from sklearn.utils.validation import _num_samples

from sklearn_ssl._arrays import spread_rows
from sklearn_ssl._parameters import check_number
from sklearn_ssl._probing import cell_errors, embed, find_autoencoder
from sklearn_ssl.modalities import as_table


def reconstruction_r2(estimator, X):
    r"""How much of each column an autoencoder restores from the embedding.

    Of numbers it is the share of the variance that is explained,

    .. math:: R^2 = 1 - \frac{\sum_i (x_i - \hat x_i)^2}{\sum_i (x_i - \bar x)^2},

    over the rows where they are not missing, in the scale in which the network sees
    them (see :class:`~sklearn_ssl.modalities.Tabular`). Of categories it is the share
    of the logarithmic loss that is explained,

    .. math:: D^2 = 1 - \frac{\sum_i \log \hat p_i(x_i)}{\sum_i \log \bar p(x_i)},

    with the frequencies :math:`\bar p` of the levels in X; missing is a level, and so
    are those that the training had not, taken together.

    Parameters
    ----------
    estimator : fitted estimator
        An autoencoder for tables, or a Pipeline, ``SSLClassifier`` or search around
        one.
    X : what `estimator` reads
        Rows that were not in training show what holds beyond them.

    Returns
    -------
    r2 : ndarray of shape (n_columns,)
        By column of what the autoencoder reads. 1 is perfect; 0 is no better, and below
        0 worse, than to answer each time with the mean, or with the frequencies. NaN
        where a column is constant.

    Raises
    ------
    TypeError
        If there is no autoencoder in `estimator`, or it does not read tables.

    See Also
    --------
    sklearn.metrics.r2_score : The same of numbers.
    sklearn.metrics.d2_log_loss_score : The same of categories.
    sklearn_ssl.inspection.ReconstructionDisplay : Draws it.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_ssl import Autoencoder
    >>> from sklearn_ssl.metrics import reconstruction_r2
    >>> X, _ = load_wine(return_X_y=True)
    >>> autoencoder = Autoencoder(max_epochs=20, random_state=0).fit(X)
    >>> r2 = reconstruction_r2(autoencoder, X)
    >>> print(r2.shape, r2.mean() > 0.5)
    (13,) True
    """
    method, X = find_autoencoder(estimator, X)
    arrays, errors = cell_errors(method, X)
    modality = method.modality_
    r2 = np.full(modality.n_features_, np.nan)
    for k, j in enumerate(modality.number_columns_):
        x = arrays["numbers"][arrays["gaps"][:, k] == 0, k]
        # The mean of equal float32 is exact in float64: of a constant this is 0.
        total = x.var(dtype=np.float64) * len(x) if len(x) else 0.0
        r2[j] = _share_explained(errors["numbers"][:, k], total)
    for k, j in enumerate(modality.category_columns_):
        _, counts = np.unique(arrays["categories"][:, k], return_counts=True)
        total = -(counts * np.log(counts / counts.sum())).sum()
        r2[j] = _share_explained(errors["categories"][:, k], total)
    return r2


def _share_explained(errors, total):
    return 1 - errors.sum(dtype=np.float64) / total if total > 0 else np.nan


def column_importance(estimator, X, *, n_repeats=5, max_rows=1000, random_state=0):
    r"""How much the embedding moves when a column is permuted among the rows.

    With the embedding :math:`z_i` of row i and :math:`z_i^{(j)}` of that row with
    column j of a random row,

    .. math:: I_j = \frac{\frac1n \sum_i \| z_i^{(j)} - z_i \|_2^2}
        {\frac1{n^2} \sum_{i, k} \| z_k - z_i \|_2^2}:

    the squared distance that rows move, relative to that of random rows. Of independent
    columns this is the total-effect index of global sensitivity analysis by Jansen's
    estimate [1]_: the share of the embedding's variance that goes back to the column,
    alone or together with others. Of columns that depend on one another, permuted rows
    may be unlike any in the data, and shares may add up to anything.

    Parameters
    ----------
    estimator : fitted estimator
        A method or another transformer that reads tables, or a Pipeline,
        ``SSLClassifier`` or search around one. Of a method, the embedding is the output
        of the encoder: what ``passthrough`` puts beside it is left out.
    X : array-like or DataFrame of n rows
        What `estimator` reads: of a Pipeline, its first step.
    n_repeats : int, default=5
        Permutations of each column.
    max_rows : int, default=1000
        Of more rows, that many at equal steps are taken.
    random_state : int, RandomState instance or None, default=0
        Determines the permutations, which are the same for all columns.

    Returns
    -------
    result : :class:`~sklearn.utils.Bunch`
        With the entries of :func:`sklearn.inspection.permutation_importance` and names:

        importances_mean, importances_std : ndarray of shape (n_columns,)
            Over the repeats. 0: the embedding does not look at the column. 1: rows move
            as far as to another row. NaN if all rows have one embedding.
        importances : ndarray of shape (n_columns, n_repeats)
            Of each repeat.
        column_names : list of str
            Of a DataFrame; else their positions.

    See Also
    --------
    sklearn_ssl.inspection.ColumnImportanceDisplay : Draws it.

    References
    ----------
    .. [1] M. J. W. Jansen, "Analysis of Variance Designs for Model Output", Computer
       Physics Communications 117, 1999. https://doi.org/10.1016/S0010-4655(98)00154-4

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_ssl import SCARF
    >>> from sklearn_ssl.metrics import column_importance
    >>> X, _ = load_wine(return_X_y=True)
    >>> scarf = SCARF(max_epochs=2, random_state=0).fit(X)
    >>> column_importance(scarf, X).importances.shape
    (13, 5)
    """
    check_number("n_repeats", n_repeats, Integral, 1)
    check_number("max_rows", max_rows, Integral, 2)
    n = _num_samples(X)
    if n > max_rows:
        X = _safe_indexing(X, spread_rows(n, max_rows))
    table = as_table(X)
    n, n_columns = table.shape
    rng = check_random_state(random_state)
    permutations = [rng.permutation(n) for _ in range(n_repeats)]
    Z = embed(estimator, X).astype(np.float64)
    importances = np.empty((n_columns, n_repeats))
    for j, repeat in np.ndindex(importances.shape):
        Z_permuted = embed(estimator, _permute(table, j, permutations[repeat]))
        importances[j, repeat] = ((Z_permuted - Z) ** 2).sum(axis=1).mean()
    spread = 2 * Z.var(axis=0).sum()
    importances = importances / spread if spread > 0 else importances * np.nan
    return Bunch(
        importances_mean=importances.mean(axis=1),
        importances_std=importances.std(axis=1),
        importances=importances,
        column_names=_column_names(table),
    )


def _permute(table, j, rows):
    """The table, as it came, with column j taken from other rows."""
    if isinstance(table, nw.DataFrame):
        return table.with_columns(table[:, j][rows]).to_native()
    table = table.copy()
    table[:, j] = table[rows, j]
    return table


def _column_names(table):
    if isinstance(table, nw.DataFrame):
        return [str(name) for name in table.columns]
    return [f"column {j}" for j in range(table.shape[1])]
