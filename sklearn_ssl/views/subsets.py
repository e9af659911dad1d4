"""Subsets of a table's columns that overlap."""

import torch


def column_subsets(n_columns, n_subsets, overlap):
    """Divide columns among subsets of neighbours, each with some of the one before.

    Every column is in at least one subset, also where `n_subsets` does not divide their
    number; the first subset, which has none before it, reaches into the second.

    Parameters
    ----------
    n_columns : int
    n_subsets : int
        At most one a column.
    overlap : float
        Share of a subset's own columns, rounded down, that it has besides.

    Returns
    -------
    subsets : bool tensor of shape (n_subsets, n_columns)
    """
    n_subsets = min(n_subsets, n_columns)
    bounds = [i * n_columns // n_subsets for i in range(n_subsets + 1)]
    shared = int(overlap * n_columns / n_subsets)
    subsets = torch.zeros(n_subsets, n_columns, dtype=torch.bool)
    subsets[0, : bounds[1] + shared] = True
    for i in range(1, n_subsets):
        subsets[i, max(bounds[i] - shared, 0) : bounds[i + 1]] = True
    return subsets
