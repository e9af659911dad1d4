"""Splits, curves and comparisons for data of which few rows are labelled."""

from sklearn_ssl.model_selection.compare import compare_representations
from sklearn_ssl.model_selection.curve import label_efficiency_curve
from sklearn_ssl.model_selection.saved import labels_saved
from sklearn_ssl.model_selection.split import UnlabeledSplit

__all__ = [
    "UnlabeledSplit",
    "compare_representations",
    "label_efficiency_curve",
    "labels_saved",
]
