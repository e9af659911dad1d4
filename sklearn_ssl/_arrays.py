"""Rows: of a dict of arrays, which modalities make and the engine takes, and of X."""

import numpy as np


def count_rows(arrays):
    """The number of rows of a dict of arrays."""
    return len(next(iter(arrays.values())))


def count_targets(arrays):
    """The number of columns of what is known of y; 0 without."""
    return arrays["targets"].shape[1] if "targets" in arrays else 0


def spread_rows(n, most):
    """Numbers of at most so many of n rows, at equal steps."""
    return np.linspace(0, n - 1, min(n, most)).astype(int)


def check_two_rows(arrays, name):
    """Raise ValueError for a single row; `name` is the estimator's."""
    if count_rows(arrays) < 2:
        raise ValueError(
            f"Found array with 1 sample(s) while a minimum of 2 is required by {name}."
        )
