"""Pretraining that is kept, by the content of the transformer and the rows."""

from pickle import PicklingError
from warnings import warn

from joblib.hashing import NumpyHasher


def pretrain(transformer, X, y, memory):
    """Fit a transformer, or load one that was fitted alike.

    Parameters
    ----------
    transformer : transformer
        Unfitted; fitted in place if it is not loaded.
    X : array-like, DataFrame or list of images
    y : ndarray or None
        Labels, if it uses them.
    memory : joblib.Memory or what has its interface
    """
    if getattr(memory, "location", memory) is None:
        return _fit(transformer, X, y)
    try:
        key = content_hash(transformer)
    except (PicklingError, AttributeError, TypeError) as error:
        warn(
            f"memory is not used: {error.args[0]}. Make what the transformer holds "
            "picklable: a function, for instance, that has a name in a module.",
            UserWarning,
            stacklevel=2,
        )
        return _fit(transformer, X, y)
    return memory.cache(_fit, ignore=["transformer"])(transformer, X, y, key)


def content_hash(transformer):
    """A hash that is the same for equal parameters, torch modules among them.

    Of other versions it is another: they may train other weights.
    """
    import torch

    from sklearn_ssl import __version__

    versions = __version__, torch.__version__
    return _ContentHasher("md5").hash((transformer, versions))


def _fit(transformer, X, y, key=None):
    return transformer.fit(X) if y is None else transformer.fit(X, y)


class _ContentHasher(NumpyHasher):
    """Hashes tensors by their values; as joblib sees them, no two copies are alike."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._numbers = {}  # a layer that is used twice differs from two equal ones

    def save(self, obj):
        if _is_tensor(obj):
            number = self._numbers.setdefault(id(obj), len(self._numbers))
            about = number, str(obj.dtype), tuple(obj.shape), obj.requires_grad
            obj = *about, _bytes_of(obj)
        super().save(obj)


def _is_tensor(obj):
    if not hasattr(obj, "requires_grad"):
        return False
    import torch  # late: `import sklearn_ssl` does without

    return isinstance(obj, torch.Tensor)


def _bytes_of(tensor):
    import torch

    return tensor.detach().cpu().flatten().contiguous().view(torch.uint8).numpy()
