"""What the tests of autoencoders, and of methods built on them, share."""

import numpy as np


def reconstruction_formula(output, batch, modality):
    """Squared errors and cross-entropies over the number of columns.

    Of all cells but missing numbers, which have no value.
    """
    cardinalities = modality.cardinalities_
    output = output.detach().double().numpy()
    numbers, missing = batch["numbers"].numpy(), batch["missing"].numpy()
    n, n_numbers = numbers.shape
    n_missing = missing.shape[1]
    errors = (output[:, :n_numbers] - numbers) ** 2
    errors[:, modality.missing_columns_] *= 1 - missing
    total = errors.sum()
    p = 1 / (1 + np.exp(-output[:, n_numbers : n_numbers + n_missing]))
    total -= np.log(np.where(missing == 1, p, 1 - p)).sum()
    ends = n_numbers + n_missing + np.cumsum((0, *cardinalities))
    for j, own in enumerate(map(slice, ends[:-1], ends[1:])):
        e = np.exp(output[:, own])
        code = batch["categories"][:, j].numpy()
        total -= np.log(e[np.arange(n), code] / e.sum(axis=1)).sum()
    return total / n / (n_numbers + n_missing + len(cardinalities))
