"""Score against the number of labels."""

import copy
import time
from collections.abc import Mapping
from numbers import Integral

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import check_scoring
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils import Bunch, _safe_indexing, check_random_state, indexable
from sklearn.utils.parallel import Parallel, delayed

from sklearn_ssl._candidates import EmbeddingAlone
from sklearn_ssl._labels import inside, take_labels, uses_labels
from sklearn_ssl._parameters import check_number, unless_auto
from sklearn_ssl.base import SSLTransformer
from sklearn_ssl.model_selection.draws import check_sizes, nested_draw
from sklearn_ssl.model_selection.hiding import fit_partly
from sklearn_ssl.model_selection.split import UnlabeledSplit
from sklearn_ssl.semi_supervised import SSLClassifier, SSLRegressor

_OURS = SSLClassifier, SSLRegressor


def label_efficiency_curve(
    estimators,
    X,
    y,
    *,
    groups=None,
    train_sizes="auto",
    cv=5,
    scoring=None,
    n_draws=1,
    n_jobs=None,
    verbose=0,
    random_state=None,
):
    """Score estimators by the number of labels that they may see.

    In each fold, all steps of a Pipeline but the last are fitted once, on all training
    rows without labels, whatever the number of sizes; then the last step is fitted at
    each size on that many labelled rows and scored on the test rows. Estimators that
    have the same objects before the last step share their fit.

    Parameters
    ----------
    estimators : dict of str to estimator
        Pipelines whose last step is a classifier or regressor, or one of these alone.
        A last step that learns from unlabelled rows too
        (:class:`~sklearn_ssl.semi_supervised.SSLClassifier` and ``SSLRegressor``, whose
        transformer is pretrained once a fold as well, and
        :class:`~sklearn.semi_supervised.SelfTrainingClassifier`, ``LabelSpreading`` and
        ``LabelPropagation``) is given all training rows and the labels of some, the
        others marked as it expects, whatever its parameter ``unlabeled`` says.
    X : array-like, DataFrame or list of n rows
    y : array-like of shape (n,)
        Labels or targets. Rows that are marked as unlabelled are in every training set
        and never scored. `cv` says what marks them: for other marks than "auto" takes
        for one, and for classes of which one is -1, pass :class:`UnlabeledSplit`. Of
        targets, "auto" takes NaN alone for a mark.
    groups : array-like of shape (n,) or None, default=None
        For a `cv` that splits by groups.
    train_sizes : array-like or "auto", default="auto"
        Numbers of labelled rows, as ints, or shares of the most that a fold has, as
        floats. "auto" is six of equal ratios, from two a class (10 in regression) to
        all.
    cv : int or splitter, default=5
        As in :class:`UnlabeledSplit`, or one. An int never stratifies a regression.
    scoring : str, callable or None, default=None
        As in scikit-learn; ``None`` is the estimators' own score.
    n_draws : int, default=1
        Draws of the labelled rows in each fold. With few labels, which ones they are
        makes much of the spread.
    n_jobs : int or None, default=None
        Folds and estimators that run at once.
    verbose : int, default=0
        Verbosity of joblib.
    random_state : int, RandomState or None, default=None
        Determines the labelled rows. They are the same for all estimators; each size
        contains the smaller ones; and classes have the shares that they have in the
        fold, but at least one row.

    Returns
    -------
    curve : Bunch
        With the attributes

        train_sizes : ndarray of int, shape (n_sizes,)
            Numbers of labelled rows.
        test_scores : dict of str to ndarray of shape (n_sizes, n_folds * n_draws)
            Scores by estimator; the draws of a fold are neighbours.
        test_scores_mean, test_scores_std : dict of str to ndarray of shape (n_sizes,)
            Mean and standard deviation over folds and draws.
        pretrain_times : dict of str to ndarray of shape (n_folds,)
            Seconds of fitting the steps before the last; of reading them, where a
            ``memory`` has kept them.
        fit_times : dict of str to ndarray of shape (n_sizes, n_folds * n_draws)
            Seconds of fitting the last step.
        n_labeled, n_test : ndarray of int, shape (n_folds,)
            Rows with a label that each fold trains and tests on, at most.
        score_name : str
            What the score is called.

    Raises
    ------
    ValueError, TypeError
        If `estimators` is no dict, if a last step such as ``GridSearchCV`` would
        pretrain inside, if a step such as ``AutoSSL`` needs labels, or if a size has
        too few labels for one a class or more than a fold has.

    See Also
    --------
    labels_saved : How many labels the better curve saves.
    sklearn_ssl.inspection.LabelEfficiencyDisplay : The curve as a picture.
    sklearn.model_selection.learning_curve : Fits the whole pipeline at each size.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_ssl import SCARF
    >>> from sklearn_ssl.model_selection import label_efficiency_curve
    >>> X, y = load_wine(return_X_y=True)
    >>> estimators = {
    ...     "raw": make_pipeline(StandardScaler(), LogisticRegression()),
    ...     "SCARF": make_pipeline(SCARF(max_epochs=2), LogisticRegression()),
    ... }
    >>> curve = label_efficiency_curve(
    ...     estimators, X, y, train_sizes=[6, 15, 30], cv=2, random_state=0
    ... )
    >>> curve.test_scores["SCARF"].shape
    (3, 2)
    """
    estimators = _check_estimators(estimators)
    check_number("n_draws", n_draws, Integral, 1)
    if not (scoring is None or isinstance(scoring, str) or callable(scoring)):
        raise TypeError(f"scoring must be a name, a scorer or None, got {scoring!r}.")
    X, y, groups = indexable(X, y, groups)
    stratify = is_classifier(_last_step(next(iter(estimators.values()))))
    splitter = resolve_splitter(cv, stratify)
    labeled = splitter._find_labeled(y)
    folds = list(splitter.split(X, y, groups))
    labels = [take_labels(y, train[labeled[train]]) for train, _ in folds]
    sizes = check_sizes(train_sizes, labels, stratify)
    rng = check_random_state(random_state)
    draws = [
        [nested_draw(fold, rng, stratify) for _ in range(n_draws)] for fold in labels
    ]
    steps = {name: _first_steps(estimator) for name, estimator in estimators.items()}
    results = Parallel(n_jobs=n_jobs, verbose=verbose)(
        delayed(_score_family)(
            {name: _last_step(estimators[name]) for name in names},
            steps[names[0]],
            *(_safe_indexing(X, rows) for rows in (train, test)),
            np.asarray(y)[train],
            take_labels(y, test),
            [np.flatnonzero(labeled[train])[order] for order in orders],
            sizes,
            scoring,
        )
        for (train, test), orders in zip(folds, draws, strict=True)
        for names in _families(steps)
    )
    curve = _collect(list(estimators), results, sizes)
    curve.n_labeled = np.array([len(fold) for fold in labels])
    curve.n_test = np.array([len(test) for _, test in folds])
    curve.score_name = _score_name(scoring, stratify)
    return curve


def resolve_splitter(cv, classify):
    """The splitter of rows partly labelled that ``cv`` stands for."""
    cv = 5 if cv is None else cv
    splitter = copy.copy(cv) if isinstance(cv, UnlabeledSplit) else UnlabeledSplit(cv)
    if not classify:
        if isinstance(splitter.cv, Integral):
            splitter.cv = KFold(splitter.cv)
        splitter.unlabeled = unless_auto(splitter.unlabeled, np.nan)
    return splitter


# Parts of an estimator ----------------------------------------------------------------


def _check_estimators(estimators):
    if not isinstance(estimators, Mapping) or not estimators:
        raise TypeError(
            "estimators must be a dict of names and estimators, got "
            f"{type(estimators).__name__}."
        )
    kinds = {is_classifier(_last_step(e)) for e in estimators.values()}
    if len(kinds) > 1:
        raise ValueError("estimators mixes classifiers with others: score these apart.")
    for name, estimator in estimators.items():
        if any(map(uses_labels, _first_steps(estimator) or ())):
            raise ValueError(
                f"A step of {name!r} uses labels, and all steps but the last are "
                "fitted without them. Compare transformers that use none."
            )
        final = _last_step(estimator)
        if _pretrains(final.estimator if isinstance(final, _OURS) else final):
            raise ValueError(
                f"The last step of {name!r}, {type(final).__name__}, would pretrain "
                "anew at each size, on its labelled rows alone. Put what pretrains "
                "outside: SSLClassifier(transformer, GridSearchCV(...)) or "
                "make_pipeline(transformer, GridSearchCV(...))."
            )
    return dict(estimators)


def _pretrains(part):
    """Whether a method that is not frozen is this, or anywhere inside."""
    return any(isinstance(one, (SSLTransformer, *_OURS)) for one in inside(part))


def _last_step(estimator):
    return estimator[-1] if isinstance(estimator, Pipeline) else estimator


def _first_steps(estimator):
    """A Pipeline of what is fitted without labels, "passthrough" last, or None."""
    final, steps, memory, verbose = _last_step(estimator), [], None, False
    if isinstance(estimator, Pipeline):
        steps = [step for _, step in estimator.steps[:-1]]
        memory, verbose = estimator.memory, estimator.verbose
    if isinstance(final, _OURS):
        seeded = final.random_state is not None
        transformer = final.transformer
        steps.append(final._seeded(transformer) if seeded else transformer)
        memory = final.memory if memory is None else memory
    if not steps:
        return None
    # A Pipeline's memory keeps all steps but the last.
    return make_pipeline(*steps, "passthrough", memory=memory, verbose=verbose)


def _families(steps):
    """Names of the estimators that have the same objects as first steps."""
    families = {}
    for name, pipeline in steps.items():
        key = () if pipeline is None else tuple(id(step) for _, step in pipeline.steps)
        families.setdefault(key, []).append(name)
    return list(families.values())


# One fold -----------------------------------------------------------------------------


def _score_family(finals, steps, X, X_test, y, y_test, orders, sizes, scoring):
    """Scores and seconds of estimators that share what comes before their last step.

    Returns
    -------
    results : dict of str to (scores, fit_times, seconds of the first steps)
        The first two of shape (n_sizes, n_draws).
    """
    seconds, Z, Z_test = 0.0, X, X_test
    if steps is not None:
        started = time.perf_counter()
        steps = clone(steps)
        Z = steps.fit_transform(X)
        seconds = time.perf_counter() - started
        Z_test = steps.transform(X_test)
    results = {}
    for name, final in finals.items():
        train, test = Z, Z_test
        if isinstance(final, _OURS):  # takes what the pretrained transformer takes
            final = clone(final).set_params(transformer=FrozenEstimator(steps[-2]))
            if len(steps) > 2:
                train, test = (steps[:-2].transform(part) for part in (X, X_test))
            else:
                train, test = X, X_test
        if isinstance(final, Pipeline) and isinstance(final[0], EmbeddingAlone):
            train, test = (EmbeddingAlone.cut(steps[-2], part) for part in (Z, Z_test))
            final = final[1]
        scorer = check_scoring(final, scoring)
        scores, fit_times = np.empty((2, len(sizes), len(orders)))
        for i, size in enumerate(sizes):
            for j, order in enumerate(orders):
                started = time.perf_counter()
                fitted = fit_partly(clone(final), train, y, np.sort(order[:size]))
                fit_times[i, j] = time.perf_counter() - started
                scores[i, j] = scorer(fitted, test, y_test)
        results[name] = scores, fit_times, seconds
    return results


def _collect(names, results, sizes):
    scores, fit_times, pretrain_times = (
        {name: [part[name][k] for part in results if name in part] for name in names}
        for k in range(3)
    )
    scores = {name: np.hstack(parts) for name, parts in scores.items()}
    return Bunch(
        train_sizes=sizes,
        test_scores=scores,
        test_scores_mean={name: s.mean(axis=1) for name, s in scores.items()},
        test_scores_std={name: s.std(axis=1) for name, s in scores.items()},
        pretrain_times={name: np.array(t) for name, t in pretrain_times.items()},
        fit_times={name: np.hstack(t) for name, t in fit_times.items()},
    )


def _score_name(scoring, classify):
    if scoring is None:
        return "Accuracy" if classify else "R2"
    function = getattr(scoring, "_score_func", scoring)  # of make_scorer
    name = getattr(function, "__name__", str(function)).replace("_", " ")
    if getattr(scoring, "_sign", 1) < 0:
        name = f"neg {name}"
    if name.startswith("neg "):
        name = f"negative {name[4:]}"
    return (name[:1].upper() + name[1:]).replace("Roc auc", "ROC AUC")
