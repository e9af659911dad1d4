"""Differences of scores that are paired over folds."""

import numpy as np


def corrected_error(differences, n_train, n_test):
    """Standard error of a mean difference over folds whose training sets overlap.

    ``sqrt((1 / n_folds + n_test / n_train) * s**2)``, with the variance s**2 of the
    differences over folds: that of independent folds would be ``s**2 / n_folds``, which
    more folds of the same rows make as small as one likes [1]_. The ratio of a mean
    to this error is compared with Student's t of ``n_folds - 1`` degrees of freedom,
    for repeated cross-validation too [2]_.

    Parameters
    ----------
    differences : array-like of shape (n_folds,)
        Of two folds or more.
    n_train, n_test : float
        Rows of which a fold trains and tests.

    Returns
    -------
    error : float

    References
    ----------
    .. [1] C. Nadeau, Y. Bengio, "Inference for the Generalization Error", Machine
       Learning 52, 2003. https://doi.org/10.1023/A:1024068626366
    .. [2] R. R. Bouckaert, E. Frank, "Evaluating the Replicability of Significance
       Tests for Comparing Learning Algorithms", PAKDD 2004.
       https://doi.org/10.1007/978-3-540-24775-3_3
    """
    n_folds = len(differences)
    variance = np.var(differences, ddof=1)
    return float(np.sqrt((1 / n_folds + n_test / n_train) * variance))
