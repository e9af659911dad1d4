"""What a fit finds and leaves as it was: threads, torch's defaults, and itself."""

import threading
from contextlib import contextmanager

_lock = threading.Lock()
_fits = 0
_found = None


@contextmanager
def pinned_threads(n_threads):
    """Compute with `n_threads` threads inside the block, never more than were found.

    ``torch.set_num_threads`` sets the calling thread and the default of threads to
    come. Fits that overlap would therefore take one another's pin for the value to
    restore: the first to enter notes what it found, all restore that.

    Parameters
    ----------
    n_threads : int or None
        ``None`` stands for the number found.

    Yields
    ------
    n_threads : int
        The number in use.
    """
    import torch  # late: `import sklearn_ssl` does without

    global _fits, _found
    with _lock:
        # Asked each time: at a thread's first question, or first computation, torch
        # gives it the number that was last set anywhere, in place of its own pin.
        present = torch.get_num_threads()
        if _fits == 0:
            _found = present
        _fits += 1
        found = _found
        used = min(n_threads or found, found)
        torch.set_num_threads(used)
    try:
        yield used
    finally:
        with _lock:
            _fits -= 1
            torch.set_num_threads(found)


@contextmanager
def made_on_cpu():
    """Make tensors on the CPU, also after a ``torch.set_default_device``.

    What belongs elsewhere is moved there, or made there, by name.
    """
    import torch

    if torch.get_default_device().type == "cpu":
        yield  # without the mode, which every call of torch passes through
    else:
        with torch.device("cpu"):
            yield


@contextmanager
def unchanged_on_error(estimator):
    """Give the estimator its attributes back if the block raises."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise
