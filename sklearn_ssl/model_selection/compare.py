"""Representations side by side, under one classifier, with the noise."""

import copy
from numbers import Integral, Real

import numpy as np
from scipy import stats
from sklearn.base import clone, is_classifier
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.utils import Bunch
from sklearn.utils._optional_dependencies import check_pandas_support

from sklearn_ssl._candidates import (
    RAW,
    EmbeddingAlone,
    beside_raw,
    by_name,
    check_methods,
    default_judge,
    raw_like,
    reads_table,
    rehearse,
    warn_of_rare_classes,
)
from sklearn_ssl._labels import (
    marker_of_targets,
    one_column,
    take_labelled,
    uses_labels,
)
from sklearn_ssl._paired import corrected_error
from sklearn_ssl._parameters import check_number
from sklearn_ssl.base import SSLTransformer
from sklearn_ssl.model_selection.curve import label_efficiency_curve, resolve_splitter

_PCA, _UNTRAINED = "PCA", "untrained"
_VARIANCE = 0.95  # that PCA keeps


def compare_representations(
    methods,
    X,
    y,
    *,
    classifier=None,
    train_size=None,
    groups=None,
    cv=5,
    scoring=None,
    n_draws=20,
    alpha=0.05,
    n_jobs=None,
    verbose=0,
    random_state=None,
):
    """Say which representation to use, and whether it is better by more than noise.

    Cross-validates under one classifier: the raw columns (or pixels), their principal
    components, an untrained encoder, each method's embedding and, of tables, each of
    these two beside the raw columns. In each fold, a method is pretrained once, on all
    training rows without labels.

    Parameters
    ----------
    methods : list or dict of transformers
        Named by the keys, or by their classes. Of a method of this package both the
        embedding alone and that beside the columns of a table are tried, whatever its
        ``passthrough``; other transformers are tried as they are. The raw columns are
        preprocessed as the first method's ``modality`` says, and the untrained encoder
        is that of the first method.
    X : array-like, DataFrame or list of n rows
    y : array-like of shape (n,)
        Labels or targets. Rows that are marked as unlabelled pretrain and are never
        scored, as in :func:`label_efficiency_curve`.
    classifier : classifier, regressor or None, default=None
        Fitted on each representation. ``None`` stands for
        ``LogisticRegression(max_iter=1000)``, of floats that are not all whole for
        ``Ridge()``.
    train_size : int, float or None, default=None
        Labelled rows that it is shown, or their share of those in the smallest fold.
        Let it be the number that you will have. ``None``: as many as that has.
    groups : array-like of shape (n,) or None, default=None
        For a `cv` that splits by groups.
    cv : int or splitter, default=5
        As in :class:`UnlabeledSplit`, or one. More folds, or repeated ones, lower the
        noise, and each pretrains all methods anew.
    scoring : str, callable or None, default=None
        As in scikit-learn; ``None`` is the classifier's own score.
    n_draws : int, default=20
        Draws, in each fold, of the rows that are shown, whose scores are averaged: with
        few labels, which ones they are makes much of the noise. With
        ``train_size=None`` there is one.
    alpha : float, default=0.05
        The chance at which noise alone makes any of the differences exceed it
        (family-wise error rate).
    n_jobs : int or None, default=None
        Folds and methods that run at once.
    verbose : int, default=0
        Verbosity of joblib.
    random_state : int, RandomState or None, default=None
        Determines the rows that are shown, which are the same for all. Methods have
        random states of their own.

    Returns
    -------
    comparison : Bunch
        With the method ``as_frame()``, which returns all this as a DataFrame, and the
        attributes, of which dicts have the names "raw", "PCA", "untrained", of each
        method, and "raw + ..." of what is beside the raw columns:

        best : str
            Which to use: of those that are better than raw by more than noise, the one
            with the highest mean score; else "raw".
        verdict : str
            The same as a sentence, with the numbers.
        test_scores : dict of str to ndarray of shape (n_folds,)
        test_scores_mean, test_scores_std : dict of str to float
            Over folds.
        differences : dict of str to ndarray of shape (n_folds,)
            Score minus that of raw in the same fold.
        gains : dict of str to float
            Mean difference.
        noise : dict of str to float
            What a gain must exceed, in size, not to be noise; NaN where a gain is the
            same in each fold, as accuracies of few rows may be.
        p_values : dict of str to float
            Below `alpha` if the gain exceeds the noise, either way.
        pretrain_times : dict of str to float
            Mean seconds of a fold.
        estimators : dict of str to Pipeline
            Representation and classifier, unfitted.
        train_size : int
            Labelled rows that were shown.
        score_name : str
            What the score is called.

    Raises
    ------
    TypeError, ValueError
        If a parameter is unfit, if two representations have one name, or if there are
        fewer than two folds.

    See Also
    --------
    sklearn_ssl.AutoSSL : Chooses inside a Pipeline.
    sklearn_ssl.inspection.RepresentationDisplay : The comparison as a picture.
    label_efficiency_curve : Scores by the number of labels.

    Notes
    -----
    The noise is Student's t times the standard error of [1]_, which allows for training
    sets that overlap: ``sqrt((1 / n_folds + n_test / n_train) * s**2)``, with the
    variance s**2 of the differences over folds. `n_train` counts the labelled rows from
    which those that are shown are drawn: drawing fewer makes folds no more alike. As
    several are compared with raw, and the best is named, `alpha` is divided by their
    number (Bonferroni).

    References
    ----------
    .. [1] C. Nadeau, Y. Bengio, "Inference for the Generalization Error", Machine
       Learning 52, 2003. https://doi.org/10.1023/A:1024068626366

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_ssl import SCARF
    >>> from sklearn_ssl.model_selection import compare_representations
    >>> X, y = load_wine(return_X_y=True)
    >>> comparison = compare_representations(
    ...     [SCARF(max_epochs=2)], X, y, train_size=15, n_draws=2, random_state=0
    ... )
    >>> list(comparison.gains)
    ['PCA', 'untrained', 'raw + untrained', 'SCARF', 'raw + SCARF']
    >>> comparison.verdict.startswith(f"Use {comparison.best!r}: ")
    True
    """
    check_number("n_draws", n_draws, Integral, 1)
    check_number("alpha", alpha, Real, 0, 1, strict=True)
    if train_size is not None:
        check_number("train_size", train_size, Real, 0, strict=True)
        if not isinstance(train_size, Integral) and train_size > 1:
            raise ValueError(
                "train_size as a float is a share of the labels and must be at most 1, "
                f"got {train_size!r}. Pass an int for a number of labels."
            )
    y = one_column(y)
    is_default = classifier is None
    classifier = default_judge(y) if is_default else classifier
    cv = resolve_splitter(cv, is_classifier(classifier))
    n_folds = sum(1 for _ in copy.deepcopy(cv).split(X, y, groups))
    if n_folds < 2:
        raise ValueError(f"Noise is estimated from two folds or more, got {n_folds}.")
    if is_default:
        _, labels = take_labelled(y, marker_of_targets(y))
        _, counts = np.unique(labels, return_counts=True)
        n_judged = counts[counts >= n_folds].sum()
        warn_of_rare_classes(labels, n_judged, "classifier", stacklevel=2)
    estimators, shared = _representations(methods, X, classifier)
    curve = label_efficiency_curve(
        shared,
        X,
        y,
        groups=groups,
        train_sizes=[1.0 if train_size is None else train_size],
        cv=cv,
        scoring=scoring,
        n_draws=1 if train_size is None else n_draws,
        n_jobs=n_jobs,
        verbose=verbose,
        random_state=random_state,
    )
    scores = {
        name: values.reshape(n_folds, -1).mean(axis=1)
        for name, values in curve.test_scores.items()
    }
    comparison = Comparison(
        test_scores=scores,
        test_scores_mean={name: float(s.mean()) for name, s in scores.items()},
        test_scores_std={name: float(s.std()) for name, s in scores.items()},
        pretrain_times={n: float(t.mean()) for n, t in curve.pretrain_times.items()},
        estimators=estimators,
        train_size=int(curve.train_sizes[0]),
        score_name=curve.score_name,
        **_paired_test(scores, curve.n_labeled, curve.n_test, alpha),
    )
    comparison.best, comparison.verdict = _decide(comparison)
    return comparison


class Comparison(Bunch):
    """What :func:`compare_representations` returns."""

    def as_frame(self):
        """Return a DataFrame with a row for each representation, the best score first.

        Returns
        -------
        frame : DataFrame
            Mean and standard deviation of the score, and the gain over raw: its size,
            the noise, its p-value, and whether it exceeds the noise either way.
        """
        pd = check_pandas_support("Comparison.as_frame")
        frame = pd.DataFrame(
            {
                "mean": self.test_scores_mean,
                "std": self.test_scores_std,
                "gain": self.gains,
                "noise": self.noise,
                "p_value": self.p_values,
                "seconds": self.pretrain_times,
            },
            index=list(self.test_scores),
        )
        exceeds = frame["gain"].abs() > frame["noise"]
        frame.insert(5, "exceeds_noise", exceeds)
        return frame.sort_values("mean", ascending=False, kind="stable")


# What is compared ---------------------------------------------------------------------


def _representations(methods, X, classifier):
    """Pipelines to hand out, and the same to score, which share pretrainings."""
    methods = by_name(methods, (RAW, _PCA, _UNTRAINED))
    check_methods(methods)
    for name, method in methods.items():
        if uses_labels(method):
            raise ValueError(
                f"{name!r} uses labels, and methods are pretrained without them here. "
                "Compare transformers that use none."
            )
    raw = raw_like(methods)
    clone(raw)._read_training_rows(X, None)  # what is wrong with X is no method's fault
    rehearse(methods, X)
    pca = make_pipeline(clone(raw), PCA(_VARIANCE, svd_solver="full"), classifier)
    estimators = {RAW: make_pipeline(raw, classifier), _PCA: pca}
    shared = dict(estimators)
    ours = [method for method in methods.values() if isinstance(method, SSLTransformer)]
    untrained = {_UNTRAINED: clone(ours[0]).set_params(max_epochs=0)} if ours else {}
    for name, method in (untrained | methods).items():
        if not (isinstance(method, SSLTransformer) and reads_table(method, X)):
            estimators[name] = shared[name] = make_pipeline(method, classifier)
            continue
        alone, beside = (
            clone(method).set_params(passthrough=value) for value in (False, True)
        )
        both = beside_raw(name)
        estimators[name] = make_pipeline(alone, classifier)
        estimators[both] = shared[both] = make_pipeline(beside, classifier)
        last = make_pipeline(EmbeddingAlone(), classifier)
        shared[name] = make_pipeline(beside, last)
    return estimators, {name: shared[name] for name in estimators}


# Is it noise? -------------------------------------------------------------------------


def _paired_test(scores, n_train, n_test, alpha):
    """Differences to raw, and what they would be by noise."""
    others = [name for name in scores if name != RAW]
    differences = {name: scores[name] - scores[RAW] for name in others}
    gains = {name: float(differences[name].mean()) for name in others}
    share = np.mean(np.divide(n_test, n_train))
    errors = {name: _error(differences[name], share) for name in others}
    t = stats.t(len(scores[RAW]) - 1)
    limit = t.isf(alpha / 2 / len(others))
    return dict(
        differences=differences,
        gains=gains,
        noise={name: float(limit * errors[name]) for name in others},
        p_values={
            name: float(
                np.minimum(1, len(others) * _p_value(gains[name], errors[name], t))
            )
            for name in others
        },
    )


def _error(differences, share):
    # Scores of few rows are coarse. If they differ by the same in each fold, and it is
    # not 0, that is chance: a variance of 0 is no estimate of the noise.
    if np.any(differences) and np.ptp(differences) < 1e-9:
        return np.nan
    return corrected_error(differences, 1, share)


def _p_value(gain, error, t):
    if error == 0:
        return 1.0
    return float(2 * t.sf(abs(gain) / error))


def _decide(comparison):
    """The representation to use, and a sentence that says why."""
    mean, gains, noise = (comparison[k] for k in ("test_scores_mean", "gains", "noise"))
    better = [name for name in gains if gains[name] > noise[name]]
    best = max(better or [RAW], key=mean.get)
    labels = f"{comparison.score_name} at {comparison.train_size} labels"
    if best != RAW:
        reason = (
            f"{labels} is {mean[best]:.3f}, {gains[best]:+.3f} over raw, which exceeds "
            f"the noise of {noise[best]:.3f}."
        )
        return best, f"Use {best!r}: {reason}"
    other = max(gains, key=gains.get)
    reason = f"{labels} is {mean[RAW]:.3f}, and none of the others scores higher."
    if gains[other] > 0:
        within = f"within the noise of {noise[other]:.3f}"
        if np.isnan(noise[other]):
            within = "the same in each fold, which says nothing of the noise"
        reason = (
            f"{labels} is {mean[RAW]:.3f}. The best of the others, {other!r}, gains "
            f"{gains[other]:+.3f}, {within}. More folds or draws would tell more."
        )
    return RAW, f"Use {RAW!r}: {reason}"
