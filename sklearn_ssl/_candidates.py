"""Representations to choose from: raw columns, methods, and their names."""

import math
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from warnings import warn

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.utils.validation import check_is_fitted

from sklearn_ssl._frozen import thaw
from sklearn_ssl._labels import as_floats, is_whole
from sklearn_ssl._parameters import is_auto
from sklearn_ssl.base import SSLTransformer
from sklearn_ssl.modalities import resolve_modality
from sklearn_ssl.views import Identity

RAW = "raw"
_MANY_CLASSES = 20


@dataclass(kw_only=True, eq=False, repr=False)
class RawFeatures(SSLTransformer):
    """What pretraining is to beat: the columns or pixels as a network gets them.

    Numbers are scaled and categories one-hot, as ``passthrough`` returns them; images
    are standardized pixels. They have the scale of an embedding.

    Parameters
    ----------
    {training_parameters}

    Attributes
    ----------
    {fitted_attributes}
    """

    passthrough: object = False
    max_epochs: int | str = 0

    def _default_encoder(self, modality):
        return _Flatten()

    def _default_views(self, modality):
        return Identity()

    def _build_task(self, task):
        import torch

        # Nothing is trained, but an optimizer asks for a parameter.
        task.unused = torch.nn.Parameter(torch.zeros(1))

    def _encode(self, task, batch):
        columns = getattr(task.inputs, "columns_beside", task.embed)
        return columns(batch)


class _Flatten(BaseEstimator):
    """An encoder that returns its input."""

    def build(self, input_shape):
        from torch import nn

        return nn.Flatten()


class EmbeddingAlone(TransformerMixin, BaseEstimator):
    """Stands, first in a last step, for the embedding without the columns beside it.

    So that a method is pretrained once for both: what ``passthrough=False`` returns is
    a part of what ``passthrough=True`` does, but for its scale.
    """

    @staticmethod
    def cut(method, Z):
        """The embedding alone, of what a fitted method returned."""
        task = method._network.task
        factor = math.hypot(*task.norms) / task.norms[0]
        return np.asarray(Z)[:, : task.widths[0]] * factor


def beside_raw(name):
    """What a method beside the raw columns is called."""
    return f"{RAW} + {name}"


def raw_like(methods, modality="auto"):
    """Raw features of what the first of the methods reads."""
    if is_auto(modality):
        inside = [thaw(method) for method in methods.values()]
        known = [m.modality for m in inside if isinstance(m, SSLTransformer)]
        modality = (known or ["auto"])[0]
    return RawFeatures(modality=modality)


def default_judge(y):
    """What judges representations: Ridge of floats that are not all whole."""
    y = as_floats(y)
    if y.dtype.kind == "f" and not is_whole(y):
        return Ridge()
    return LogisticRegression(max_iter=1000)


def warn_of_rare_classes(labels, n_judged, parameter, stacklevel):
    """Warn of whole numbers that may be targets: most are too rare to be classes.

    Parameters
    ----------
    labels : ndarray of shape (n,)
    n_judged : int
        How many of them are in classes with a row for each fold.
    parameter : str
        What to pass Ridge() as.
    stacklevel : int
        As of a warning in the function that calls this.
    """
    if labels.dtype.kind not in "iuf" or 2 * n_judged >= len(labels):
        return
    n_classes = len(np.unique(labels))
    if n_classes > _MANY_CLASSES and is_whole(labels):
        warn(
            f"y holds {n_classes} whole numbers, which are taken for classes, most of "
            f"them too rare for folds: {n_judged} of the {len(labels)} labelled rows "
            f"are in others. If they are targets, pass {parameter}=Ridge().",
            UserWarning,
            stacklevel=stacklevel + 1,
        )


def reads_table(method, X):
    """Whether a method takes X for a table."""
    name = type(method).__name__
    return resolve_modality(method.modality, X, method.modalities, name).name == "table"


def check_methods(methods):
    """Check the parameters of all, and that those that are frozen are fitted.

    Raises
    ------
    TypeError, ValueError
        With the name of the method.
    """
    for name, method in methods.items():
        with _named(name):
            if isinstance(method, SSLTransformer):
                method._check_parameters()
            elif isinstance(method, FrozenEstimator):
                check_is_fitted(thaw(method))


def rehearse(methods, X):
    """Let all read X and build what they would train, before the first is trained.

    Raises
    ------
    TypeError, ValueError
        With the name of the method.
    """
    for name, method in methods.items():
        if isinstance(method, SSLTransformer):
            rehearsal = clone(method)
            with _named(name):
                rehearsal._start(rehearsal._read_training_rows(X, None), None)


@contextmanager
def _named(name):
    try:
        yield
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}") from error


def by_name(methods, taken=(RAW,)):
    """Methods as a dict; those of a list are named after their classes.

    Raises
    ------
    TypeError, ValueError
        If `methods` is neither a dict nor a list, empty, holds what does not transform,
        or gives a name twice.
    """
    if isinstance(methods, Mapping):
        named = list(methods.items())
    elif isinstance(methods, list | tuple):
        named = [(type(thaw(method)).__name__, method) for method in methods]
    else:
        raise TypeError(
            "methods must be a list of transformers or a dict of them by name, got "
            f"{methods!r}."
        )
    if not named:
        raise ValueError("methods is empty: name one transformer or more.")
    names = {*taken}
    for name, method in named:
        if isinstance(method, type) or not hasattr(method, "transform"):
            raise TypeError(
                f"methods must hold transformers, such as SCARF(), got {method!r}."
            )
        if name in names or str(name).startswith(beside_raw("")):
            raise ValueError(
                f"The name {name!r} is taken. Pass methods as a dict with other names."
            )
        names.add(name)
    return dict(named)
