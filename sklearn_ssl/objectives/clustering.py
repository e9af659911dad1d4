"""Losses that compare the cluster assignments of views."""

import torch

from sklearn_ssl.objectives.precision import full, full_precision


@torch.no_grad()
def sinkhorn(scores, epsilon=0.05, n_iterations=3):
    r"""Soft assignments of rows to prototypes that use all prototypes equally.

    .. math::
        Q_{nk} = u_n \exp(s_{nk} / \varepsilon)\, v_k

    where u and v come from turns of the Sinkhorn-Knopp algorithm, each of which first
    makes the sum over rows equal for all prototypes and then the sum over prototypes 1
    for each row (Caron et al., 2020, eq. 3 to 5, https://arxiv.org/abs/2006.09882). No
    gradient passes through it.

    Parameters
    ----------
    scores : tensor of shape (N, K)
        Similarity of each row to each prototype.
    epsilon : float
        The :math:`\varepsilon` above: the smaller, the harder the assignments.
    n_iterations : int
        Number of turns.

    Returns
    -------
    codes : tensor of shape (N, K)
        Each row sums to 1.
    """
    # As logarithms: exp(s / epsilon) overflows and underflows where scores are large.
    log_codes = full(scores) / epsilon
    for _ in range(n_iterations):
        log_codes = log_codes.log_softmax(dim=0).log_softmax(dim=1)
    return log_codes.exp()


def swapped_prediction(scores, codes, temperature=0.1):
    r"""Each view predicts the assignments of the other views of its row.

    .. math::
        \frac{1}{G (V - 1)} \sum_{g=1}^{G} \sum_{v \ne g} \frac{1}{N} \sum_{n,k}
        -q^g_{nk} \log p^v_{nk}, \qquad
        p^v_n = \operatorname{softmax}(s^v_n / \tau)

    over the V views of N rows, of which the first G have codes q: no view predicts its
    own (Caron et al., 2020, https://arxiv.org/abs/2006.09882).

    Parameters
    ----------
    scores : tensor of shape (V, N, K)
        Similarity of each row of each view to each prototype.
    codes : tensor of shape (G, N, K)
        Targets, whose rows sum to 1.
    temperature : float
        The :math:`\tau` above.

    Returns
    -------
    loss : scalar tensor
    """
    with full_precision(scores):
        log_p = (full(scores) / temperature).log_softmax(dim=-1)
        log_likelihoods = codes.to(log_p).flatten(1) @ log_p.flatten(1).T
        others = log_likelihoods.sum() - log_likelihoods.diagonal().sum()
        n_pairs = len(codes) * (len(scores) - 1)
        return -others / (n_pairs * scores.shape[1])


def dino_cross_entropy(
    student, teacher, center, student_temperature=0.1, teacher_temperature=0.04
):
    r"""A student's views predict the centred, sharpened output of a teacher.

    It is :func:`swapped_prediction` of the student's scores s at its temperature, with
    the codes

    .. math::
        q^g_n = \operatorname{softmax}((t^g_n - c) / \tau_t)

    of the teacher's scores t, through which no gradient passes (Caron et al., 2021,
    https://arxiv.org/abs/2104.14294).

    Parameters
    ----------
    student : tensor of shape (V, N, K)
    teacher : tensor of shape (G, N, K)
        The teacher's scores of the first G of the views.
    center : tensor of shape (K,)
        The c above: a running mean of the teacher's scores.
    student_temperature, teacher_temperature : float

    Returns
    -------
    loss : scalar tensor
    """
    sharpened = (full(teacher.detach()) - center) / teacher_temperature
    return swapped_prediction(student, sharpened.softmax(dim=-1), student_temperature)
