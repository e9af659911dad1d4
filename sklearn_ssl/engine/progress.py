"""The progress bar of ``verbose=1``."""

from contextlib import contextmanager


class _NoBar:
    def update(self):
        pass

    def set_postfix(self, **figures):
        pass


@contextmanager
def progress_bar(name, n_steps, verbose):
    """One bar over the optimizer steps of a fit; nothing at all if not `verbose`."""
    if not verbose:
        yield _NoBar()
        return
    from tqdm.auto import tqdm

    with tqdm(total=n_steps, desc=name, unit="step", leave=True) as bar:
        yield bar
