"""The progress bar of ``verbose=1``."""

from tqdm.auto import tqdm


def progress_bar(name, n_steps, verbose):
    """One bar over the optimizer steps of a fit; a silent one if not `verbose`.

    Parameters
    ----------
    name : str
    n_steps : int
    verbose : int

    Returns
    -------
    bar : tqdm
        A context manager.
    """
    silent = not (verbose and n_steps)
    return tqdm(total=n_steps, desc=name, unit="step", disable=silent)
