"""How many rows are labelled, and which."""

import numpy as np

from sklearn_ssl._parameters import is_auto

_N_SIZES = 6
_MIN_TARGETS = 10  # of a regression that is worth a look


def check_sizes(train_sizes, labels, stratify):
    largest = min(map(len, labels))
    smallest = max(len(np.unique(fold)) for fold in labels) if stratify else 1
    if is_auto(train_sizes):
        first = min(2 * smallest if stratify else _MIN_TARGETS, largest)
        train_sizes = np.geomspace(first, largest, _N_SIZES).round().astype(int)
    sizes = np.unique(train_sizes)
    if not len(sizes):
        raise ValueError("train_sizes is empty. Pass numbers or shares of labels.")
    if sizes.dtype.kind == "f":
        if not (sizes[0] > 0 and sizes[-1] <= 1):  # nor NaN
            raise ValueError(
                "train_sizes as floats are shares and must lie in (0, 1], got "
                f"{train_sizes!r}."
            )
        sizes = np.unique((sizes * largest).astype(int))
    if sizes[0] < smallest or sizes[-1] > largest:
        raise ValueError(
            f"train_sizes must lie between {smallest}, one label a class, and "
            f"{largest}, the labels of the smallest fold, got {sizes.tolist()}."
        )
    return sizes


def nested_draw(y, rng, stratify):
    """An order of the rows of which each beginning is a stratified draw."""
    order = rng.permutation(len(y))
    if not stratify:
        return order
    # The j-th row of a class comes after the share j / n of it: first one of each.
    share = np.empty(len(y))
    for label in np.unique(y):
        of_class = np.flatnonzero(y[order] == label)
        share[of_class] = np.arange(len(of_class)) / len(of_class)
    return order[np.argsort(share, kind="stable")]
