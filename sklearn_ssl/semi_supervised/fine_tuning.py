"""Settings of fine-tuning, and what it does to a fitted transformer."""

import copy
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator

from sklearn_ssl._arrays import count_rows
from sklearn_ssl._frozen import thaw
from sklearn_ssl._labels import uses_labels
from sklearn_ssl._parameters import check_number, check_option, unless_auto
from sklearn_ssl.base import SSLTransformer
from sklearn_ssl.engine.guards import made_on_cpu, pinned_threads
from sklearn_ssl.modalities import resolve_modality
from sklearn_ssl.views import Identity

# How many rows to show, and the least and the most epochs.
_ROWS_PRETRAINED = 20_000, 10, 50
_ROWS_FROM_SCRATCH = 80_000, 40, 200
_PRETRAINED_RATE = 1e-3
# Below, "auto" holds out no row: labels are worth more in training.
_MIN_ROWS_TO_HOLD_OUT = 200


@dataclass(kw_only=True, eq=False, repr=False)
class FineTuning(BaseEstimator):
    """How to train encoder and linear head together, on labelled rows.

    The head is first fitted on frozen features, to its optimum; then all weights are
    trained, those of the encoder at a lower rate [1]_. The loss is the cross-entropy of
    a softmax, or the squared error. If the transformer had ``max_epochs=0``, the
    encoder has nothing to forget: it learns at the rate of the head, for more epochs.
    This is supervised learning from scratch, to compare with. Where labels are few,
    frozen features are often as good: compare.

    Parameters
    ----------
    max_epochs : int or "auto", default="auto"
        Passes over the labelled rows. "auto" makes fewer the more rows there are.
    learning_rate : float or "auto", default="auto"
        Peak rate of the head: linear warm-up, then half a cosine. "auto" is 0.001 or,
        from scratch, what suits the encoder.
    encoder_factor : float or "auto", default="auto"
        The encoder's rate is `learning_rate` times this. "auto" is 0.1, or 1 from
        scratch; 0 trains the head alone.
    weight_decay : float, default=0.0001
        Decay of matrices and kernels.
    batch_size : int, default=64
        Most rows a step.
    augment : "auto" or bool, default="auto"
        Whether each row is shown beside one of its views by the transformer's
        ``views_``. "auto" does so where views keep the label: images.
    class_weight : dict, list of dict, "balanced" or None, default=None
        Weights of the classes, as scikit-learn's classifiers take them.
    early_stopping : "auto" or bool, default="auto"
        Hold out labelled rows, end when their loss no longer falls, and keep the best
        weights. "auto" does so from 200 labelled rows, but not of images shown beside
        their views (`augment`), which training to the end serves better. True
        raises ValueError if no row can be held out; a class's only labelled row never
        is.
    validation_fraction : float, default=0.1
        Share of the labelled rows that is held out, of each class alike.
    n_iter_no_change : int, default=5
        Epochs without a lower loss on these that end the training.
    consistency : float, default=0.0
        Weight of a second loss, which lets rows without labels have a say: how much
        the head's outputs differ between views of a row, by the transformer's
        ``views_``. Each step draws `batch_size` of all rows for it, labelled or not.
    n_views : int, default=3
        Views that are compared.

    Notes
    -----
    The consistency loss is the variance over the views, mean over rows and outputs (the
    logits of classes, or targets of unit variance), as in VIME [2]_, with 1 and 3 for
    `consistency` and `n_views`. There, the encoder was frozen (``encoder_factor=0``),
    the head an MLP, unlabelled rows alone were compared and a training had 1000 steps.
    Here the head is linear; in the few steps of "auto" it moves little from its optimum
    on the labels: more `max_epochs` or a higher `learning_rate` give the views more
    say. Early stopping judges by the labels alone.

    References
    ----------
    .. [1] A. Kumar, A. Raghunathan, R. Jones, T. Ma, P. Liang, "Fine-Tuning can Distort
       Pretrained Features and Underperform Out-of-Distribution", ICLR 2022.
       https://arxiv.org/abs/2202.10054
    .. [2] J. Yoon, Y. Zhang, J. Jordon, M. van der Schaar, "VIME: Extending the Success
       of Self- and Semi-supervised Learning to Tabular Domain", NeurIPS 2020.
       https://proceedings.neurips.cc/paper/2020/hash/7d97667a3e056acab9aaf653807b4a03-Abstract.html

    Examples
    --------
    >>> from sklearn_ssl import SCARF, FineTuning, SSLClassifier
    >>> classifier = SSLClassifier(SCARF(), fine_tune=FineTuning(max_epochs=20))
    >>> classifier.get_params()["fine_tune__max_epochs"]
    20
    """

    max_epochs: int | str = "auto"
    learning_rate: float | str = "auto"
    encoder_factor: float | str = "auto"
    weight_decay: float = 1e-4
    batch_size: int = 64
    augment: object = "auto"
    class_weight: object = None
    early_stopping: object = "auto"
    validation_fraction: float = 0.1
    n_iter_no_change: int = 5
    consistency: float = 0.0
    n_views: int = 3

    def _check(self):
        name = "fine_tune: {}".format
        check_number(name("max_epochs"), self.max_epochs, Integral, 0, words=("auto",))
        for rate in ("learning_rate", "encoder_factor"):
            check_number(name(rate), getattr(self, rate), Real, 0, words=("auto",))
        check_number(name("weight_decay"), self.weight_decay, Real, 0)
        check_number(name("batch_size"), self.batch_size, Integral, 2)
        check_option(name("augment"), self.augment, ("auto", True, False))
        check_option(name("early_stopping"), self.early_stopping, ("auto", True, False))
        share = self.validation_fraction
        check_number(name("validation_fraction"), share, Real, 0, 1, strict=True)
        check_number(name("n_iter_no_change"), self.n_iter_no_change, Integral, 1)
        check_number(name("consistency"), self.consistency, Real, 0)
        check_number(name("n_views"), self.n_views, Integral, 2)


def resolve_fine_tuning(fine_tune, transformer):
    """The settings for a ``fine_tune`` parameter; ``None`` if it is False.

    Raises
    ------
    ValueError, TypeError
        If it is no setting, holds bad values, or does not suit the transformer.
    """
    if isinstance(fine_tune, bool | np.bool_):
        fine_tune = FineTuning() if fine_tune else None
    if fine_tune is None:
        return None
    if not isinstance(fine_tune, FineTuning):
        raise TypeError(f"fine_tune must be a bool or FineTuning, got {fine_tune!r}.")
    fine_tune._check()
    if not isinstance(thaw(transformer), SSLTransformer):
        raise TypeError(
            "fine_tune needs a method of this package as transformer, or one in a "
            f"FrozenEstimator, got {transformer!r}."
        )
    if uses_labels(transformer):
        raise TypeError(
            f"{type(transformer).__name__} uses labels, of which fine_tune holds some "
            "out. Fit it first, and pass FrozenEstimator(it), or fine_tune=False."
        )
    return fine_tune


@made_on_cpu()
def check_holds_out(settings, labels):
    """Raise ValueError if early stopping is asked for, but has no row to judge by.

    Parameters
    ----------
    settings : FineTuning
    labels : dict
        As :func:`fine_tune` takes them.
    """
    from sklearn_ssl.engine.fine_tuning import Labels

    share = settings.validation_fraction
    if not unless_auto(settings.early_stopping, False):
        return
    if not Labels.from_arrays(**labels).n_to_hold_out(share):
        raise ValueError(
            f"fine_tune: early_stopping=True with validation_fraction={share!r} holds "
            f"out none of {len(labels['targets'])} labelled rows: each class keeps "
            "one. Raise validation_fraction, label more rows, or pass "
            "early_stopping=False."
        )


def check_views_vary(settings, transformer, X):
    """Raise ValueError if views are to agree that leave rows as they are.

    Parameters
    ----------
    settings : FineTuning
    transformer : SSLTransformer or FrozenEstimator
    X : array-like, DataFrame or list of images
        Looked at for its modality alone.
    """
    if not settings.consistency:
        return
    method = thaw(transformer)
    name, views = type(method).__name__, method.views
    if isinstance(views, str):
        kind = resolve_modality(method.modality, X, method.modalities, name)
        views = method._default_views(kind)
    if isinstance(views, Identity):
        raise ValueError(
            f"fine_tune: consistency={settings.consistency!r} compares views, and "
            f"those of {name} leave each row as it is. Pass views to {name}, such as "
            "Corruption() for tables or ImageViews() for images, or consistency=0."
        )


@made_on_cpu()
def fine_tune(transformer, X, settings, *, X_all=None, seed=None, **labels):
    """Train a copy of a fitted transformer together with a head.

    Parameters
    ----------
    transformer : fitted SSLTransformer or FrozenEstimator
        Left as it is.
    X : labelled rows
    settings : FineTuning
    X_all : all rows, or None
        For ``settings.consistency``.
    seed : int or None
        ``None`` takes the seed of the transformer's fit.
    **labels : arguments of :class:`~sklearn_ssl.engine.fine_tuning.Labels`, as arrays

    Returns
    -------
    transformer : SSLTransformer
        With the encoder's new weights.
    tuner : FineTuner
        With the head.
    """
    import torch

    from sklearn_ssl.engine.fine_tuning import FineTuner, Labels, calibrate

    transformer = copy.copy(thaw(transformer))
    vars(transformer).pop("_session", None)
    network = transformer._network = copy.deepcopy(transformer._network)
    arrays = transformer._read(transformer.modality_, X)
    all_arrays = None
    if settings.consistency:
        all_arrays = transformer._read(transformer.modality_, X_all)
    n = count_rows(arrays)
    from_scratch = transformer.n_iter_ == 0
    rate, factor = _PRETRAINED_RATE, 0.1
    if from_scratch:
        rate, factor = getattr(transformer.encoder_, "learning_rate", rate), 1.0
    rate = unless_auto(settings.learning_rate, rate)
    rows_to_see, *bounds = _ROWS_FROM_SCRATCH if from_scratch else _ROWS_PRETRAINED
    max_epochs = int(np.clip(rows_to_see / n, *bounds))
    keeps_labels = getattr(transformer.views_, "keeps_labels", False)
    augment = unless_auto(settings.augment, keeps_labels)
    should_hold_out = n >= _MIN_ROWS_TO_HOLD_OUT and not (augment and keeps_labels)
    holds_out = unless_auto(settings.early_stopping, should_hold_out)
    tuner = FineTuner(
        network=network,
        arrays=arrays,
        labels=Labels.from_arrays(**labels),
        learning_rate=rate,
        encoder_rate=rate * unless_auto(settings.encoder_factor, factor),
        consistency=settings.consistency,
        n_views=settings.n_views,
        all_arrays=all_arrays,
        weight_decay=settings.weight_decay,
        batch_size=settings.batch_size,
        max_epochs=unless_auto(settings.max_epochs, max_epochs),
        augment=augment,
        fraction=settings.validation_fraction if holds_out else 0.0,
        patience=settings.n_iter_no_change,
        seed=network.recipe["seed"] if seed is None else seed,
        verbose=transformer.verbose,
    )
    # A user's no_grad() around it is for what is fitted already.
    with pinned_threads(transformer.n_threads), torch.enable_grad():
        if from_scratch and tuner.encoder_rate > 0:
            calibrate(network, arrays, settings.batch_size)
        tuner.run()
    return transformer, tuner
