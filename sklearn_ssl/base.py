"""The estimator layer: scikit-learn outside, a pretext task and its training inside."""

import copy
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_ssl._arrays import check_two_rows, count_rows, count_targets
from sklearn_ssl._parameters import (
    check_components,
    check_training_parameters,
    count_held_out,
    insert_shared,
    unless_auto,
    without_encoder,
)
from sklearn_ssl.encoders import resolve_encoder
from sklearn_ssl.engine.callbacks import (
    CallbackSupportMixin,
    EpochCallbacks,
    with_callbacks,
)
from sklearn_ssl.engine.guards import made_on_cpu, pinned_threads, unchanged_on_error
from sklearn_ssl.exceptions import TrainingDivergedError, warn_if_collapsed
from sklearn_ssl.modalities import as_2d, read_rows, resolve_modality, with_unlabeled
from sklearn_ssl.views import resolve_views

# Within these, "auto" lets a training see as many rows as suit the modality.
_EPOCH_BOUNDS = 10, 200
# Rows of the past that the statistics of `partial_fit` remember.
_MAX_ROWS_REMEMBERED = 10_000
# Parameters that the training takes as they are.
_PASSED_ON = "max_time weight_decay optimizer max_grad_norm tol verbose".split()


@dataclass(kw_only=True, eq=False, repr=False)
class SSLTransformer(
    CallbackSupportMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    BaseEstimator,
):
    """Base of all methods: ``fit`` solves a pretext task, ``transform`` embeds.

    A subclass declares its parameters as dataclass fields and says what its task is in
    ``_build_task`` and ``_loss``.

    Parameters
    ----------
    {training_parameters}

    Attributes
    ----------
    {fitted_attributes}
    """

    # What the method can read.
    modalities: ClassVar[tuple] = ("table", "image")

    modality: object = "auto"
    encoder: object = "auto"
    views: object = "auto"
    passthrough: object = "auto"
    output: str = "last"
    scaling: str = "block"
    max_epochs: int | str = "auto"
    max_time: float | None = None
    batch_size: int | str = "auto"
    learning_rate: float | str = "auto"
    weight_decay: float = 1e-4
    optimizer: str = "adamw"
    max_grad_norm: float | None = None
    validation_fraction: float = 0.1
    early_stopping: bool = False
    n_iter_no_change: int = 10
    tol: float = 1e-4
    warm_start: bool = False
    device: str = "auto"
    precision: str = "auto"
    n_threads: int | None = None
    verbose: int = 0
    random_state: object = None

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        insert_shared(cls)

    # What a method says of itself -----------------------------------------------------

    def _check_parameters(self):
        """Raise ValueError for a bad parameter; extended by methods."""
        check_training_parameters(self)

    def _default_encoder(self, modality):
        """The component that ``encoder="auto"`` stands for."""
        return modality.default_encoder()

    def _default_views(self, modality):
        """The component that ``views="auto"`` stands for."""
        return modality.default_views()

    def _default_learning_rate(self, encoder):
        """The peak for AdamW that ``learning_rate="auto"`` stands for."""
        return getattr(encoder, "learning_rate", 1e-3)

    def _encoder_shape(self, input_shape):
        """Shape that the encoder is built for: of a part where it learns from parts."""
        return input_shape

    def _add_targets(self, arrays, X, y):
        """Add "targets", with a row for each row, if the method makes use of y."""
        return arrays

    def _build_task(self, task):
        """Add heads, queues or teachers to the task as attributes."""

    def _loss(self, task, batch):
        """Return the scalar loss of a batch."""
        raise NotImplementedError

    def _encode(self, task, batch):
        """Return the embedding of a batch."""
        return task.outputs(task.inputs(batch))

    def _after_step(self, task):
        """Run after each optimizer step."""

    def _begin_fit(self, task):
        """Run before training; ``task.source`` holds all rows."""

    def _begin_epoch(self, task):
        """Run before each epoch; ``task.source`` holds all rows."""

    # What users call ------------------------------------------------------------------

    def fit(self, X, y=None, *, X_unlabeled=None):
        """Pretrain on the rows of X, and on those of X_unlabeled if given.

        Parameters
        ----------
        X : array-like, DataFrame or list of images
            n rows of what ``modality`` says.
        y : ignored
            Present for API consistency; a method that uses labels says so.
        X_unlabeled : like X or None, default=None
            More rows. Inside a Pipeline, route it with
            ``set_fit_request(X_unlabeled=True)``.

        Returns
        -------
        self : SSLTransformer

        Raises
        ------
        ValueError, TypeError
            If a parameter or the data are unfit; training has not begun then.
        TrainingDivergedError
            If the loss or the embedding becomes NaN or infinite. An earlier fit stays
            as it was.
        """
        with unchanged_on_error(self):
            self._fit(X, y, X_unlabeled)
        warn_if_collapsed(self)
        return self

    def partial_fit(self, X, y=None):
        """Train for one more pass over X, at a constant learning rate.

        The first call reads the data's columns, categories and statistics from X; later
        calls keep them. The optimizer's state is kept between calls, not by pickling.

        Parameters
        ----------
        X : array-like, DataFrame or list of images
        y : ignored
            Present for API consistency.

        Returns
        -------
        self : SSLTransformer
        """
        with unchanged_on_error(self):
            self._partial_fit(X)
        warn_if_collapsed(self)
        return self

    def transform(self, X):
        """Embed X.

        A row's embedding does not depend, not by a bit, on the rows beside it.

        Parameters
        ----------
        X : array-like, DataFrame or list of images

        Returns
        -------
        Z : ndarray of shape (n, d), float32
            The embedding, centred and scaled (``scaling``); for tables, the
            preprocessed columns beside it (``passthrough``). A row's norm does not
            depend on d: the scale is made for classifiers of default settings, without
            a scaler between.
        """
        check_is_fitted(self)
        return self._network.encode(self._read(self.modality_, X))

    def score(self, X, y=None):
        """Minus the mean pretext loss of X, under a corruption that is always the same.

        Parameters
        ----------
        X : array-like, DataFrame or list of images
        y : ignored
            Present for API consistency.

        Returns
        -------
        score : float
            Higher is better. Comparable between fits of one method on one X if what
            enters the loss is the same: batch size, views, temperature and the like.
        """
        check_is_fitted(self)
        return self._network.score(self._read(self.modality_, X), self.batch_size_)

    def set_params(self, **params):
        """Set parameters; the next ``partial_fit`` begins its optimizer anew.

        Parameters
        ----------
        **params : dict
            As in scikit-learn; the modality of a fitted estimator stays.

        Returns
        -------
        self : SSLTransformer
        """
        check_components(self, params)
        vars(self).pop("_session", None)
        return super().set_params(**params)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "_network")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inputs, tables = tags.input_tags, "table" in self.modalities
        inputs.allow_nan = inputs.string = inputs.categorical = tables
        inputs.three_d_array = "image" in self.modalities
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    # How they do it -------------------------------------------------------------------

    @with_callbacks
    def _fit(self, X, y, X_unlabeled):
        self._check_parameters()
        previous = vars(self).get("_network") if self.warm_start else None
        X_all = with_unlabeled(X, X_unlabeled)
        arrays = self._add_targets(self._read_training_rows(X_all, previous), X, y)
        n_rows = count_rows(arrays)
        max_epochs = int(np.clip(self.modality_.rows_to_see / n_rows, *_EPOCH_BOUNDS))
        self.max_epochs_ = unless_auto(self.max_epochs, max_epochs)
        callbacks = EpochCallbacks(self, X, y, self.max_epochs_)
        with made_on_cpu(), pinned_threads(self.n_threads) as self.n_threads_:
            training = self._start(arrays, previous, self.max_epochs_)

            def fitted_now():
                return self._results(training, arrays, weights=training.last_good)

            try:
                training.run(
                    arrays,
                    self.max_epochs_,
                    validation_rows=count_held_out(self, n_rows),
                    begin_epoch=callbacks.begin_epoch,
                    end_epoch=lambda: callbacks.end_epoch(fitted_now),
                )
            except TrainingDivergedError as error:
                if training.n_epochs:
                    error.last_good = copy.copy(self)
                    vars(error.last_good).update(fitted_now())
                raise
            vars(self).update(self._results(training, arrays, task=training.task))
        vars(self).pop("_session", None)
        callbacks.end_fit()

    def _partial_fit(self, X):
        self._check_parameters()
        previous = vars(self).get("_network")
        arrays = self._read_training_rows(X, previous)
        with made_on_cpu(), pinned_threads(self.n_threads) as self.n_threads_:
            session = vars(self).get("_session") or self._start(arrays, previous)
            before = session.state_dict()
            goes_on = previous is not None and previous.returns_what(self)
            n_before = self._n_rows_remembered if goes_on else 0
            try:
                session.run(arrays, 1)
                results = self._results(session, arrays, n_before, task=session.task)
            except BaseException:
                session.load_state_dict(before)
                raise
        vars(self).update(results, _session=session, max_epochs_=session.n_epochs)

    def _read(self, modality, X, fit=False):
        """Check X and turn it into arrays; in `fit` learn the modality from it."""
        X, is_2d = as_2d(modality, X)
        if is_2d:
            native = getattr(X, "to_native", lambda: X)()
            validate_data(self, native, reset=fit, skip_check_array=True)
        if fit:
            modality.fit(X)
        arrays = read_rows(modality, X)
        if fit and not is_2d:
            self.n_features_in_ = int(np.prod(modality.shape_))
        return arrays

    def _read_training_rows(self, X, previous):
        """Read X and resolve the components; a previous fit's modality stays."""
        if previous is None:
            name = type(self).__name__
            self.modality_ = resolve_modality(self.modality, X, self.modalities, name)
        kind = self.modality_
        arrays = self._read(kind, X, fit=previous is None)
        self.encoder_ = resolve_encoder(self.encoder, self._default_encoder(kind))
        self.views_ = resolve_views(self.views, self._default_views(kind), kind, arrays)
        check_two_rows(arrays, type(self).__name__)
        return arrays

    def _start(self, arrays, previous, max_epochs=None):
        """Build the task, with the weights of a previous fit if given, and training."""
        from sklearn_ssl.engine.devices import resolve_device, resolve_precision
        from sklearn_ssl.engine.network import FittedNetwork
        from sklearn_ssl.engine.optimization import default_learning_rate
        from sklearn_ssl.engine.random import as_seed
        from sklearn_ssl.engine.training import Training

        n_rows = count_rows(arrays)
        suits = self.modality_.default_batch_size(n_rows)
        self.batch_size_ = unless_auto(self.batch_size, suits)
        adamw = self._default_learning_rate(self.encoder_)
        suits = default_learning_rate(self.optimizer, adamw)
        self.learning_rate_ = unless_auto(self.learning_rate, suits)
        device, seed = resolve_device(self.device), as_seed(self.random_state)
        recipe = dict(method=without_encoder(self), encoder=self.encoder_)
        recipe |= dict(modality=self.modality_, views=self.views_, seed=seed)
        recipe |= dict(max_epochs=max_epochs, n_rows=n_rows)
        recipe |= dict(n_targets=count_targets(arrays))
        weights = None if previous is None else previous.state()
        if weights:  # queues keep their size, buffers that are not saved their values
            recipe |= {name: previous.recipe[name] for name in ("n_rows", "seed")}
        network = FittedNetwork(recipe, weights=weights)
        stops_early = max_epochs and count_held_out(self, n_rows)
        training = Training(
            task=network.task,
            device=device,
            seed=seed,
            batch_size=self.batch_size_,
            learning_rate=self.learning_rate_,
            max_epochs=max_epochs,
            patience=self.n_iter_no_change if stops_early else None,
            autocast=resolve_precision(self.precision, device),
            **{name: getattr(self, name) for name in _PASSED_ON},
        )
        training.recipe = recipe
        return training

    def _results(self, training, arrays, n_before=0, *, task=None, weights=None):
        """The fitted attributes of a training, as it stands or ended."""
        from sklearn_ssl.engine.network import FittedNetwork
        from sklearn_ssl.engine.training import CURVES

        network = FittedNetwork(training.recipe, task=task, weights=weights)
        network.measure(arrays, n_before)
        n_rows = n_before + count_rows(arrays)
        parameters = network.task.parameters()
        return {
            "_network": network,
            "_n_features_out": len(network.task.shift),
            "_n_rows_remembered": min(n_rows, _MAX_ROWS_REMEMBERED),
            "n_iter_": training.n_epochs,
            **{f"{name}_": list(getattr(training, name)) for name in CURVES},
            "n_parameters_": sum(p.numel() for p in parameters if p.requires_grad),
            "device_": str(training.device),
            **{f"{name}_": value for name, value in network.task.adapted.items()},
        }

    def __getstate__(self):
        # The optimizer of `partial_fit` is not worth its weight in a pickle.
        return {k: v for k, v in super().__getstate__().items() if k != "_session"}


insert_shared(SSLTransformer)
