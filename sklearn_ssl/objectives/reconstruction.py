"""Reconstruction losses of mixed tables, each summed over columns.

With ``reduction="none"`` they return the loss of each cell, as those of torch do.
"""

import torch
from torch.nn import functional as F


def squared_error(output, target, reduction="mean"):
    """Squared error of numbers: mean over rows, sum over columns.

    Parameters
    ----------
    output, target : tensor of shape (n, p)
    reduction : {"mean", "none"}

    Returns
    -------
    loss : scalar tensor, or of shape (n, p)
    """
    loss = F.mse_loss(output, target, reduction=reduction)
    return loss * target.shape[1] if reduction == "mean" else loss


def binary_cross_entropy(logits, target, reduction="mean"):
    """Cross-entropy of yes/no columns: mean over rows, sum over columns.

    Parameters
    ----------
    logits, target : tensor of shape (n, m)
        Targets are 0 or 1.
    reduction : {"mean", "none"}

    Returns
    -------
    loss : scalar tensor, or of shape (n, m)
    """
    loss = F.binary_cross_entropy_with_logits(logits, target, reduction=reduction)
    return loss * target.shape[1] if reduction == "mean" else loss


def categorical_cross_entropy(logits, codes, cardinalities, reduction="mean"):
    """Cross-entropy of category columns: mean over rows, sum over columns.

    Parameters
    ----------
    logits : tensor of shape (n, sum(cardinalities))
        Of the codes of each column, side by side.
    codes : int64 tensor of shape (n, c)
    cardinalities : sequence of c ints
    reduction : {"mean", "none"}

    Returns
    -------
    loss : scalar tensor, or of shape (n, c)
    """
    blocks = logits.split(list(cardinalities), dim=1)
    losses, places = [], []
    # All columns of as many codes at once.
    for size in dict.fromkeys(cardinalities):
        columns = [j for j, other in enumerate(cardinalities) if other == size]
        some = torch.stack([blocks[j] for j in columns], dim=2)
        losses.append(F.cross_entropy(some, codes[:, columns], reduction="none"))
        places += columns
    losses = torch.cat(losses, dim=1)
    if reduction == "mean":
        return losses.sum() / len(codes)
    order = sorted(range(len(places)), key=places.__getitem__)
    return losses[:, order]
