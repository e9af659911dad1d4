"""Objectives: pure functions from the outputs of networks to a scalar loss.

They take and return torch tensors and are usable without any estimator. torch is
imported when the first of them is asked for.
"""

from importlib import import_module

_HOME = {
    "info_nce": "contrastive",
    "nt_xent": "contrastive",
    "sigmoid_contrast": "contrastive",
    "sinkhorn": "clustering",
    "swapped_prediction": "clustering",
    "dino_cross_entropy": "clustering",
    "barlow_twins": "redundancy",
    "vicreg": "redundancy",
    "lejepa": "redundancy",
    "negative_cosine": "predictive",
    "masked_cells": "masked",
    "masked_latents": "masked",
    "masked_patches": "masked",
    "squared_error": "reconstruction",
    "binary_cross_entropy": "reconstruction",
    "categorical_cross_entropy": "reconstruction",
    "bin_classification": "binning",
    "bin_regression": "binning",
    "gaussian_kl": "variational",
    "subset_agreement": "subsets",
}

__all__ = list(_HOME)


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__():
    return __all__
