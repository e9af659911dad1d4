"""How an embedding fares while it is trained."""

import math

import torch


def embedding_health(task, batch):
    """How far the rows of an embedding are apart, and in how many directions.

    Parameters
    ----------
    task : Task
    batch : dict of tensors

    Returns
    -------
    std : float
        The standard deviation of the L2-normalized encoder output, averaged over
        columns and multiplied by the square root of their number (Chen and He, 2021,
        section 4): 0 is collapsed, 1 fills the sphere.
    rank : float
        The effective rank (Garrido et al., 2023) of the centred encoder output: 0 if
        all rows are equal, at most their number. NaN unless `std` is finite.
    """
    training = task.training
    task.eval()
    with torch.no_grad():
        z = task.method._encode(task, task.inputs.prepare(batch)).float()
    task.train(training)
    directions = torch.nn.functional.normalize(z, dim=1)
    std = float(directions.std(dim=0, correction=0).mean() * z.shape[1] ** 0.5)
    return std, _effective_rank(z.cpu().double()) if math.isfinite(std) else math.nan


def _effective_rank(z):
    centred = z - z.mean(dim=0)
    # The smaller matrix of products: its eigenvalues take less time than an SVD.
    products = centred @ centred.T if len(z) < z.shape[1] else centred.T @ centred
    s = torch.linalg.eigvalsh(products).clamp(min=0).sqrt()
    if s.max() <= 1e-6 * z.norm():  # rows differ by rounding alone
        return 0.0
    return float(torch.special.entr(s / s.sum()).sum().exp())
