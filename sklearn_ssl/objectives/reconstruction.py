"""Reconstruction losses of mixed tables, each summed over columns."""

import torch
from torch.nn import functional as F


def squared_error(output, target):
    """Squared error of numbers: mean over rows, sum over columns.

    Parameters
    ----------
    output, target : tensor of shape (n, p)

    Returns
    -------
    loss : scalar tensor
    """
    return F.mse_loss(output, target) * target.shape[1]


def binary_cross_entropy(logits, target):
    """Cross-entropy of yes/no columns: mean over rows, sum over columns.

    Parameters
    ----------
    logits, target : tensor of shape (n, m)
        Targets are 0 or 1.

    Returns
    -------
    loss : scalar tensor
    """
    return F.binary_cross_entropy_with_logits(logits, target) * target.shape[1]


def categorical_cross_entropy(logits, codes, cardinalities):
    """Cross-entropy of category columns: mean over rows, sum over columns.

    Parameters
    ----------
    logits : tensor of shape (n, c * max(cardinalities))
        A block of ``max(cardinalities)`` logits for each column, so that all columns
        are computed at once; those past a column's own cardinality are left out.
    codes : int64 tensor of shape (n, c)
    cardinalities : sequence of c ints

    Returns
    -------
    loss : scalar tensor
    """
    n, c = codes.shape
    widest = max(cardinalities)
    sizes = torch.tensor(cardinalities, device=logits.device)
    beyond = torch.arange(widest, device=logits.device) >= sizes[:, None]
    logits = logits.view(n, c, widest).masked_fill(beyond, -torch.inf)
    return F.cross_entropy(logits.flatten(0, 1), codes.flatten()) * c
