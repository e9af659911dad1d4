"""Reconstruction losses of mixed tables, each summed over columns.

With ``reduction="none"`` they return the loss of each cell, as those of torch do.
"""

from torch.nn import functional as F

from sklearn_ssl.objectives.classes import without_padding


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
    logits : tensor of shape (n, c * max(cardinalities))
        A block of ``max(cardinalities)`` logits for each column, so that all columns
        are computed at once; those past a column's own cardinality are left out.
    codes : int64 tensor of shape (n, c)
    cardinalities : sequence of c ints
    reduction : {"mean", "none"}

    Returns
    -------
    loss : scalar tensor, or of shape (n, c)
    """
    n, c = codes.shape
    logits = without_padding(logits.view(n, c, max(cardinalities)), cardinalities)
    loss = F.cross_entropy(logits.flatten(0, 1), codes.flatten(), reduction=reduction)
    return loss * c if reduction == "mean" else loss.view(n, c)
