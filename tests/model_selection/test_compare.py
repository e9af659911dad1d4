"""Representations side by side: what is fitted, and what exceeds the noise."""

import warnings
from statistics import mean, stdev

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.datasets import load_diabetes, load_wine
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss, make_scorer
from sklearn.model_selection import (
    KFold,
    LeaveOneGroupOut,
    RepeatedStratifiedKFold,
    ShuffleSplit,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.utils import Bunch

from sklearn_ssl import SCARF, AutoSSL, MaskedFeatures, SimCLR
from sklearn_ssl._candidates import RawFeatures
from sklearn_ssl._paired import corrected_error
from sklearn_ssl.model_selection import UnlabeledSplit, compare_representations
from sklearn_ssl.model_selection.compare import _decide
from sklearn_ssl.views import Corruption
from tests.helpers import make, make_data

TABLE = ["raw", "PCA", "untrained", "raw + untrained", "SCARF", "raw + SCARF"]


class Noise(TransformerMixin, BaseEstimator):
    """Random features, whatever the row."""

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        return np.random.default_rng(0).normal(size=(len(X), 5))


class Product(Noise):
    """What the first two columns tell together, and neither alone."""

    def transform(self, X):
        return 10 * X[:, :1] * X[:, 1:2]


class Spy(Noise):
    """Notes the rows of each fit, and whether labels came along."""

    fits = []

    def fit(self, X, y=None):
        Spy.fits.append((len(X), y is not None))
        return super().fit(X)


@pytest.fixture(scope="module")
def wine():
    return load_wine(return_X_y=True)


@pytest.fixture(scope="module")
def xor():
    X = np.random.default_rng(0).normal(size=(200, 4))
    return X, (X[:, 0] * X[:, 1] > 0).astype(int)


@pytest.fixture(scope="module")
def comparison(wine):
    return compare_representations(
        [make(SCARF)], *wine, train_size=20, cv=3, n_draws=2, random_state=0
    )


# The noise ----------------------------------------------------------------------------


@pytest.mark.parametrize("n_folds, n_train, n_test", [(2, 89, 89), (10, 160, 18)])
def test_corrected_error(n_folds, n_train, n_test):
    differences = np.random.default_rng(0).normal(0.1, 1, n_folds).tolist()
    expected = stdev(differences) * (1 / n_folds + n_test / n_train) ** 0.5
    assert corrected_error(differences, n_train, n_test) == pytest.approx(expected)
    # Test sets of no size leave the ordinary paired test.
    t = mean(differences) / corrected_error(differences, 1, 0)
    assert t == pytest.approx(stats.ttest_1samp(differences, 0).statistic)


def test_corrected_error_keeps_its_level():
    """Scores of overlapping folds correlate as the share of rows that is tested."""
    rng = np.random.default_rng(0)
    n_folds, share = 5, 1 / 5
    common = rng.normal(size=(20_000, 1)) * share**0.5
    differences = common + rng.normal(size=(20_000, n_folds)) * (1 - share) ** 0.5
    t = stats.t(n_folds - 1).isf(0.05)
    errors = [corrected_error(row, 1 - share, share) for row in differences]
    positive = differences.mean(axis=1) > t * np.array(errors)
    assert positive.mean() == pytest.approx(0.05, abs=0.005)
    naive = differences.mean(axis=1) > t * differences.std(axis=1, ddof=1) / 5**0.5
    assert naive.mean() > 0.1


def test_gains_noise_and_p_values(comparison, wine):
    _, y = wine
    scores = comparison.test_scores
    folds = list(StratifiedKFold(3).split(y, y))
    share = mean(len(test) / len(train) for train, test in folds)
    for name in TABLE[1:]:
        gains = [a - b for a, b in zip(scores[name], scores["raw"], strict=True)]
        assert_allclose(comparison.differences[name], gains)
        assert comparison.gains[name] == pytest.approx(mean(gains))
        error = stdev(gains) * (1 / 3 + share) ** 0.5
        t = mean(gains) / error
        p_value = min(1, 5 * 2 * stats.t(2).sf(abs(t)))  # of five comparisons
        assert comparison.p_values[name] == pytest.approx(p_value)
        noise = error * stats.t(2).ppf(1 - 0.05 / 5 / 2)
        assert comparison.noise[name] == pytest.approx(noise)
    assert "raw" not in comparison.gains
    for name in TABLE:
        assert comparison.test_scores_mean[name] == pytest.approx(mean(scores[name]))
        assert comparison.test_scores_std[name] == pytest.approx(scores[name].std())


def test_alpha_and_folds(wine):
    wide, narrow = (
        compare_representations(
            {"one": PCA(1)}, *wine, cv=3, alpha=alpha, random_state=0
        )
        for alpha in (0.01, 0.2)
    )
    assert wide.noise["one"] > narrow.noise["one"]
    assert_array_equal(wide.differences["one"], narrow.differences["one"])
    for name in wide.gains:
        for found, alpha in ((wide, 0.01), (narrow, 0.2)):
            exceeds = abs(found.gains[name]) > found.noise[name]
            assert exceeds == (found.p_values[name] < alpha)
    repeated = RepeatedStratifiedKFold(n_splits=3, n_repeats=4, random_state=0)
    many = compare_representations({"one": PCA(1)}, *wine, cv=repeated)
    assert len(many.test_scores["raw"]) == 12


# The verdict --------------------------------------------------------------------------


def test_noise_is_not_recommended(wine):
    found = compare_representations(
        [Noise()], *wine, train_size=30, n_draws=5, random_state=0
    )
    assert found.best == "raw"
    assert found.gains["Noise"] < -found.noise["Noise"]
    assert found.verdict.startswith("Use 'raw': Accuracy at 30 labels is 0.9")
    assert found.as_frame().index[-1] == "Noise"


def test_what_holds_the_label_is_recommended(xor):
    methods = {"product": Product(), "noise": Noise()}
    found = compare_representations(
        methods, *xor, train_size=60, n_draws=5, random_state=0
    )
    assert found.best == "product"
    assert found.p_values["product"] < 0.05 < found.p_values["noise"]
    assert "over raw, which exceeds the noise of 0." in found.verdict
    assert found.verdict.startswith("Use 'product': Accuracy at 60 labels is 0.")
    best = clone(found.estimators[found.best]).fit(*xor)
    assert best.score(*xor) > 0.95


def test_a_gain_within_the_noise_is_not_recommended(xor):
    X, y = xor
    wrong = np.random.default_rng(2).random(len(y)) < 0.42
    found = compare_representations(
        [Product()], X, np.where(wrong, 1 - y, y), cv=3, random_state=0
    )
    assert 0 < found.gains["Product"] < found.noise["Product"]
    assert found.best == "raw"
    assert "'Product', gains +0.0" in found.verdict
    assert "within the noise" in found.verdict


def test_equal_representations_do_not_differ(wine):
    found = compare_representations({"same": RawFeatures()}, *wine, cv=3)
    assert found.gains["same"] == found.noise["same"] == 0
    assert found.p_values["same"] == 1
    assert found.best == "raw"
    assert found.verdict.startswith("Use 'raw'")


def test_a_gain_that_is_the_same_in_each_fold_tells_no_noise():
    X = np.repeat([[1.0, 1.0], [-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]], 10, axis=0)
    X = X + np.random.default_rng(0).normal(size=X.shape) * 1e-3
    y = np.repeat([0, 1], 20)

    def score(estimator, X, y):
        return float(estimator.predict(X).tolist() == y.tolist())

    found = compare_representations([Product()], X, y, cv=2, scoring=score)
    assert found.gains["Product"] == 1
    assert np.isnan([found.noise["Product"], found.p_values["Product"]]).all()
    assert found.best == "raw"
    assert "gains +1.000, the same in each fold" in found.verdict
    assert not found.as_frame()["exceeds_noise"].any()
    assert (
        found.noise["PCA"] == 0 and found.p_values["PCA"] == 1
    )  # no difference at all


@pytest.mark.parametrize("train_size", [[6, 60], "auto", 0, -1.5, np.nan])
def test_train_size_is_one_number(train_size):
    X, y = load_wine(return_X_y=True)
    with pytest.raises((TypeError, ValueError), match="train_size must be"):
        compare_representations([Product()], X, y, train_size=train_size)


def test_a_share_is_at_most_all(wine):
    with pytest.raises(ValueError, match=r"as a float .* at most 1, got 1.5"):
        compare_representations([Product()], *wine, train_size=1.5)


def test_scoring_is_one():
    X, y = load_wine(return_X_y=True)
    with pytest.raises(TypeError, match="scoring must be a name, a scorer or None"):
        compare_representations([Product()], X, y, scoring=["accuracy"])
    scorer = make_scorer(
        log_loss, greater_is_better=False, response_method="predict_proba"
    )
    found = compare_representations([Product()], X, y, cv=2, scoring=scorer)
    assert found.score_name == "Negative log loss"


def test_y_has_one_column():
    X, y = load_wine(return_X_y=True)
    how = dict(cv=2, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = compare_representations([Product()], X, y[:, None], **how)
    assert_array_equal(
        found.test_scores["raw"],
        compare_representations([Product()], X, y, **how).test_scores["raw"],
    )
    with pytest.raises(ValueError, match="y must have one column, got 2"):
        compare_representations([Product()], X, np.c_[y, y], **how)


def test_parameters_of_all_methods_are_checked_before_training():
    X, y = load_wine(return_X_y=True)
    Spy.fits.clear()
    with pytest.raises(ValueError, match="second: temperature must be"):
        compare_representations(dict(first=Spy(), second=SCARF(temperature=-1)), X, y)
    for second, message in [
        (SCARF(encoder="foo"), "second: encoder='foo' is unknown"),
        (SCARF(views=Corruption(rate=2)), "second: views: rate"),
        (MaskedFeatures(target_aware=True), "'second' uses labels"),
    ]:
        with pytest.raises(ValueError, match=message):
            compare_representations(dict(first=Spy(), second=second), X, y)
    with pytest.raises(ValueError, match="two folds or more, got 1"):
        compare_representations([Spy()], X, y, cv=ShuffleSplit(1))
    with pytest.raises(ValueError, match=r"^(?!SCARF).*inf"):
        compare_representations([Spy(), SCARF()], np.where(X > 14, np.inf, X), y)
    assert Spy.fits == []


def test_frame(comparison):
    frame = comparison.as_frame()
    assert sorted(frame.index) == sorted(TABLE)
    assert frame["mean"].is_monotonic_decreasing
    columns = "mean std gain noise p_value exceeds_noise seconds"
    assert list(frame.columns) == columns.split()
    assert frame.loc["SCARF", "gain"] == comparison.gains["SCARF"]
    assert not frame.loc["raw", "exceeds_noise"]
    assert frame.loc[["raw"], ["gain", "noise", "p_value"]].isna().all(axis=None)
    for name, gain in comparison.gains.items():
        exceeds = abs(gain) > comparison.noise[name]
        assert frame.loc[name, "exceeds_noise"] == exceeds
    assert (frame.loc["SCARF":, "seconds"] > 0).all()


# What is fitted -----------------------------------------------------------------------


def test_pretrains_once_a_fold_and_method(wine, monkeypatch):
    fits = []
    for cls in (SCARF, SimCLR):

        def fit(self, X, y=None, fit=cls.fit, **kw):
            fits.append((type(self).__name__, self.max_epochs, len(X), y is not None))
            return fit(self, X, **kw)

        monkeypatch.setattr(cls, "fit", fit)
    methods = [make(SCARF, max_epochs=1), make(SimCLR, max_epochs=1)]
    compare_representations(methods, *wine, train_size=10, cv=2, n_draws=3)
    once = [("SCARF", 0), ("SCARF", 1), ("SimCLR", 1)]
    assert sorted(fits) == sorted((*name, 89, False) for name in once * 2)


def test_alone_and_beside_are_what_passthrough_makes_them(wine):
    X, y = wine
    found = compare_representations([make(SCARF)], X, y, cv=3)
    assert list(found.estimators) == list(found.test_scores) == TABLE
    for name, passthrough in {"SCARF": False, "raw + SCARF": True}.items():
        scarf = found.estimators[name][0]
        assert isinstance(scarf, SCARF)
        assert scarf.passthrough is passthrough
    for train, test in StratifiedKFold(3).split(X, y):
        test = test[:20]
        scarf = make(SCARF, passthrough=True).fit(X[train])
        both = scarf.transform(X[test])
        alone = make(SCARF, passthrough=False).fit(X[train]).transform(X[test])
        raw = RawFeatures().fit(X[train]).transform(X[test])
        shares = np.divide(scarf.modality_.norms, np.hypot(*scarf.modality_.norms))
        of_column = np.repeat(shares, [alone.shape[1], raw.shape[1]])
        assert_allclose(both / of_column, np.hstack([alone, raw]), atol=1e-5)
        assert both.dtype == alone.dtype == raw.dtype == np.float32
    for name, estimator in found.estimators.items():
        # All labels are shown, but one in the larger folds.
        expected = cross_val_score(estimator, X, y, cv=3)
        assert_allclose(found.test_scores[name], expected, atol=0.035)


def test_raw_features_of_tables_and_images():
    frame = make_data("table")
    raw = RawFeatures().fit(frame)
    Z = raw.transform(frame)
    assert Z.shape == (200, 6 + 1 + 5)  # numbers, missing, levels with two to spare
    scarf = make(SCARF, passthrough=True, max_epochs=0).fit(frame)
    share = scarf.modality_.norms[1] / np.hypot(*scarf.modality_.norms)
    assert_allclose(Z, scarf.transform(frame)[:, -12:] / share, atol=1e-6)
    images = make_data("image")
    raw = RawFeatures(modality="image").fit(images)
    pixels = StandardScaler(with_std=False).fit_transform(images.reshape(200, -1))
    norm = np.sqrt((pixels**2).sum(axis=1).mean())
    assert_allclose(raw.transform(images), 10 * pixels / norm, atol=1e-4)
    assert raw.n_iter_ == 0


def test_images():
    images = make_data("image")
    y = (images.mean(axis=(1, 2)) > np.median(images.mean(axis=(1, 2)))).astype(int)
    methods = [make(SimCLR, modality="image", max_epochs=1)]
    found = compare_representations(methods, images, y, cv=2)
    assert list(found.test_scores) == ["raw", "PCA", "untrained", "SimCLR"]
    assert found.test_scores_mean["raw"] > 0.8


def test_rows_without_labels_pretrain_and_are_never_scored(wine):
    X, y = wine
    few = np.where(np.arange(len(y)) % 3, -1, y)
    Spy.fits.clear()
    found = compare_representations([Spy()], X, few, cv=2)
    assert Spy.fits == [(118 + 30, False)] * 2
    assert found.train_size == 30
    assert found.test_scores_mean["raw"] > 0.8
    cv = UnlabeledSplit(LeaveOneGroupOut())
    groups = np.arange(len(y)) % 4
    found = compare_representations([Spy()], X, few, cv=cv, groups=groups)
    assert len(found.test_scores["raw"]) == 4


def test_draws_are_averaged(wine):
    found = compare_representations(
        [Noise()], *wine, train_size=12, n_draws=4, cv=3, random_state=0
    )
    assert found.train_size == 12
    assert found.test_scores["raw"].shape == (3,)
    again = compare_representations(
        [Noise()], *wine, train_size=12, n_draws=4, cv=3, random_state=0
    )
    assert_array_equal(found.test_scores["raw"], again.test_scores["raw"])
    share = compare_representations([Noise()], *wine, train_size=0.5, n_draws=1)
    assert share.train_size == 71


def test_regression_and_other_classifiers(wine):
    X, y = load_diabetes(return_X_y=True)
    found = compare_representations({"2": PCA(2)}, X, y, classifier=Ridge(), cv=3)
    assert found.score_name == "R2"
    assert found.gains["2"] < found.gains["PCA"]
    found = compare_representations(
        [make(SCARF)],
        *wine,
        classifier=SelfTrainingClassifier(LogisticRegression(max_iter=1000)),
        train_size=20,
        n_draws=2,
        cv=2,
        scoring="balanced_accuracy",
        random_state=0,
    )
    assert found.score_name == "Balanced accuracy"
    assert min(found.test_scores_mean.values()) > 0.8


# Errors -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "methods, error, message",
    [
        (SCARF(), TypeError, "a list of transformers or a dict"),
        ([], ValueError, "methods is empty"),
        ([SCARF], TypeError, "must hold transformers"),
        ([Ridge()], TypeError, "must hold transformers"),
        ([SCARF(), SCARF()], ValueError, "'SCARF' is taken.*a dict"),
        ({"raw": SCARF()}, ValueError, "'raw' is taken"),
        ({"raw + SCARF": SCARF()}, ValueError, "'raw \\+ SCARF' is taken"),
        ([AutoSSL()], ValueError, "'AutoSSL' uses labels"),
    ],
)
def test_methods_that_do_not_fit(methods, error, message, wine):
    with pytest.raises(error, match=message):
        compare_representations(methods, *wine)


def test_bad_parameters(wine):
    with pytest.raises(ValueError, match="alpha must be a number above 0"):
        compare_representations([Noise()], *wine, alpha=0)
    with pytest.raises(ValueError, match="n_draws"):
        compare_representations([Noise()], *wine, n_draws=0)
    with pytest.raises(ValueError, match="two folds or more, got 1"):
        cv = ShuffleSplit(1, random_state=0)
        compare_representations([Noise()], *wine, cv=cv)
    with pytest.raises(ValueError, match="train_sizes"):
        compare_representations([Noise()], *wine, train_size=1000)


def test_principal_components_hold_95_percent_of_the_variance(wine):
    found = compare_representations([Noise()], *wine, cv=3)
    assert found.estimators["PCA"][1].n_components == 0.95


def test_of_two_that_exceed_the_noise_the_higher_mean_is_used():
    found = Bunch(
        test_scores_mean={"raw": 0.5, "a": 0.9, "b": 0.8},
        gains={"a": 0.4, "b": 0.3},
        noise={"a": 0.35, "b": 0.01},
        score_name="Accuracy",
        train_size=9,
    )
    assert _decide(found)[0] == "a"


def test_targets_are_judged_by_ridge_regression():
    X, y = load_diabetes(return_X_y=True)
    options = {"cv": 3, "random_state": 0}
    found = compare_representations([Noise()], X, y + 0.5, **options)
    options["classifier"] = Ridge()
    expected = compare_representations([Noise()], X, y + 0.5, **options)
    assert_array_equal(found.test_scores["raw"], expected.test_scores["raw"])
    assert found.test_scores_mean["raw"] > 0.4


def test_targets_taken_for_rare_classes_are_a_warning(wine):
    X, _ = wine
    prices = 100 + np.arange(len(X)) % 45
    options = {"cv": KFold(5), "train_size": 100, "n_draws": 1}
    with pytest.warns(UserWarning, match=r"holds 45 whole .*classifier=Ridge\(\)"):
        compare_representations([Noise()], X, prices, **options)
    compare_representations([Noise()], X, prices, **options, classifier=Ridge())
    compare_representations([Noise()], *wine, **options | {"cv": 3})
