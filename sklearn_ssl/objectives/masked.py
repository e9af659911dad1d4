"""Losses of what was hidden: the mean error of hidden tokens, others do not count."""

import torch
from torch.nn import functional as F

from sklearn_ssl.objectives.classes import without_padding


def masked_patches(output, patches, hidden):
    r"""Squared error of hidden patches, each normalized by its own statistics.

    .. math::
        \frac{1}{|H|} \sum_{i \in H} \frac{1}{p}
        \left\| \hat{x}_i - \frac{x_i - \bar{x}_i}{\sqrt{s_i^2 + 10^{-6}}} \right\|^2

    with mean and unbiased variance over the p values of a patch (He et al., 2022,
    https://arxiv.org/abs/2111.06377).

    Parameters
    ----------
    output, patches : tensor of shape (n, n_tokens, p)
    hidden : bool tensor of shape (n, n_tokens)

    Returns
    -------
    loss : scalar tensor
    """
    variance, mean = torch.var_mean(patches, dim=2, keepdim=True)
    target = (patches - mean) / (variance + 1e-6).sqrt()
    return mean_of(hidden, F.mse_loss(output, target, reduction="none").mean(dim=2))


def masked_cells(output, batch, hidden, missing_columns=(), cardinalities=()):
    """Error of hidden cells of a table, by their kind.

    The squared error of a number that is present, with the cross-entropy of its being
    missing if its column has a missing indicator; the cross-entropy of a category.

    Parameters
    ----------
    output : tensor of shape (n, n_columns, w)
        Of number columns, which come first, the number and the logit of its being
        missing; of category columns the logits of the codes.
    batch : dict of tensors
        ``numbers`` (n, p), ``missing`` (n, m), ``categories`` (n, c), each optional.
    hidden : bool tensor of shape (n, n_columns)
    missing_columns : sequence of int
        The number column that each column of ``missing`` speaks of.
    cardinalities : sequence of c ints
        Codes of each category column; logits beyond are left out.

    Returns
    -------
    loss : scalar tensor
    """
    errors = []
    n_numbers = output.shape[1] - len(cardinalities)
    numbers, categories = output.split([n_numbers, len(cardinalities)], dim=1)
    if n_numbers:
        error = (numbers[..., 0] - batch["numbers"]).square()
        if len(missing_columns):
            columns = torch.as_tensor(missing_columns, device=output.device)
            missing = batch["missing"]
            logits = numbers[:, columns, 1]
            surprise = F.binary_cross_entropy_with_logits(
                logits, missing, reduction="none"
            )
            beside = surprise - missing * error[:, columns]
            error = error.index_add(1, columns, beside)
        errors.append(error)
    if len(cardinalities):
        logits = without_padding(categories, cardinalities).transpose(1, 2)
        codes = batch["categories"]
        errors.append(F.cross_entropy(logits, codes, reduction="none"))
    return mean_of(hidden, torch.cat(errors, dim=1))


def masked_latents(output, target, hidden, beta=2.0):
    r"""Smooth L1 distance of the representations of hidden tokens.

    .. math::
        \frac{1}{|H| d} \sum_{i \in H} \sum_{k=1}^d
        \begin{cases}
        \frac{1}{2 \beta} (y_{ik} - \hat{y}_{ik})^2
        & \text{if } |y_{ik} - \hat{y}_{ik}| \le \beta \\
        |y_{ik} - \hat{y}_{ik}| - \frac{1}{2} \beta & \text{otherwise}
        \end{cases}

    (Baevski et al., 2022, https://arxiv.org/abs/2202.03555). No gradient passes
    through the target.

    Parameters
    ----------
    output, target : tensor of shape (n, n_tokens, d)
    hidden : bool tensor of shape (n, n_tokens)
    beta : float
        Where the squared error turns into the absolute one.

    Returns
    -------
    loss : scalar tensor
    """
    errors = F.smooth_l1_loss(output, target.detach(), reduction="none", beta=beta)
    return mean_of(hidden, errors.mean(dim=2))


def mean_of(chosen, errors):
    """Mean of the errors of chosen cells; 0 if there are none."""
    return (errors * chosen).sum() / chosen.sum().clamp(min=1)
