"""Agreement of what an encoder makes of several parts of a row."""

from itertools import combinations

import torch
from torch.nn import functional as F

from sklearn_ssl.objectives.contrastive import nt_xent


def subset_agreement(z, temperature=0.1):
    r"""SubTab's contrastive and distance losses, averaged over pairs of subsets.

    .. math::
        \frac{2}{K (K - 1)} \sum_{a < b} \Big[ \mathrm{NT\text{-}Xent}(z_a, z_b; \tau)
        + \frac{1}{N} \sum_i \|z_{ai} - z_{bi}\|^2 \Big]

    with L2-normalized z (Ucar et al., 2021, https://arxiv.org/abs/2110.04361).

    Parameters
    ----------
    z : tensor of shape (K, N, d)
        Row i of each of the K subsets comes from the same sample.
    temperature : float
        The :math:`\tau` above.

    Returns
    -------
    loss : scalar tensor
        0 for a single subset.
    """
    z = F.normalize(z, dim=-1, eps=1e-6)
    losses = [
        nt_xent(a, b, temperature) + (a - b).square().sum(dim=1).mean()
        for a, b in combinations(z, 2)
    ]
    return torch.stack(losses).mean() if losses else z.new_zeros(())
