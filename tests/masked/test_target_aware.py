"""MaskedFeatures with target_aware: the head sees what y is likely to be."""

import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_diabetes
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks, get_tags
from sklearn.utils.estimator_checks import estimator_checks_generator

from sklearn_ssl import (
    SCARF,
    AutoSSL,
    FineTuning,
    MaskedFeatures,
    SSLClassifier,
    SSLRegressor,
)
from sklearn_ssl._expected_targets import expected_targets
from sklearn_ssl.encoders import MLP
from sklearn_ssl.model_selection import label_efficiency_curve
from tests.helpers import assert_same_fit, make, ready_task
from tests.masked.helpers import columns_of
from tests.test_common import EXTRA_CHECKS

every_pretext = pytest.mark.parametrize("pretext", ["mask", "reconstruction"])


def aware(**params):
    return make(MaskedFeatures, **{"target_aware": True} | params)


@pytest.fixture
def losses(monkeypatch):
    """For each loss: in training or not, rows, and the targets that the head saw."""
    found = []
    loss = MaskedFeatures._loss

    def noting(self, task, batch):
        name = "head" if self.pretext == "mask" else "decoder"
        seen = []
        hook = task.get_submodule(name).register_forward_pre_hook(
            lambda module, args: seen.append(args[0].detach()[:, task.n_outputs :])
        )
        value = loss(self, task, batch)
        hook.remove()
        rows = None if task.rows is None else task.rows.numpy()
        found.append((task.training, rows, seen[0].numpy()))
        return value

    monkeypatch.setattr(MaskedFeatures, "_loss", noting)
    return found


def test_inside_step_two_the_labels_are_what_that_takes_them_for(wine, monkeypatch):
    """-1 is a class or a target, and whole numbers are classes or targets."""
    X, y, _ = wine
    seen = []

    def noting(columns, rows, *args, **kwargs):
        expected = expected_targets(columns, rows, *args, **kwargs)
        seen.append((len(rows), expected.shape[1]))
        return expected

    monkeypatch.setattr("sklearn_ssl._expected_targets.expected_targets", noting)
    SSLClassifier(aware(), unlabeled=None).fit(X, y - 1)
    SSLRegressor(aware()).fit(X, y - 1.0)
    SSLRegressor(aware()).fit(X, np.where(y == 2, np.nan, y - 1))
    assert seen == [(len(y), 3), (len(y), 1), ((y != 2).sum(), 1)]


# What the head sees -------------------------------------------------------------------


@every_pretext
def test_head_sees_what_is_expected_of_each_row(pretext, wine, losses):
    """In training, and of the rows held out for early stopping."""
    X, _, few = wine
    masked = aware(pretext=pretext, early_stopping=True, batch_size=50).fit(X, few)
    rows = np.flatnonzero(few != -1)
    expected = expected_targets(columns_of(masked, X), rows, few[rows])
    seen = {True: set(), False: set()}
    for training, batch_rows, targets in losses:
        assert_array_equal(targets, expected[batch_rows])
        seen[training] |= set(batch_rows)
    assert not seen[True] & seen[False]
    assert seen[True] | seen[False] == set(range(len(X)))


def test_head_gets_the_embedding_of_the_corrupted_row_and_the_target(mixed):
    """h(f(corrupted x), y)."""
    y = np.arange(len(mixed)) % 3
    masked = aware(max_epochs=0).fit(mixed, y)
    task, batch = ready_task(masked, mixed)
    targets = torch.rand(len(batch["numbers"]), 3)
    drawn, inputs = [], []
    draw = task.views
    task.views = lambda *args: drawn.append(draw(*args)) or drawn[-1]
    task.head.register_forward_hook(lambda *args: inputs.append(args[1:]))
    loss = task(**batch, targets=targets)
    (seen,), logits = inputs[0]
    with torch.no_grad():
        z = task.embed(drawn[0])
    assert_allclose(seen.detach(), torch.cat([z, targets], dim=1))
    changed = task.inputs.changed(batch, drawn[0]).numpy()
    p = 1 / (1 + np.exp(-logits.detach().double().numpy()))
    expected = -np.log(np.where(changed, p, 1 - p)).mean()
    assert_allclose(loss.item(), expected, rtol=1e-5)


@every_pretext
def test_score_and_transform_need_no_labels(pretext, wine, losses):
    X, _, few = wine
    masked = aware(pretext=pretext).fit(X, few)
    losses.clear()
    score = masked.score(X)
    assert all((targets == 0).all() for *_, targets in losses)
    assert masked.score(X, few) == score
    loaded = pickle.loads(pickle.dumps(masked))
    assert loaded.score(X) == score
    assert_array_equal(loaded.transform(X), masked.transform(X), strict=True)
    if pretext == "reconstruction":
        scores = masked.score_samples(X)
        assert_array_equal(loaded.score_samples(X[:7]), scores[:7])


def test_pickle_holds_no_target(wine):
    X, y, _ = wine
    masked = aware().fit(X, y)
    assert masked._network.task.source is None
    assert "targets" not in str(masked._network.__getstate__()["weights"].keys())


# What labels do -----------------------------------------------------------------------


@every_pretext
def test_y_is_ignored_unless_asked_for(pretext, wine):
    X, y, _ = wine
    masked = make(MaskedFeatures, pretext=pretext)
    without = masked.fit(X).transform(X)
    assert_same_fit(masked.fit(X, y), make(MaskedFeatures, pretext=pretext).fit(X), X)
    Z = aware(pretext=pretext).fit_transform(X, y)
    assert not np.array_equal(Z, without)
    other = aware(pretext=pretext).fit_transform(X, y[::-1])
    assert not np.array_equal(Z, other)


@pytest.mark.parametrize("mark", [-1, np.nan, None])
def test_marks(mark, wine):
    X, _, few = wine
    expected = aware().fit(X, few)
    marked = np.where(few == -1, mark, few.astype(object))
    marked = marked if mark is None else marked.astype(float)
    assert_same_fit(aware().fit(X, marked), expected, X)
    assert_same_fit(aware(unlabeled=9).fit(X, np.where(few == -1, 9, few)), expected, X)
    names = np.array(["a", "b", "c", None], object)[few]  # -1 is the last
    assert_same_fit(aware().fit(X, names), expected, X)


def test_more_rows_without_labels(wine):
    X, y, _ = wine
    y = np.where(np.arange(len(y)) < 50, y, -1)
    expected = aware().fit(X, y)
    assert_same_fit(aware().fit(X[:50], y[:50], X_unlabeled=X[50:]), expected, X)
    fewer = aware().fit(X[:50], y[:50])
    assert not np.array_equal(fewer.transform(X), expected.transform(X))


def test_minus_one_may_be_a_class_or_a_number(wine):
    X, y, _ = wine
    two = np.where(y == 1, 1, -1)
    with pytest.warns(UserWarning, match="both are taken for classes"):
        found = aware().fit(X, two)
    assert_same_fit(aware(unlabeled=None).fit(X, two), found, X)
    assert_same_fit(aware().fit(X, y == 1), found, X)
    X, y = load_diabetes(return_X_y=True)
    y[::2] -= y[::2].min() + 1
    found = aware(target_aware="numbers").fit(X, y)
    assert found._network.task.n_targets == 1
    # Whatever their scale.
    assert_allclose(
        aware(target_aware="numbers").fit(X, 7 * y + 0.5).transform(X),
        found.transform(X),
        atol=1e-3,
    )
    assert_same_fit(aware().fit(X, y / 7 + 0.5), aware().fit(X, y / 7 + 0.5), X)
    gaps = np.where(np.arange(len(y)) % 3, np.nan, y + 0.5)
    assert not np.array_equal(aware().fit_transform(X, gaps), found.transform(X))


def test_noise_stays_noise():
    """Labels of nothing: features tell no more of them than without."""
    rng = np.random.default_rng(0)
    X, X_new = rng.normal(size=(2, 300, 5))
    y, y_new = rng.integers(2, size=(2, 300))
    settings = {"encoder": MLP(hidden=(32, 32)), "max_epochs": 40, "batch_size": 50}
    settings |= {"learning_rate": 0.01, "passthrough": False}
    inside, outside = {}, {}
    for target_aware in (False, True):
        masked = aware(**settings, target_aware=target_aware).fit(X, y)
        Z, model = masked.transform(X), LogisticRegression()
        outside[target_aware] = model.fit(Z, y).score(masked.transform(X_new), y_new)
        inside[target_aware] = model.score(Z, y)
        # Rows that were pretrained on, but not fitted by the classifier.
        assert abs(cross_val_score(model, Z, y).mean() - 0.5) < 0.1
    assert abs(outside[True] - 0.5) < 0.09
    assert abs(inside[True] - inside[False]) < 0.06


# Among other estimators ---------------------------------------------------------------


def test_in_a_pipeline(wine):
    X, y, _ = wine
    pipeline = make_pipeline(aware(), LogisticRegression()).fit(X[::2], y[::2])
    assert pipeline.score(X[1::2], y[1::2]) > 0.9
    by_hand = aware().fit(X[::2], y[::2])
    assert_array_equal(by_hand.transform(X), pipeline[0].transform(X))


@pytest.mark.parametrize("fine_tune", [False, FineTuning(max_epochs=1)])
def test_frozen_for_the_second_step(fine_tune, wine):
    X, y, few = wine
    frozen = FrozenEstimator(aware().fit(X, few))
    model = SSLClassifier(frozen, fine_tune=fine_tune).fit(X, few)
    assert model.score(X, y) > 0.9


def test_warm_start(wine):
    X, y, few = wine
    masked = aware(warm_start=True).fit(X, y)
    before = masked.transform(X)
    assert not np.array_equal(masked.fit(X, few).transform(X), before)
    with pytest.raises(ValueError, match="warm_start=False"):
        masked.fit(X, y == 1)


@pytest.mark.parametrize(
    "estimator, check",
    [
        pytest.param(estimator, check, id=f"{target_aware}-{check.func.__name__}")
        for target_aware in (True, "numbers")
        for estimator, check in estimator_checks_generator(
            aware(target_aware=target_aware)
        )
    ],
)
def test_sklearn_checks(estimator, check):
    check(estimator)


@pytest.mark.filterwarnings("ignore:X .*feature names:UserWarning")
@pytest.mark.parametrize("check", EXTRA_CHECKS)
def test_extra_sklearn_checks(check):
    if not hasattr(estimator_checks, check):
        pytest.skip(f"this scikit-learn has no {check}")
    getattr(estimator_checks, check)("MaskedFeatures", aware())


# Errors -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda y: None, "requires y to be passed, but the target y is None"),
        (lambda y: y[1:], "inconsistent numbers of samples"),
        (
            lambda y: np.full(len(y), -1),
            "y marks all rows as unlabelled. Label some",
        ),
        (lambda y: np.where(y == 0, 0, -1), "those of all .. labelled.*=False"),
        (lambda y: np.r_[0.5, np.full(len(y) - 1, np.nan)], "those of all 1 labelled"),
        (lambda y: np.column_stack([y, y]), "y must have one column, got 2"),
        (lambda y: np.where(y == 0, np.inf, y + 0.5), "infinity"),
        (lambda y: np.where(y == 0, "a", y.astype(object)), "Unknown label type"),
    ],
)
def test_bad_labels(change, message, wine):
    X, y, _ = wine
    with pytest.raises(ValueError, match=message):
        aware().fit(X, change(y))


def test_bad_numbers(wine):
    X, y, _ = wine
    masked = aware(target_aware="numbers")
    with pytest.raises(ValueError, match="infinity"):
        masked.fit(X, np.where(y == 0, np.inf, y))
    with pytest.raises(ValueError, match="could not convert"):
        masked.fit(X, np.array(["a", "b", "c"], object)[y])


@pytest.mark.parametrize("value", ["classes", None, 2])
def test_invalid_target_aware(value, wine):
    with pytest.raises(ValueError, match="target_aware must be one of"):
        aware(target_aware=value).fit(*wine[:2])


def test_partial_fit_is_refused(wine):
    X, y, _ = wine
    assert not hasattr(aware(), "partial_fit")
    with pytest.raises(AttributeError) as caught:
        aware().partial_fit(X, y)
    assert "needs target_aware=False" in str(caught.value.__cause__)
    assert make(MaskedFeatures).partial_fit(X, y).n_iter_ == 1


def test_what_pretrains_without_labels_refuses_it(wine, monkeypatch):
    X, y, few = wine
    monkeypatch.setattr(SCARF, "fit", lambda *args, **kwargs: pytest.fail("trained"))
    for estimator in SSLClassifier, SSLRegressor:
        with pytest.raises(
            TypeError, match=r"uses labels, of which .* FrozenEstimator"
        ):
            estimator(aware(), fine_tune=True).fit(X, few)
    with pytest.raises(TypeError, match="'MaskedFeatures' uses labels"):
        AutoSSL(methods=[make(SCARF), aware()]).fit(X, y)
    estimators = {"a": make_pipeline(aware(), LogisticRegression())}
    with pytest.raises(ValueError, match="'a' uses labels"):
        label_efficiency_curve(estimators, X, y)
    given = SSLClassifier(aware()).fit(X, few)
    assert_array_equal(
        given.transformer_.transform(X), aware().fit(X, few).transform(X)
    )
    plain = make(MaskedFeatures)
    assert SSLClassifier(plain).fit(X, few).score(X, y) > 0.9


@pytest.mark.parametrize("target_aware", [False, True, "numbers"])
def test_tags_say_that_it_needs_y(target_aware):
    tags = get_tags(MaskedFeatures(target_aware=target_aware))
    assert tags.target_tags.required == bool(target_aware)
