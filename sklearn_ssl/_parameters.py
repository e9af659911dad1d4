"""Documentation and checks of the parameters that all methods share."""

import re
from numbers import Integral, Real

import numpy as np
from sklearn.base import clone

# The parameters that hold components, each with one that may stand there.
_COMPONENTS = {"modality": "Tabular()", "encoder": "MLP()", "views": "Corruption()"}
# With fewer nothing is held out for early stopping.
_MIN_ROWS_TO_HOLD_OUT = 20

TRAINING_PARAMETERS = """\
modality : {"auto", "table", "image"} or component, default="auto"
    What X is. "auto" reads a DataFrame or 2-D array as a table, a 4-D array or a list
    of PIL images as images. ``Image(shape=(28, 28))`` of
    :mod:`sklearn_ssl.modalities` reads flattened rows as images. To methods for images
    alone, "auto" also takes 2-D arrays: gray images, square if the number of columns is
    a square number, else strips of one row; ``modality_.shape`` says which.
encoder : str, component, nn.Module or callable, default="auto"
    The network whose output is the embedding: "mlp", "convnet", "resnet18",
    "resnet34", "resnet50", "vit", "ft_transformer", a component of
    :mod:`sklearn_ssl.encoders`, a module (copied, never changed) or a factory of one,
    which may take ``input_shape``. "auto" chooses by modality and size. Of the random
    layers in modules of your own, ``nn.Dropout`` follows ``random_state``; others use
    torch's global generator.
views : component or callable, default="auto"
    Random variation of a batch: a component of :mod:`sklearn_ssl.views` or a function
    ``view(batch, source, generator)``, of which :mod:`sklearn_ssl.views` says more.
    "auto" is the method's own for the modality.
passthrough : "auto" or bool, default="auto"
    Whether ``transform`` returns, beside the embedding, the preprocessed columns of a
    table: numbers scaled (those scaled by quantiles standardized too) and categories
    one-hot. They insure against an embedding that misses what matters. The mean squared
    norm of a row is 3.5 in these columns, and 0.5 * sqrt(number of columns of X) in the
    embedding. "auto" does so for tables.
output : {"last", "all_layers"}, default="last"
    Whether the embedding is the last layer of the encoder or all of them side by side
    (of VariationalAutoencoder the posterior mean, and of SwitchTab the salient part,
    or that behind all layers). "all_layers" needs an MLP or a transformer.
scaling : {"block", "standard", "l2"}, default="block"
    Of the embedding, once centred: "block" divides all its columns by one number,
    "standard" each by its own spread, "l2" each row by its L2 norm. The norm of a row
    is on average the same in each.
max_epochs : int or "auto", default="auto"
    Passes over the data. "auto" makes fewer the more rows there are; 0 leaves the
    encoder untrained, which is a baseline to show.
max_time : float or None, default=None
    Seconds of training, after which it ends wherever it is. The learning rate follows
    whichever of time and epochs is further. A fit cut by time is not repeatable.
batch_size : int or "auto", default="auto"
    Most rows a step; batches are of nearly equal size. "auto" is 256 for tables, and 64
    to 256 for images, the fewer the fewer images there are.
learning_rate : float or "auto", default="auto"
    Peak of the schedule: linear warm-up, then half a cosine. "auto" is what suits the
    encoder: 0.005 for ConvNet, 0.001 for others (BYOL, DINO, NNCLR and SimSiam: 0.001
    for all, SimCLR and SubTab: 0.003 for MLP), ten times that for SGD and 300 times for
    LARS.
weight_decay : float, default=0.0001
    Decay of matrices and kernels; biases and gains have none.
optimizer : {"adamw", "lars", "sgd"}, default="adamw"
    SGD and LARS have momentum 0.9. LARS, for large batches, scales the step of each
    matrix and kernel to their norm: its learning rates are larger.
max_grad_norm : float or None, default=None
    Norm to which gradients are clipped.
validation_fraction : float, default=0.1
    Share of the rows on which early stopping judges an epoch.
early_stopping : bool, default=False
    End when the loss on held-out rows, under a corruption that is the same each time,
    no longer improves, and keep the best weights. Of fewer than 20 rows none is held
    out.
n_iter_no_change : int, default=10
    Epochs without improvement that end the training.
tol : float, default=0.0001
    Least improvement that counts.
warm_start : bool, default=False
    Begin ``fit`` from the weights, and with the columns and statistics, of the last.
device : str, default="auto"
    "cpu", "cuda", "cuda:1", "mps" ...; "auto" takes a GPU if there is one.
precision : {"auto", "float32", "bfloat16"}, default="auto"
    Precision of training: "auto" is bfloat16 autocast where the GPU has it and float32
    elsewhere. ``transform`` and ``score`` never autocast.
n_threads : int or None, default=None
    CPU threads of a fit, at most what torch is set to. Sums depend on it: fix it for
    results that are the same bit for bit on machines with different cores.
verbose : int, default=0
    1 shows a progress bar with the loss and the spread of the embedding.
random_state : int, RandomState, Generator or None, default=None
    Determines weights, order, views and masks. ``None`` differs from fit to fit."""

FITTED_ATTRIBUTES = """\
modality_, encoder_, views_ : components
    What "auto" became, fitted.
max_epochs_, batch_size_ : int
    The number of epochs allowed, and of rows a step at most.
learning_rate_ : float
    Peak of the learning rate.
n_features_in_ : int
    Columns of a table; pixels times channels of an image.
feature_names_in_ : ndarray of str
    Column names of a DataFrame; absent otherwise.
n_iter_ : int
    Epochs run: by ``fit``, or by ``partial_fit`` since its optimizer began.
loss_curve_ : list of float
    Mean pretext loss of each of these epochs.
validation_loss_curve_ : list of float
    Loss on the held-out rows by epoch; empty without early stopping.
embedding_std_curve_ : list of float
    Spread of the embedding's directions by epoch: near 0 it has collapsed.
embedding_rank_curve_ : list of float
    Effective rank of the centred embedding by epoch: how many directions it fills.
n_parameters_ : int
    Trained parameters, heads included.
n_threads_ : int
    CPU threads of the fit.
device_ : str
    Where the fit ran."""


def insert_shared(cls):
    """Put the shared parameters and attributes into a class's docstring."""

    def own_default(match):  # a method may declare another one
        default = getattr(cls, match[1])
        default = f'"{default}"' if isinstance(default, str) else default
        return f"{match[1]} : {match[2]}, default={default}"

    parameters = re.sub(
        r"(?m)^(\w+) : (.*), default=.*$", own_default, TRAINING_PARAMETERS
    )
    if cls.__doc__:
        for mark, text in (
            ("{training_parameters}", parameters),
            ("{fitted_attributes}", FITTED_ATTRIBUTES),
        ):
            indented = text.replace("\n", "\n    ")
            cls.__doc__ = cls.__doc__.replace(mark, indented)


def is_auto(value):
    """Whether it is "auto", of whatever may stand there: arrays compare otherwise."""
    return isinstance(value, str) and value == "auto"


def unless_auto(value, default):
    """`value`, or `default` where it is "auto"."""
    return default if is_auto(value) else value


def check_number(name, value, kind, low, high=None, *, strict=False, words=()):
    """Check a numeric parameter.

    Parameters
    ----------
    name : str
    value : object
    kind : {Integral, Real}
    low, high : number or None
        Bounds, within which `value` must lie.
    strict : bool
        Whether `value` must be above `low` and below `high`.
    words : tuple
        Values that are valid besides, e.g. ``("auto",)`` or ``(None,)``.

    Raises
    ------
    ValueError
        If `value` is of another type, not finite or out of bounds.
    """
    if (value is None or isinstance(value, str)) and value in words:
        return
    ok = isinstance(value, kind) and not isinstance(value, bool | np.bool_)
    ok = ok and (isinstance(value, Integral) or np.isfinite(value))
    if ok and strict:
        ok = value > low and (high is None or value < high)
    elif ok:
        ok = value >= low and (high is None or value <= high)
    if not ok:
        noun = "an int" if kind is Integral else "a number"
        bound = f"above {low}" if strict else f"of at least {low}"
        if high is not None:
            bound += f" and {'below' if strict else 'at most'} {high}"
        other = "".join(f" or {word!r}" for word in words)
        raise ValueError(f"{name} must be {noun} {bound}{other}, got {value!r}.")


def check_option(name, value, options):
    """Check a parameter that names one of a few options.

    Raises
    ------
    ValueError
        If `value` is none of `options`.
    """
    if value not in options:
        raise ValueError(f"{name} must be one of {list(options)}, got {value!r}.")


def check_is_instance(name, value):
    """Check that a component was not passed as a class.

    A subclass of ``nn.Module`` is the factory of a network, as are functions.

    Raises
    ------
    TypeError
        If `value` is the class of a component.
    """
    is_component = hasattr(value, "get_params") and not hasattr(value, "state_dict")
    if isinstance(value, type) and is_component:
        cls = value.__name__
        raise TypeError(
            f"{name} must not be a class, got {cls}. Pass an instance: {name}={cls}()."
        )


def check_components(est, params):
    """Check that parameters of components are set where there is a component.

    Raises
    ------
    ValueError
        If one is of a component that is a name, such as "auto".
    """
    for key in params:
        name, _, inner = key.partition("__")
        value = params.get(name, getattr(est, name, None))
        if inner and name in _COMPONENTS and isinstance(value, str):
            raise ValueError(
                f"{key} is a parameter of {name}, which is {value!r}. Pass a component "
                f"first, such as {name}={_COMPONENTS[name]}."
            )


def check_training_parameters(est):
    """Check the parameters that all methods share.

    Raises
    ------
    ValueError, TypeError
    """
    for name in _COMPONENTS:
        check_is_instance(name, getattr(est, name))
    check_number("max_epochs", est.max_epochs, Integral, 0, words=("auto",))
    check_number("max_time", est.max_time, Real, 0, strict=True, words=(None,))
    check_number("batch_size", est.batch_size, Integral, 2, words=("auto",))
    rate = est.learning_rate
    check_number("learning_rate", rate, Real, 0, strict=True, words=("auto",))
    check_number("weight_decay", est.weight_decay, Real, 0)
    norm = est.max_grad_norm
    check_number("max_grad_norm", norm, Real, 0, strict=True, words=(None,))
    share = est.validation_fraction
    check_number("validation_fraction", share, Real, 0, 1, strict=True)
    check_number("n_iter_no_change", est.n_iter_no_change, Integral, 1)
    check_number("tol", est.tol, Real, 0)
    check_number("n_threads", est.n_threads, Integral, 1, words=(None,))
    check_option("early_stopping", est.early_stopping, (True, False))
    check_option("warm_start", est.warm_start, (True, False))
    check_verbose(est.verbose)
    if not isinstance(est.random_state, np.random.RandomState | np.random.Generator):
        check_number("random_state", est.random_state, Integral, 0, words=(None,))
    check_option("passthrough", est.passthrough, ("auto", True, False))
    check_option("output", est.output, ("last", "all_layers"))
    check_option("scaling", est.scaling, ("block", "standard", "l2"))
    check_option("optimizer", est.optimizer, ("adamw", "lars", "sgd"))
    check_option("precision", est.precision, ("auto", "float32", "bfloat16"))


def check_verbose(verbose):
    """Check that it is a number, which may be a bool.

    Raises
    ------
    ValueError
    """
    if not isinstance(verbose, Integral | np.bool_) or verbose < 0:
        raise ValueError(f"verbose must be an int of at least 0, got {verbose!r}.")


def count_held_out(estimator, n_rows):
    """How many of the rows early stopping holds out."""
    if not estimator.early_stopping or n_rows < _MIN_ROWS_TO_HOLD_OUT:
        return 0
    return min(max(round(estimator.validation_fraction * n_rows), 2), n_rows - 2)


def without_encoder(estimator):
    """A clone that shares no encoder, of which a module would be copied."""
    params = estimator.get_params(deep=False) | {"encoder": "auto"}
    return type(estimator)(**{k: clone(v, safe=False) for k, v in params.items()})
