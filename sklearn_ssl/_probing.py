"""What a fitted method makes of rows: the encoder's own output, and views of them."""

from contextlib import contextmanager
from copy import copy

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_ssl.base import SSLTransformer
from sklearn_ssl.semi_supervised import AutoSSL, SSLClassifier, SSLRegressor
from sklearn_ssl.semi_supervised._inside import dense_features
from sklearn_ssl.views import Identity

_BATCH_SIZE = 256
_OURS = AutoSSL, SSLClassifier, SSLRegressor


def find_method(estimator, X=None):
    """The pretrained method inside an estimator, and X as it comes there.

    Parameters
    ----------
    estimator : fitted estimator
        A method, or a Pipeline, ``FrozenEstimator``, search, ``AutoSSL``,
        ``SSLClassifier`` or ``SSLRegressor`` around one, or any other transformer.
    X : what `estimator` reads, or None

    Returns
    -------
    method : SSLTransformer or another transformer
    X : what `method` reads, or None

    Raises
    ------
    TypeError
        If there is no transformer.
    """
    inside = _inside(estimator)
    if inside is not None:
        return find_method(inside, X)
    if isinstance(estimator, Pipeline):
        return _find_in_steps(estimator, X)
    if not hasattr(estimator, "transform"):
        raise TypeError(f"{estimator!r} has no transform, and so no embedding.")
    check_is_fitted(estimator)
    return estimator, X


def _inside(estimator):
    """What a fitted estimator is wrapped around, or None."""
    if isinstance(estimator, FrozenEstimator):
        return estimator.estimator
    if isinstance(estimator, _OURS):
        check_is_fitted(estimator)
        return estimator.transformer_
    return getattr(estimator, "best_estimator_", None)  # of a search


def _holds_method(estimator):
    if isinstance(estimator, (SSLTransformer, *_OURS)):
        return True
    if isinstance(estimator, Pipeline):
        return any(_holds_method(step) for _, step in estimator.steps)
    inside = _inside(estimator)
    return inside is not None and _holds_method(inside)


def _find_in_steps(pipeline, X):
    for i, (_, step) in enumerate(pipeline.steps):
        if _holds_method(step):
            if i and X is not None:
                X = pipeline[:i].transform(X)
            return find_method(step, X)
    return (pipeline if hasattr(pipeline, "transform") else pipeline[:-1]), X


def embed(estimator, X):
    """The encoder's output, neither centred nor scaled nor beside other columns.

    ``transform`` gives any embedding the same scale, a collapsed one too; quality is
    measured on what comes before. Of other transformers it is what they return.

    Returns
    -------
    Z : ndarray of shape (n, d)
    """
    method, X = find_method(estimator, X)
    if not isinstance(method, SSLTransformer):
        return dense_features(method, X)
    with _probed(method, X) as (task, _, batches):
        return np.concatenate([_encode(task, batch) for batch in batches])


def embed_views(estimator, X, n_views=2, random_state=0):
    """The encoder's output for random views of each row.

    Returns
    -------
    Z : ndarray of shape (n, n_views, d)

    Raises
    ------
    TypeError
        If `estimator` is no method of this package, which alone have views.
    """
    method, X = find_method(estimator, X)
    with _probed(method, X, random_state) as (task, view, batches):
        return np.concatenate(
            [
                np.stack([_encode(task, view(batch)) for _ in range(n_views)], axis=1)
                for batch in batches
            ]
        )


def draw_views(method, X, rows, n_views, random_state):
    """Rows as the network is given them, and random views of them.

    Parameters
    ----------
    method : fitted estimator
        Of :func:`find_method`.
    X : what `method` reads
        Views may borrow from all of it.
    rows : ndarray of int
    n_views : int
    random_state : int

    Returns
    -------
    batch : dict of str to ndarray
    views : list of dict of str to ndarray
    """
    import torch

    with _probed(method, X, random_state) as (task, view, _):
        batch = {k: v[torch.as_tensor(rows)] for k, v in task.source.items()}
        batch = task.inputs.prepare(batch)
        views = [_to_numpy(view(batch)) for _ in range(n_views)]
    return _to_numpy(batch), views


def find_autoencoder(estimator, X):
    """The fitted autoencoder inside an estimator, and X as it comes there.

    Raises
    ------
    TypeError
        If the method inside does not restore rows from their embedding.
    """
    method, X = find_method(estimator, X)
    restores = isinstance(method, SSLTransformer) and hasattr(method, "score_samples")
    if not restores:
        raise TypeError(
            "This needs an autoencoder, which restores rows from their embedding, got "
            f"{type(method).__name__}."
        )
    return method, X


def cell_errors(method, X):
    """Errors with which an autoencoder restores the cells of a table.

    Parameters
    ----------
    method : fitted autoencoder
    X : what `method` reads

    Returns
    -------
    arrays, errors : dict of str to ndarray
        Cells as the network sees them, "numbers" and "categories", and "gaps": 1 where
        a number is missing; and errors: of "numbers", 0 in gaps, "missing" and
        "categories". All as far as there are any.

    Raises
    ------
    TypeError
        If `method` does not read tables.
    """
    if method.modality_.name != "table":
        raise TypeError(
            "This needs the columns of a table, but what was fitted reads "
            f"{method.modality_.name!r}."
        )
    modality, arrays = method.modality_, method._read_with_gaps(X)
    errors = method._network.map_rows(
        lambda task, batch: task.method._cell_errors(task, batch), arrays
    )
    columns = {
        "numbers": modality.number_columns_,
        "missing": modality.missing_columns_,
        "categories": modality.category_columns_,
    }
    widths = {kind: len(some) for kind, some in columns.items() if some}
    parts = np.split(errors, np.cumsum([*widths.values()])[:-1], axis=1)
    return arrays, dict(zip(widths, parts, strict=True))


def restore_images(method, X):
    """What an autoencoder restores of images: pixels in [0, 1], channels first."""
    arrays = method._read(method.modality_, X)
    output = method._network.map_rows(
        lambda task, b: task.method._reconstruct(task, task.inputs.prepare(b)), arrays
    )
    modality = method.modality_
    std, mean = (x[:, None, None] for x in (modality.std_, modality.mean_))
    return output * std + mean


@contextmanager
def _probed(method, X, random_state=0):
    """A method's task in evaluation mode, its view, and X in batches."""
    if not isinstance(method, SSLTransformer):
        raise TypeError(
            "This needs views of the rows, which methods of sklearn_ssl alone have, "
            f"got {type(method).__name__}."
        )
    import torch

    from sklearn_ssl.engine.batches import Rows, TensorSource
    from sklearn_ssl.engine.guards import made_on_cpu
    from sklearn_ssl.engine.random import SCORE, as_seed, make_generator

    arrays = method._read(method.modality_, X)
    network = method._network
    with network._lock, made_on_cpu():  # probing swaps the task's generator
        task = network.task
        source = TensorSource(arrays, task.shift.device)

        def batches():
            for batch, task.rows in Rows(
                source, torch.arange(source.n_rows), _BATCH_SIZE
            ):
                yield task.inputs.prepare(batch)

        with task.scoring(source):
            task.set_generator(
                make_generator(as_seed(random_state), SCORE, source.device)
            )
            yield task, _view_of(method, task, arrays), batches()


def _view_of(method, task, arrays):
    """The task's view, or the modality's own where the method varies nothing."""
    if not isinstance(method.views_, Identity):
        return task.view
    modality = copy(method.modality_)  # views may note on it what they found
    views = modality.default_views().adapt(modality, arrays)
    return lambda batch: views(batch, task.data.donors, task.generator)


def _encode(task, batch):
    return task.method._encode(task, batch).float().cpu().numpy()


def _to_numpy(batch):
    return {name: tensor.cpu().numpy() for name, tensor in batch.items()}
