"""Bins of numbers that hold about equally many rows."""

import torch


def quantile_edges(columns, n_bins):
    """The values at which the second and further bins of each column begin.

    Each edge is a value of its column. Where values tie, edges do: bins between them
    would be empty and are left out, so that every bin holds a row. A column of at most
    `n_bins` distinct values has a bin for each.

    Parameters
    ----------
    columns : iterable of p tensors
        The values of each column that are not missing.
    n_bins : int

    Returns
    -------
    edges : tensor of shape (p, n_bins - 1)
        Ascending, then infinity where a column has fewer bins.
    """
    return torch.stack([_edges(values.sort().values, n_bins) for values in columns])


def _edges(values, n_bins):
    edges = values.new_full((n_bins - 1,), torch.inf)
    found = values.unique()
    if len(found) > n_bins:
        steps = torch.arange(1, n_bins, device=values.device)
        found = values[-(-steps * (len(values) - 1) // n_bins)].unique()
    found = found[found > values[:1]]
    edges[: len(found)] = found
    return edges


def count_bins(edges):
    """The number of bins of each column, int64 of shape (p,)."""
    return 1 + edges.isfinite().sum(dim=1)


def bins_of(numbers, edges):
    """The bin of each number, from 0: int64 of shape (n, p)."""
    columns = torch.searchsorted(edges, numbers.T.contiguous(), right=True)
    return columns.T
