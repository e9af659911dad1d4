"""Losses of predicted bins; cells that are missing do not count."""

from torch.nn import functional as F

from sklearn_ssl.objectives.classes import without_padding
from sklearn_ssl.objectives.masked import mean_of


def bin_classification(logits, bins, n_bins, present):
    r"""Cross-entropy of each cell's bin: mean over the cells that are present.

    .. math::
        -\frac{1}{|P|} \sum_{(i, j) \in P} \log
        \frac{\exp(z_{ij b_{ij}})}{\sum_{k < K_j} \exp(z_{ijk})}

    BinXent of Lee et al. (2024, https://arxiv.org/abs/2405.07414). 0 if no cell is
    present.

    Parameters
    ----------
    logits : tensor of shape (n, c * w)
        A block of w logits for each column; those past its own number of bins are left
        out.
    bins : int64 tensor of shape (n, c)
    n_bins : int64 tensor of shape (c,)
        The :math:`K_j` above, at most w.
    present : bool tensor of shape (n, c)

    Returns
    -------
    loss : scalar tensor
    """
    logits = logits.unflatten(1, (len(n_bins), -1))
    logits = without_padding(logits, n_bins).transpose(1, 2)
    return mean_of(present, F.cross_entropy(logits, bins, reduction="none"))


def bin_regression(output, bins, n_bins, present):
    r"""Squared error of each cell's bin number: mean over the cells that are present.

    .. math::
        \frac{1}{|P|} \sum_{(i, j) \in P} \left(\hat{y}_{ij} -
        \frac{b_{ij} - (K_j - 1) / 2}{\sqrt{(K_j^2 - 1) / 12}} \right)^2

    BinRecon of Lee et al. (2024, https://arxiv.org/abs/2405.07414): the bin numbers are
    scaled to mean 0 and variance 1, as they have if bins hold equally many rows. 0 if
    no cell is present.

    Parameters
    ----------
    output : tensor of shape (n, c)
    bins : int64 tensor of shape (n, c)
    n_bins : int64 tensor of shape (c,)
        The :math:`K_j` above; the target of a column of one bin is 0.
    present : bool tensor of shape (n, c)

    Returns
    -------
    loss : scalar tensor
    """
    std = ((n_bins.square() - 1) / 12).sqrt().clamp(min=0.5)
    target = (bins - (n_bins - 1) / 2) / std
    return mean_of(present, (output - target).square())
