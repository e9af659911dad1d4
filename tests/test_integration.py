"""It plugs in: pipelines, searches, containers and column transformers."""

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
import torch
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, cross_validate
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline, make_union
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.utils.fixes import parse_version

from sklearn_ssl import SCARF, SimCLR, all_methods
from sklearn_ssl.encoders import MLP, ConvNet
from sklearn_ssl.modalities import Image, Tabular
from sklearn_ssl.views import Corruption

TABLES = [
    pytest.param(cls, id=name)
    for name, cls in all_methods().items()
    if "table" in cls.modalities
]
IMAGES = [
    pytest.param(cls, id=name)
    for name, cls in all_methods().items()
    if "image" in cls.modalities
]
# Before 1.9 scikit-learn asked for polars' names by a protocol that polars 2 dropped.
reads_polars_names = pytest.mark.skipif(
    parse_version(sklearn.__version__) < parse_version("1.9")
    and not hasattr(pl.DataFrame, "__dataframe__"),
    reason="this scikit-learn reads no column names of this polars",
)
LEARNING = {"random_state": 0, "n_threads": 1}


def small(cls=SCARF, **params):
    """A quick instance with small nested components."""
    encoder = MLP(hidden=(32, 32))
    return cls(**{"max_epochs": 3, "encoder": encoder} | LEARNING | params)


def small_images(cls=SimCLR, **params):
    encoder = ConvNet(channels=(8, 16))
    return cls(**{"max_epochs": 2, "encoder": encoder} | LEARNING | params)


@pytest.fixture(scope="module")
def wine():
    return load_wine(return_X_y=True)


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:400], y[:400]


@pytest.fixture(scope="module")
def customers():
    """Numbers, text, a category, dates and missing values; y follows from them."""
    rng = np.random.default_rng(0)
    n = 200
    frame = pd.DataFrame(
        {
            "age": rng.normal(40, 12, size=n).round(),
            "income": np.exp(rng.normal(10, 1, size=n)),
            "city": rng.choice(["Bern", "Chur", "Genf"], size=n).astype(object),
            "plan": pd.Categorical(rng.choice(["basic", "plus"], size=n)),
            "since": pd.Timestamp("2020-01-01")
            + pd.to_timedelta(rng.integers(1000, size=n), unit="D"),
        }
    )
    y = (frame["income"] > frame["income"].median()).astype(int).to_numpy()
    frame.loc[::7, "age"] = np.nan
    frame.loc[::11, "city"] = None
    return frame, y


class CountingCorruption(Corruption):
    """Views that write a line to a file for each fit that they are adapted to."""

    def __init__(self, *, rate=0.6, exact=True, path=None):
        super().__init__(rate=rate, exact=exact)
        self.path = path

    def adapt(self, modality, arrays):
        with open(self.path, "a") as file:
            file.write(f"{self.rate}\n")
        return super().adapt(modality, arrays)


# Pipelines ----------------------------------------------------------------------------


@pytest.mark.parametrize("cls", TABLES)
def test_pipeline_on_a_table(cls):
    X, y = load_breast_cancer(return_X_y=True)
    pipeline = make_pipeline(small(cls), LogisticRegression())
    pipeline.fit(X[:300], y[:300])
    assert pipeline.score(X[300:], y[300:]) > 0.9
    names = pipeline[:-1].get_feature_names_out()
    assert len(names) == pipeline[-1].n_features_in_
    again = clone(pipeline)
    assert not hasattr(again[0], "n_iter_")
    again.fit(X[:300], y[:300])
    assert_array_equal(again.predict_proba(X), pipeline.predict_proba(X))


@pytest.mark.parametrize("cls", IMAGES)
@pytest.mark.parametrize("shape", ["flat", "gray", "last"])
def test_pipeline_on_images(cls, shape, digits):
    X, y = digits
    modality = Image(shape=(8, 8)) if shape == "flat" else "image"
    X = X.reshape({"flat": (-1, 64), "gray": (-1, 8, 8), "last": (-1, 8, 8, 1)}[shape])
    pipeline = make_pipeline(small_images(cls, modality=modality), LogisticRegression())
    pipeline.fit(X[:300], y[:300])
    assert pipeline.score(X[300:], y[300:]) > 0.6


def test_images_with_defaults(digits):
    X, y = digits
    X = X.reshape(-1, 8, 8)
    simclr = SimCLR(modality="image", max_epochs=1, **LEARNING)
    pipeline = make_pipeline(simclr, LogisticRegression()).fit(X[:300], y[:300])
    assert pipeline.score(X[300:], y[300:]) > 0.8


@pytest.mark.parametrize("cls", TABLES)
def test_fit_transform_is_fit_then_transform(cls, wine):
    X, y = wine
    Z = small(cls).fit_transform(X)
    assert_array_equal(small(cls).fit_transform(X, y), Z)  # y is not used
    assert_array_equal(small(cls).fit(X).transform(X), Z)


def test_frozen(wine):
    X, y = wine
    scarf = small().fit(X)
    Z = scarf.transform(X)
    pipeline = make_pipeline(FrozenEstimator(scarf), LogisticRegression())
    clone(pipeline).fit(X[:100] * 2, y[:100])
    assert_array_equal(clone(pipeline)[0].transform(X), Z)
    pipeline.fit(X, y)
    assert_array_equal(scarf.transform(X), Z)


def test_self_training_behind_features(wine):
    X, y = wine
    few = np.where(np.arange(len(y)) % 5 == 0, y, -1)
    classifier = SelfTrainingClassifier(LogisticRegression())
    pipeline = make_pipeline(small(), classifier).fit(X, few)
    hidden = few == -1
    assert pipeline[-1].labeled_iter_[hidden].max() >= 1
    assert pipeline.score(X[hidden], y[hidden]) > 0.9


def test_feature_union(wine):
    X, _ = wine
    union = make_union(PCA(n_components=3, random_state=0), small()).fit(X)
    names = union.get_feature_names_out()
    Z = union.transform(X)
    assert Z.shape == (len(X), len(names))
    assert_array_equal(Z[:, 3:], small().fit_transform(X))
    assert isinstance(union, FeatureUnion)
    assert list(names[:4]) == [*(f"pca__pca{i}" for i in range(3)), "scarf__scarf0"]


@pytest.fixture
def warn_always():
    """torch warns once a process of read-only arrays: here, each time."""
    before = torch.is_warn_always_enabled()
    torch.set_warn_always(True)
    yield
    torch.set_warn_always(before)


def test_dump_and_load(wine, tmp_path, warn_always):
    X, y = wine
    pipeline = make_pipeline(small(), LogisticRegression()).fit(X, y)
    joblib.dump(pipeline, tmp_path / "pipeline.joblib", compress=3)
    loaded = joblib.load(tmp_path / "pipeline.joblib")
    assert_array_equal(loaded.predict_proba(X), pipeline.predict_proba(X))
    mapped = tmp_path / "mapped.joblib"
    joblib.dump(pipeline, mapped)
    loaded = joblib.load(mapped, mmap_mode="r")  # weights that nobody may write to
    assert_array_equal(loaded.predict_proba(X), pipeline.predict_proba(X))


# Searches -----------------------------------------------------------------------------


def test_nested_parameters():
    scarf = SCARF(encoder=MLP(), views=Corruption(), modality=Tabular())
    values = {
        "encoder__hidden": (16,),
        "encoder__dropout": 0.1,
        "views__rate": 0.2,
        "modality__numeric": "quantile",
        "modality__max_categories": 7,
        "corruption_rate": 0.4,
    }
    pipeline = make_pipeline(scarf, LogisticRegression())
    pipeline.set_params(**{f"scarf__{name}": value for name, value in values.items()})
    params = pipeline.get_params()
    assert {name: params[f"scarf__{name}"] for name in values} == values
    assert (scarf.encoder.hidden, scarf.views.rate) == ((16,), 0.2)
    X = load_wine().data
    fitted = clone(pipeline)[0].set_params(max_epochs=1, passthrough=False).fit(X)
    assert fitted.transform(X).shape == (178, 16)
    assert fitted.modality_.scaling_ == ["quantile"] * 13
    assert fitted.views_.rate == 0.2
    with pytest.raises(ValueError, match="Invalid parameter 'depth'"):
        scarf.set_params(encoder__depth=3)


def test_grid_search_in_parallel(wine):
    X, y = wine
    pipeline = make_pipeline(small(), LogisticRegression())
    grid = {
        "scarf__corruption_rate": [0.3, 0.6],
        "scarf__encoder__hidden": [(16,), (32, 16)],
        "logisticregression__C": [0.1, 1.0],
    }
    search = GridSearchCV(pipeline, grid, cv=3, n_jobs=2).fit(X, y)
    scores = search.cv_results_["mean_test_score"]
    assert search.best_score_ > 0.9
    assert len(set(scores)) > 2
    # Parallel workers come to the same scores as this process.
    serial = GridSearchCV(pipeline, grid, cv=3).fit(X, y)
    assert_array_equal(serial.cv_results_["mean_test_score"], scores)


def test_memory_repeats_pretraining_only_when_it_must(wine, tmp_path):
    X, y = wine
    log = tmp_path / "log"
    views = CountingCorruption(rate=0.3, path=str(log))
    pipeline = make_pipeline(
        small(views=views, max_epochs=1),
        LogisticRegression(),
        memory=joblib.Memory(tmp_path / "cache", verbose=0),
    )
    grid = {"logisticregression__C": [0.01, 0.1, 1.0, 10.0]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, y)
    assert len(log.read_text().splitlines()) == 2 + 1  # each fold, and the refit
    search.fit(X, y)
    assert len(log.read_text().splitlines()) == 3
    # Another parameter of the pretraining, however deep, or other rows.
    log.write_text("")
    grid["scarf__views__rate"] = [0.3, 0.5]
    search = GridSearchCV(pipeline, grid, cv=2, refit=False).fit(X, y)
    assert log.read_text().splitlines() == ["0.5", "0.5"]
    log.write_text("")
    search.fit(X[1:], y[1:])
    assert sorted(log.read_text().splitlines()) == ["0.3", "0.3", "0.5", "0.5"]
    # Without memory, each candidate pretrains.
    log.write_text("")
    search.set_params(estimator__memory=None).fit(X, y)
    assert len(log.read_text().splitlines()) == 2 * 4 * 2


def test_search_by_the_own_score_without_labels(wine):
    X, _ = wine
    grid = {"max_epochs": [0, 20]}
    search = GridSearchCV(small(), grid, cv=2).fit(X)
    assert search.best_params_ == {"max_epochs": 20}
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.score(X) == search.best_estimator_.score(X)
    assert search.transform(X).shape[0] == len(X)


def test_halving_search_with_epochs_as_resource(wine):
    X, y = wine
    pipeline = make_pipeline(small(), LogisticRegression())
    search = HalvingGridSearchCV(
        pipeline,
        {"scarf__corruption_rate": [0.1, 0.3, 0.6, 0.9]},
        resource="scarf__max_epochs",
        min_resources=1,
        max_resources=4,
        factor=2,
        cv=2,
        random_state=0,
    ).fit(X, y)
    assert search.n_resources_ == [1, 2, 4]
    assert search.n_candidates_ == [4, 2, 1]
    assert search.best_estimator_[0].n_iter_ <= 4
    assert search.best_score_ > 0.8


def test_cross_validate(wine):
    X, y = wine
    pipeline = make_pipeline(StandardScaler(), small(), LogisticRegression())
    found = cross_validate(pipeline, X, y, cv=3, return_estimator=True, n_jobs=2)
    assert found["test_score"].min() > 0.85
    for estimator in found["estimator"]:
        assert estimator.predict(X).shape == y.shape


# Data ---------------------------------------------------------------------------------


def test_mixed_table(customers):
    frame, y = customers
    pipeline = make_pipeline(small(), LogisticRegression()).fit(frame[:150], y[:150])
    assert pipeline.score(frame[150:], y[150:]) > 0.75
    assert list(pipeline[0].feature_names_in_) == list(frame.columns)
    # What training never saw: a category, and missing values in other columns.
    unseen = frame.copy()
    unseen["city"] = "Lausanne"
    unseen.loc[:, "income"] = np.nan
    Z = pipeline[0].transform(unseen)
    assert np.isfinite(Z).all()
    assert not np.array_equal(Z, pipeline[0].transform(frame))


@reads_polars_names
def test_polars_and_pandas_agree(customers):
    frame, _ = customers
    Z = small().fit_transform(frame)
    table = pl.from_pandas(frame)
    scarf = small().fit(table)
    assert_array_equal(scarf.transform(table), Z)
    assert_array_equal(scarf.transform(frame), Z)  # one library in, the other out
    assert list(scarf.feature_names_in_) == list(frame.columns)


def test_lists_and_arrays_agree(wine):
    X, _ = wine
    scarf = small().fit(X)
    Z = scarf.transform(X)
    assert_array_equal(scarf.transform(X.tolist()), Z)
    assert_array_equal(scarf.transform(np.asfortranarray(X)), Z)
    assert_array_equal(small().fit_transform(X.tolist()), Z)
    images = load_digits().images[:40]
    simclr = small_images(modality="image").fit(images)
    Z = simclr.transform(images)
    assert_array_equal(simclr.transform(list(images)), Z)
    assert_array_equal(simclr.transform(images.tolist()), Z)


def test_read_only_data(warn_always):
    """As joblib's workers get it."""
    X = load_wine().data.astype(np.float32)
    images = load_digits().images[:40].astype(np.float32)
    codes = images.astype(np.uint8)
    for rows, model in (X, small()), (images, None), (codes, None):
        model = model or small_images(modality="image")
        Z = clone(model).fit_transform(rows)
        rows.flags.writeable = False
        assert_array_equal(clone(model).fit_transform(rows), Z)
        assert np.isfinite(clone(model).partial_fit(rows).score(rows))


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_set_output(library, customers):
    frame, _ = customers
    Z = small().fit_transform(frame)
    scarf = small().set_output(transform=library).fit(frame)
    for found in scarf.transform(frame), scarf.fit_transform(frame):
        assert isinstance(found, pd.DataFrame if library == "pandas" else pl.DataFrame)
        assert list(found.columns) == list(scarf.get_feature_names_out())
        assert_array_equal(found.to_numpy(), Z)
    if library == "pandas":
        assert_array_equal(scarf.transform(frame[::-1]).index, frame.index[::-1])


def test_column_transformer_on_a_mixed_table(customers):
    frame, y = customers
    columns = ColumnTransformer(
        [
            ("people", small(), ["age", "income", "city"]),
            ("rest", small(), make_column_selector(dtype_include="category")),
            ("drop", "drop", ["since"]),
        ]
    )
    pipeline = make_pipeline(columns, LogisticRegression()).fit(frame, y)
    assert pipeline.score(frame, y) > 0.75
    assert list(columns.fit(frame).named_transformers_["people"].feature_names_in_) == [
        "age",
        "income",
        "city",
    ]
    names = columns.get_feature_names_out()
    assert len(set(names)) == columns.transform(frame).shape[1]


def test_column_transformer_with_pixels_beside_numbers(digits):
    X, _ = digits
    frame = pd.DataFrame(X, columns=[f"pixel{i}" for i in range(64)])
    frame["ink"] = X.sum(axis=1)
    columns = ColumnTransformer(
        [
            (
                "image",
                small_images(modality=Image(shape=(8, 8))),
                make_column_selector("^pixel"),
            ),
            ("number", StandardScaler(), ["ink"]),
        ]
    )
    Z = columns.fit_transform(frame)
    images = small_images(modality="image").fit_transform(X.reshape(-1, 8, 8))
    assert_array_equal(Z[:, :-1], images)


# Unlabelled rows ----------------------------------------------------------------------


@pytest.fixture
def routing():
    """Metadata routing, switched off again after the test."""
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def test_unlabelled_rows_count_as_rows(wine):
    X, _ = wine
    together = small().fit(X)
    apart = small().fit(X[:50], X_unlabeled=X[50:])
    assert_array_equal(apart.transform(X), together.transform(X))
    assert not np.array_equal(small().fit(X[:50]).transform(X), together.transform(X))


@reads_polars_names
def test_unlabelled_rows_of_a_table(customers):
    frame, _ = customers
    Z = small().fit_transform(frame)
    shuffled = frame[50:][["plan", "since", "age", "city", "income"]]
    found = small().fit(frame[:50], X_unlabeled=shuffled)
    assert_array_equal(found.transform(frame), Z)
    table = pl.from_pandas(frame)
    found = small().fit(table[:50], X_unlabeled=table[50:])
    assert_array_equal(found.transform(frame), Z)


def test_unlabelled_images():
    images = load_digits().images[:60]
    Z = small_images(modality="image").fit_transform(images)
    found = small_images(modality="image").fit(images[:20], X_unlabeled=images[20:])
    assert_array_equal(found.transform(images), Z)


def test_unlabelled_rows_that_do_not_fit(customers, wine):
    frame, _ = customers
    X, _ = wine
    with pytest.raises(ValueError, match=r"lacks \['city'\]"):
        small().fit(frame, X_unlabeled=frame.drop(columns="city"))
    with pytest.raises(ValueError, match=r"in addition \['extra'\]"):
        small().fit(frame, X_unlabeled=frame.assign(extra=1))
    with pytest.raises(TypeError, match="X_unlabeled"):
        small().fit(frame, X_unlabeled=pl.from_pandas(frame))
    with pytest.raises(ValueError, match="X_unlabeled"):
        small().fit(X, X_unlabeled=X[:, :5])


def test_unlabelled_rows_go_through_the_steps_before(wine, routing):
    X, y = wine
    scarf = small().set_fit_request(X_unlabeled=True)
    pipeline = Pipeline(
        [("scale", StandardScaler()), ("ssl", scarf), ("end", LogisticRegression())],
        transform_input=["X_unlabeled"],
    )
    pipeline.fit(X[:60], y[:60], X_unlabeled=X[60:])
    scaler = StandardScaler().fit(X[:60])
    expected = small().fit(
        scaler.transform(X[:60]), X_unlabeled=scaler.transform(X[60:])
    )
    Z = expected.transform(scaler.transform(X))
    assert_array_equal(pipeline[:-1].transform(X), Z)
    # Without unlabelled rows, the same pipeline still fits.
    pipeline.fit(X[:60], y[:60])
    assert not np.array_equal(pipeline[:-1].transform(X), Z)


def test_unlabelled_rows_in_a_search(wine, routing):
    X, y = wine
    scarf = small(max_epochs=1).set_fit_request(X_unlabeled=True)
    pipeline = Pipeline(
        [("ssl", scarf), ("end", LogisticRegression())],
        transform_input=["X_unlabeled"],
    )
    grid = {"end__C": [0.1, 1.0]}
    rows = np.random.default_rng(0).permutation(len(y))
    X, y = X[rows], y[rows]
    search = GridSearchCV(pipeline, grid, cv=2)
    search.fit(X[:90], y[:90], X_unlabeled=X[90:])
    assert search.score(X[90:], y[90:]) > 0.85
    found = search.best_estimator_[0].transform(X)
    direct = small(max_epochs=1).fit(X[:90], X_unlabeled=X[90:])
    assert_array_equal(found, direct.transform(X))
