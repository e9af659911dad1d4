"""What fit, transform and score promise beyond their results: DESIGN.md, section 5."""

import gc
import logging
import os
import pickle
import random
import subprocess
import sys
import threading
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits

from sklearn_ssl import (
    SCARF,
    CollapseWarning,
    DenoisingAutoencoder,
    SimCLR,
    TrainingDivergedError,
    all_methods,
)
from sklearn_ssl.modalities import Image

METHODS = [pytest.param(cls, id=name) for name, cls in all_methods().items()]
TABLES = [
    pytest.param(cls, id=name)
    for name, cls in all_methods().items()
    if "table" in cls.modalities
]


def make(cls, **params):
    """A small instance, quick to fit."""
    return cls(**{"max_epochs": 3, "random_state": 0, "n_threads": 1} | params)


def make_data(cls):
    """Real rows of what a method reads first; a new modality adds a row here."""
    return {
        "table": lambda: load_breast_cancer().data[:100, :8],
        "image": lambda: load_digits().images[:100].astype(np.float32),
    }[cls.modalities[0]]()


def spoil_loss(monkeypatch, cls, spoil, after):
    """From step `after` on, the loss of a method is ``spoil(loss)``."""
    original = cls._loss
    n_steps = 0

    def loss(self, task, batch):
        nonlocal n_steps
        n_steps += task.training
        value = original(self, task, batch)
        return spoil(value) if n_steps > after else value

    monkeypatch.setattr(cls, "_loss", loss)


def interrupt(loss):
    raise KeyboardInterrupt


def fail(loss):
    raise RuntimeError("broken")


def become_nan(loss):
    return loss * torch.nan


SPOILS = [(interrupt, KeyboardInterrupt), (fail, RuntimeError)]
SPOILS += [(become_nan, TrainingDivergedError)]
SPOILS = [pytest.param(*spoil, id=spoil[0].__name__) for spoil in SPOILS]


@pytest.fixture
def torch_threads():
    """Sets torch's number of threads, and restores it."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def run_python(code, **environment):
    """Run code in a fresh interpreter; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


# 1. Global state ----------------------------------------------------------------------


def global_state():
    loggers = logging.Logger.manager.loggerDict.values()
    loggers = [x for x in loggers if isinstance(x, logging.Logger)] + [logging.root]
    python, numpy = random.getstate(), np.random.get_state(legacy=False)
    return {
        "torch rng": torch.get_rng_state().tolist(),
        "numpy rng": (numpy["state"]["key"].tolist(), numpy["state"]["pos"]),
        "python rng": python,
        "threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "dtype": torch.get_default_dtype(),
        "device": str(torch.get_default_device()),
        "grad": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "anomaly": torch.is_anomaly_enabled(),
        "autocast": torch.is_autocast_enabled("cpu"),
        "deterministic": (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
        ),
        "cudnn": (torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic),
        "matmul": torch.get_float32_matmul_precision(),
        "warnings": (list(warnings.filters), warnings.showwarning),
        "numpy errors": np.geterr(),
        "loggers": [(x.name, x.level, list(x.handlers), x.disabled) for x in loggers],
        "environment": dict(os.environ),
        "excepthook": (sys.excepthook, threading.excepthook),
    }


def assert_same_state(before):
    __tracebackhide__ = True
    after = global_state()
    assert [name for name in before if after[name] != before[name]] == []


@pytest.fixture(scope="module")
def imported():
    """The first fit imports libraries, which have warning filters and loggers."""
    make(SCARF).fit(make_data(SCARF))


@pytest.mark.parametrize("seed", [0, None])
@pytest.mark.parametrize("cls", METHODS)
def test_global_state_is_left_alone(cls, seed, imported, torch_threads):
    X = make_data(cls)
    torch_threads(2)
    before = global_state()
    estimator = make(cls, random_state=seed, early_stopping=True).fit(X)
    assert_same_state(before)
    estimator.partial_fit(X)
    assert_same_state(before)
    estimator.transform(X)
    assert_same_state(before)
    estimator.score(X)
    assert_same_state(before)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("spoil, error", SPOILS)
@pytest.mark.parametrize("cls", METHODS)
def test_global_state_after_an_error(
    cls, spoil, error, method, imported, monkeypatch, torch_threads
):
    X = make_data(cls)
    torch_threads(2)
    before = global_state()
    spoil_loss(monkeypatch, cls, spoil, after=0)
    with pytest.raises(error):
        getattr(make(cls), method)(X)
    assert_same_state(before)


def test_first_fit_leaves_global_state_alone():
    """A flag once set would be the same before and after all later fits."""
    code = """
import logging, random
import numpy as np, torch
from sklearn_ssl import SCARF
X = np.random.default_rng(0).random((40, 5))
def state():
    return (random.getstate(), str(np.random.get_state()), np.geterr(),
            logging.root.level, logging.root.handlers[:],
            torch.get_rng_state().tolist(), torch.get_num_threads(),
            torch.get_default_dtype(), torch.is_grad_enabled(),
            torch.are_deterministic_algorithms_enabled(),
            torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic,
            torch.get_float32_matmul_precision(), torch.is_warn_always_enabled())
before = state()
SCARF(max_epochs=1).fit(X).transform(X)
print([i for i, (a, b) in enumerate(zip(before, state())) if a != b])
"""
    assert run_python(code) == "[]\n"


# 2. Repeatable ------------------------------------------------------------------------


def embed(cls, X, seed=0):
    return make(cls, random_state=seed, early_stopping=True).fit_transform(X)


def test_same_bits_in_another_process(tmp_path):
    data = {name: make_data(cls) for name, cls in all_methods().items()}
    joblib.dump(data, tmp_path / "data")
    code = f"""
import joblib
from sklearn_ssl import all_methods
found = {{}}
for name, X in joblib.load({str(tmp_path / "data")!r}).items():
    estimator = all_methods()[name](
        max_epochs=3, random_state=0, n_threads=1, early_stopping=True)
    found[name] = estimator.fit_transform(X)
joblib.dump(found, {str(tmp_path / "found")!r})
"""
    run_python(code, OMP_NUM_THREADS="2", PYTHONHASHSEED="1")
    for name, Z in joblib.load(tmp_path / "found").items():
        assert_array_equal(Z, embed(all_methods()[name], data[name]), strict=True)


@pytest.mark.parametrize("cls", METHODS)
def test_parallel_fits_equal_serial_ones(cls, torch_threads):
    X = make_data(cls)
    serial = [embed(cls, X, seed) for seed in range(8)]
    torch_threads(2)
    parallel = joblib.Parallel(n_jobs=4, backend="threading")(
        joblib.delayed(embed)(cls, X, seed) for seed in [*range(8)] * 3
    )
    assert torch.get_num_threads() == 2
    for actual, desired in zip(parallel, serial * 3, strict=True):
        assert_array_equal(actual, desired, strict=True)


def test_loky_fits_equal_serial_ones():
    jobs = [
        (make(cls, random_state=seed, early_stopping=True), make_data(cls))
        for cls in all_methods().values()
        for seed in range(2)
    ]
    parallel = joblib.Parallel(n_jobs=2, backend="loky")(
        joblib.delayed(clone(estimator).fit_transform)(X) for estimator, X in jobs
    )
    for (estimator, X), Z in zip(jobs, parallel, strict=True):
        assert_array_equal(Z, estimator.fit_transform(X), strict=True)


@pytest.mark.parametrize(
    "found, asked, used", [(1, None, 1), (2, None, 2), (2, 1, 1), (2, 2, 2), (2, 64, 2)]
)
def test_n_threads(found, asked, used, torch_threads):
    torch_threads(found)
    seen = set()

    def views(batch, source, generator):
        seen.add(torch.get_num_threads())
        return batch

    X = make_data(SCARF)
    estimator = make(SCARF, views=views, n_threads=asked).fit(X)
    assert estimator.n_threads_ == used
    assert seen == {used}
    assert torch.get_num_threads() == found
    estimator.transform(X)
    assert torch.get_num_threads() == found


def test_threads_are_restored_when_fits_overlap(torch_threads):
    """Two fits that meet inside: whoever leaves last finds another's pin in place."""
    torch_threads(2)
    X, meeting = make_data(SCARF), threading.Barrier(2)
    first_is_done, left_with = threading.Event(), {}

    def fit(name):
        n_calls = 0

        def views(batch, source, generator):
            nonlocal n_calls
            n_calls += 1
            if n_calls == 1:
                meeting.wait(60)
                if name == "second":
                    assert first_is_done.wait(60)
            return batch

        make(SCARF, views=views, early_stopping=False).fit(X)
        left_with[name] = torch.get_num_threads()
        if name == "first":
            first_is_done.set()

    threads = [threading.Thread(target=fit, args=(n,)) for n in ("first", "second")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert left_with == {"first": 2, "second": 2}
    assert torch.get_num_threads() == 2
    # New threads take the process's default, which the fits also set.
    found = []
    thread = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert found == [2]


# 6. Imports ---------------------------------------------------------------------------


def test_torch_is_imported_by_the_first_fit():
    code = """
import sys
def heavy():
    return sorted({"torch", "skorch", "matplotlib"} & set(sys.modules))
import sklearn_ssl
from sklearn_ssl import encoders, modalities, objectives, views
print(heavy())
from sklearn.base import clone
for cls in sklearn_ssl.all_methods().values():
    estimator = clone(cls(encoder=encoders.MLP(hidden=(4,)), max_epochs=1))
    estimator.set_params(encoder__hidden=(8,)).get_params()
    repr(estimator), estimator._repr_html_(), estimator.__sklearn_tags__()
    assert not hasattr(estimator, "n_iter_")
print(heavy())
import numpy as np
sklearn_ssl.SCARF(max_epochs=1).fit(np.eye(20))
print(heavy())
"""
    assert run_python(code) == "[]\n[]\n['skorch', 'torch']\n"


def test_errors_before_training_need_no_torch():
    code = """
import sys
import numpy as np
from sklearn_ssl import SCARF
for X, params in [(np.eye(9), {"batch_size": 0}), (np.full((9, 2), np.inf), {})]:
    try:
        SCARF(**params).fit(X)
    except ValueError:
        print("torch" in sys.modules)
"""
    assert run_python(code) == "False\nFalse\n"


# 7. Silence and callbacks -------------------------------------------------------------


@pytest.mark.parametrize("cls", METHODS)
def test_silent_by_default(cls, capfd, caplog):
    X = make_data(cls)
    with caplog.at_level(logging.DEBUG), warnings.catch_warnings():
        warnings.simplefilter("error")
        estimator = make(cls, early_stopping=True).fit(X).partial_fit(X)
        estimator.transform(X)
        estimator.score(X)
    assert capfd.readouterr() == ("", "")
    assert [r for r in caplog.records if "ssl" in r.name or "skorch" in r.name] == []


@pytest.mark.parametrize("cls", METHODS)
def test_verbose_shows_one_bar(cls, capfd):
    make(cls, verbose=1).fit(make_data(cls))
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    for word in cls.__name__, "loss=", "std=":
        assert word in err


class Recorder:
    """A scikit-learn callback that notes what it is told."""

    def __init__(self, stop_after=None, fail_at=None):
        self.stop_after = stop_after
        self.fail_at = fail_at
        self.events = []
        self.estimators = []

    def setup(self, estimator, context):
        self.events.append("setup")

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None):
        self.events.append(f"begin {context.task_name}")
        self.X = X

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        self.events.append(f"end {context.task_name}")
        if context.task_name != "epoch":
            return False
        self.estimators.append(fitted_estimator)
        if len(self.estimators) == self.fail_at:
            raise RuntimeError("the callback failed")
        return len(self.estimators) == self.stop_after


EPOCH = ["begin epoch", "end epoch"]


@pytest.fixture
def callbacks():
    pytest.importorskip("sklearn.callback", reason="scikit-learn < 1.9: no callbacks")


@pytest.mark.parametrize("cls", METHODS)
def test_callbacks_see_each_epoch(cls, callbacks):
    X = make_data(cls)
    recorder = Recorder()
    estimator = make(cls).set_callbacks(recorder).fit(X)
    expected = ["setup", "begin fit", *EPOCH * 3, "end fit", "teardown"]
    assert recorder.events == expected
    assert recorder.X is X
    # Each epoch's estimator is what a fit that ended there would be like.
    embeddings = [fitted.transform(X) for fitted in recorder.estimators]
    assert [fitted.n_iter_ for fitted in recorder.estimators] == [1, 2, 3]
    assert not np.array_equal(embeddings[0], embeddings[1])
    if estimator.n_iter_ == 3 and not estimator.early_stopping:
        assert_array_equal(embeddings[2], estimator.transform(X))
    # Watching changes nothing.
    assert_array_equal(make(cls).fit_transform(X), estimator.transform(X))


@pytest.mark.parametrize("cls", METHODS)
def test_callback_stops_training(cls, callbacks):
    X = make_data(cls)
    recorder = Recorder(stop_after=2)
    estimator = make(cls, max_epochs=5).set_callbacks(recorder).fit(X)
    assert estimator.n_iter_ == 2
    assert recorder.events[-2:] == ["end fit", "teardown"]
    assert estimator.transform(X).shape[0] == len(X)


@pytest.mark.parametrize("cls", METHODS)
def test_callbacks_are_torn_down_after_an_error(cls, callbacks, monkeypatch):
    X = make_data(cls)
    recorder = Recorder(fail_at=2)
    with pytest.raises(RuntimeError, match="the callback failed"):
        make(cls).set_callbacks(recorder).fit(X)
    assert recorder.events == ["setup", "begin fit", *EPOCH * 2, "teardown"]
    recorder = Recorder()
    spoil_loss(monkeypatch, cls, interrupt, after=0)
    estimator = make(cls).set_callbacks(recorder)
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(X)
    assert recorder.events == ["setup", "begin fit", "begin epoch", "teardown"]
    assert not hasattr(estimator, "n_iter_")


# 8. Errors before training ------------------------------------------------------------


BAD_PARAMETERS = [
    *[("max_epochs", value) for value in (-1, 1.5, "many", None, True)],
    *[("max_time", value) for value in (0, -1, "long")],
    *[("batch_size", value) for value in (0, 1, 2.5, "big", None)],
    *[("learning_rate", value) for value in (0, -1, "fast", None, np.nan)],
    *[("weight_decay", value) for value in (-1e-4, "none")],
    *[("max_grad_norm", value) for value in (0, -1, "one")],
    *[("validation_fraction", value) for value in (0, 1, -0.1, None)],
    *[("n_iter_no_change", value) for value in (0, 1.5, None)],
    *[("tol", value) for value in (-1, None)],
    *[("n_threads", value) for value in (0, -1, 1.5, "all")],
    *[("optimizer", value) for value in ("lion", None, torch.optim.Adam)],
    *[("precision", value) for value in ("float16", 32)],
    *[("device", value) for value in ("abacus", "cuda:99", None, 1.5)],
    *[("modality", value) for value in ("smell", None, 3)],
    *[("encoder", value) for value in ("oracle", None, 3)],
    *[("views", value) for value in ("holiday", None, 3)],
    *[("random_state", value) for value in ("seed", -1, 1.5)],
    *[("early_stopping", "yes"), ("warm_start", "no"), ("verbose", "loud")],
]


@pytest.mark.parametrize("parameter, value", BAD_PARAMETERS)
@pytest.mark.parametrize("cls", METHODS)
def test_bad_parameter_is_named_before_training(cls, parameter, value, monkeypatch):
    if parameter not in cls().get_params():
        pytest.skip(f"{cls.__name__} has no {parameter}")
    spoil_loss(monkeypatch, cls, lambda loss: pytest.fail("trained"), after=0)
    estimator = make(cls, **{parameter: value})
    for method in estimator.fit, estimator.partial_fit:
        with pytest.raises((ValueError, TypeError), match=parameter):
            method(make_data(cls))
    assert [name for name in vars(estimator) if name.endswith("_")] == []


@pytest.mark.parametrize("cls", METHODS)
def test_own_parameters_are_checked(cls, monkeypatch):
    """Numbers far out of any range and unknown words, for each of a method's own."""
    spoil_loss(monkeypatch, cls, lambda loss: pytest.fail("trained"), after=0)
    shared = {name for name, _ in BAD_PARAMETERS}
    for name, value in cls().get_params(deep=False).items():
        if name in shared or isinstance(value, bool):
            continue
        bad = "nonsense" if isinstance(value, str) else -1
        with pytest.raises(ValueError, match=name):
            make(cls, **{name: bad}).fit(make_data(cls))


@pytest.mark.parametrize("method", ["fit", "partial_fit", "transform", "score"])
@pytest.mark.parametrize("cls", TABLES)
def test_infinity_is_named_by_row_and_column(cls, method):
    good = pd.DataFrame(make_data(cls)[:50], columns=list("abcdefgh"))
    bad = good.copy()
    bad.iloc[17, 3] = np.inf
    estimator = make(cls)
    if method in ("transform", "score"):
        estimator.fit(good)
    with pytest.raises(ValueError, match=r"(?s)infinity.*[Rr]ow 17.*column 'd'.*NaN"):
        getattr(estimator, method)(bad)


@pytest.mark.parametrize("cls", TABLES)
def test_columns_differ_from_those_of_fit(cls):
    X = pd.DataFrame(make_data(cls)[:50], columns=list("abcdefgh"))
    estimator = make(cls).fit(X)
    Z = estimator.transform(X)
    for method in estimator.transform, estimator.score, estimator.partial_fit:
        with pytest.raises(ValueError, match="h"):
            method(X.drop(columns="h"))
        with pytest.raises(ValueError, match="surprise"):
            method(X.rename(columns={"c": "surprise"}))
        with pytest.raises(ValueError, match="order"):
            method(X[list("hgfedcba")])
    assert_array_equal(estimator.transform(X), Z)
    estimator = make(cls).fit(X.to_numpy())
    for method in estimator.transform, estimator.score, estimator.partial_fit:
        with pytest.raises(ValueError, match=r"X has 7 features, but .* 8 features"):
            method(X.to_numpy()[:, :7])


@pytest.mark.parametrize("cls", TABLES)
def test_tables_that_cannot_be_read(cls):
    X = make_data(cls)
    with pytest.raises((ValueError, TypeError), match=r"[Ss]parse"):
        make(cls).fit(csr_array(X))
    with pytest.raises(ValueError, match="minimum of 2 is required"):
        make(cls).fit(X[:1])
    with pytest.raises(ValueError, match="minimum of 1 is required"):
        make(cls).fit(X[:0])
    with pytest.raises(ValueError, match="0 feature"):
        make(cls).fit(X[:, :0])
    with pytest.raises(ValueError, match="1D array"):
        make(cls, modality="table").fit(X[:, 0])
    with pytest.raises(ValueError, match="Complex"):
        make(cls).fit(X + 1j)
    cells = X.astype(object)
    cells[4, 2] = ["a list"]
    with pytest.raises(TypeError, match=r"row 4 of column 2.*list"):
        make(cls).fit(cells)
    estimator = make(cls).fit(X)
    cells[4, 2] = "text"
    with pytest.raises(ValueError, match=r"Row 4 of column 2.*'text'"):
        estimator.transform(cells)


def test_arrays_whose_axes_are_ambiguous():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="channels='first'"):
        make(SimCLR).fit(rng.random((20, 3, 8, 3)))
    with pytest.raises(ValueError, match="channels='first'"):
        make(SimCLR).fit(rng.random((20, 8, 8, 8)))
    with pytest.raises(ValueError, match="modality='image'"):
        make(SimCLR).fit(rng.random((20, 8, 8)))
    with pytest.raises(ValueError, match=r"modality=Image\(shape="):
        make(SimCLR, modality="image").fit(rng.random((20, 64)))
    with pytest.raises(ValueError, match=r"shape=\(9, 9\) makes 81.*64 columns"):
        make(SimCLR, modality=Image(shape=(9, 9))).fit(rng.random((20, 64)))
    # The remedy that the message names is one.
    estimator = make(SimCLR, modality=Image(channels="first"), max_epochs=0)
    assert estimator.fit(rng.random((20, 3, 8, 3))).modality_.shape_ == (3, 8, 3)


def test_images_that_cannot_be_read():
    images = load_digits().images[:40].astype(np.float32)
    estimator = make(SimCLR, modality="image", max_epochs=0).fit(images)
    bad = images.copy()
    bad[7, 3, 3] = np.nan
    for method in estimator.transform, estimator.score, clone(estimator).fit:
        with pytest.raises(ValueError, match=r"NaN.*image 7"):
            method(bad)
    bad[7, 3, 3] = np.inf
    with pytest.raises(ValueError, match=r"infinity.*image 7"):
        estimator.transform(bad)
    with pytest.raises(ValueError, match=r"\(1, 8, 7\).*\(1, 8, 8\)"):
        estimator.transform(images[:, :, :7])
    with pytest.raises(ValueError, match=r"X\[1\] has shape"):
        estimator.transform([images[0], images[1, :5]])
    with pytest.raises(ValueError, match="minimum of 2 is required"):
        clone(estimator).fit(images[:1])


@pytest.mark.parametrize("cls", TABLES)
def test_modality_that_a_method_does_not_take(cls):
    if "image" in cls.modalities:
        pytest.skip(f"{cls.__name__} takes images")
    with pytest.raises(ValueError, match=f"{cls.__name__} takes modality 'table'"):
        make(cls).fit(np.zeros((20, 3, 8, 8)))


# 8. Divergence, collapse, Ctrl-C ------------------------------------------------------


def test_divergence_of_a_learning_rate():
    """By honest means: SGD with absurd steps."""
    X = make_data(SCARF)
    estimator = make(SCARF, optimizer="sgd", learning_rate=1e30)
    with pytest.raises(TrainingDivergedError, match="learning_rate") as caught:
        estimator.fit(X)
    assert caught.value.step >= 1
    assert 0 < caught.value.learning_rate <= 1e30
    good = caught.value.last_good
    assert good is None or np.isfinite(good.transform(X)).all()
    assert not hasattr(estimator, "n_iter_")


@pytest.mark.parametrize("cls", METHODS)
def test_divergence_keeps_the_last_good_weights(cls, monkeypatch):
    X = make_data(cls)
    params = {"batch_size": 50, "early_stopping": False}
    good = make(cls, **params, max_epochs=3).fit(X)
    spoil_loss(monkeypatch, cls, become_nan, after=5)  # two steps an epoch
    with pytest.raises(TrainingDivergedError, match=r"nan at step 6 \(epoch 3") as info:
        make(cls, **params, max_epochs=3).fit(X)
    error = info.value
    assert error.step == 6
    assert 0 < error.learning_rate < good.learning_rate_
    assert error.last_good.n_iter_ == len(error.last_good.loss_curve_) == 2
    assert error.last_good.loss_curve_ == good.loss_curve_[:2]
    Z = error.last_good.transform(X)
    assert np.isfinite(Z).all()
    again = pickle.loads(pickle.dumps(error.last_good))
    assert_array_equal(again.transform(X), Z)


@pytest.mark.parametrize("cls", METHODS)
def test_divergence_in_the_first_epoch(cls, monkeypatch):
    spoil_loss(monkeypatch, cls, become_nan, after=1)
    with pytest.raises(TrainingDivergedError) as caught:
        make(cls, batch_size=10).fit(make_data(cls))
    assert caught.value.step == 2
    assert caught.value.last_good is None


def test_divergence_crosses_processes():
    X = make_data(DenoisingAutoencoder)
    estimator = make(DenoisingAutoencoder, max_epochs=9, optimizer="sgd")
    estimator.set_params(learning_rate=100.0)
    with pytest.raises(TrainingDivergedError) as here:
        estimator.fit(X)
    with pytest.raises(TrainingDivergedError) as there:
        joblib.Parallel(n_jobs=2, backend="loky")(
            joblib.delayed(estimator.fit)(X) for _ in range(2)
        )
    here, there = here.value, there.value
    assert str(here) == str(there)
    assert (here.step, here.learning_rate) == (there.step, there.learning_rate)
    Z = here.last_good.transform(X)
    assert np.isfinite(Z).all()
    assert_array_equal(there.last_good.transform(X), Z)


@pytest.mark.parametrize("cls", METHODS)
def test_divergence_in_the_very_last_step(cls):
    """No loss comes after it, yet the weights are useless."""
    estimator = make(cls, max_epochs=1, learning_rate=1e30, optimizer="sgd")
    with pytest.raises(TrainingDivergedError, match="learning_rate"):
        estimator.fit(make_data(cls))


@pytest.mark.parametrize("cls", METHODS)
def test_equal_rows_warn_of_collapse(cls):
    X = np.repeat(make_data(cls)[:1], 50, axis=0)
    with pytest.warns(CollapseWarning, match=cls.__name__) as caught:
        estimator = make(cls).fit(X)
    assert caught[0].filename == __file__
    assert np.isfinite(estimator.transform(X)).all()
    with pytest.warns(CollapseWarning) as caught:
        make(cls).partial_fit(X)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("cls", METHODS)
def test_real_rows_do_not_warn_of_collapse(cls):
    with warnings.catch_warnings():
        warnings.simplefilter("error", CollapseWarning)
        estimator = make(cls, max_epochs=10).fit(make_data(cls))
    assert min(estimator.embedding_std_curve_) > 0.05


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("cls", METHODS)
def test_interrupt_is_raised_again(cls, method, monkeypatch):
    spoil_loss(monkeypatch, cls, interrupt, after=1)
    estimator = make(cls, batch_size=20)
    with pytest.raises(KeyboardInterrupt):
        getattr(estimator, method)(make_data(cls))
    assert vars(estimator) == vars(make(cls, batch_size=20))


def bad_rows(cls):
    X = make_data(cls).copy()
    X[(3,) * X.ndim] = np.inf
    return X


@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("kind", ["data", "interrupt", "fail", "become_nan"])
@pytest.mark.parametrize("start", ["fit", "partial_fit"])
@pytest.mark.parametrize("cls", METHODS)
def test_failed_refit_leaves_the_old_model_whole(
    cls, start, method, kind, warm_start, monkeypatch
):
    X = make_data(cls)
    estimator = make(cls, warm_start=warm_start, batch_size=20)
    getattr(estimator, start)(X[:80])
    Z, score, before = estimator.transform(X), estimator.score(X), vars(estimator)
    before = dict(before)
    curves = {name: list(v) for name, v in before.items() if isinstance(v, list)}
    refit = getattr(estimator, method)
    if kind == "data":
        with pytest.raises(ValueError, match="infinity"):
            refit(bad_rows(cls))
    else:
        error = {"interrupt": KeyboardInterrupt, "fail": RuntimeError}
        with monkeypatch.context() as patch:
            spoil_loss(patch, cls, globals()[kind], after=3)
            with pytest.raises(error.get(kind, TrainingDivergedError)):
                refit(X)
    after = vars(estimator)
    assert list(after) == list(before)
    assert all(after[name] is before[name] for name in before)
    assert all(after[name] == curve for name, curve in curves.items())
    assert estimator.score(X) == score
    assert_array_equal(estimator.transform(X), Z, strict=True)
    # The estimator still works.
    refit(X)
    assert not np.array_equal(estimator.transform(X), Z)


def test_failed_partial_fit_can_be_repeated(monkeypatch):
    """The next call goes on from before the failure."""
    X = make_data(SCARF)
    estimator = make(SCARF, batch_size=20).partial_fit(X)
    with monkeypatch.context() as patch:
        spoil_loss(patch, SCARF, fail, after=2)
        with pytest.raises(RuntimeError):
            estimator.partial_fit(X)
    estimator.partial_fit(X)
    assert estimator.n_iter_ == len(estimator.loss_curve_) == 2
    assert len(estimator.embedding_std_curve_) == 2


def test_fits_leave_nothing_behind():
    """No reference cycle keeps the data alive after a fit."""
    X = make_data(SCARF)
    estimator = make(SCARF).fit(X)
    gc.collect()
    n_before = _n_floats_in_tensors()
    for _ in range(3):
        estimator.fit(X)
    gc.collect()
    assert _n_floats_in_tensors() <= n_before


def _n_floats_in_tensors():
    tensors = [x for x in gc.get_objects() if type(x) is torch.Tensor]
    return sum(x.numel() for x in tensors)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("cls", METHODS)
def test_fitted_on_a_gpu_loads_without_one(cls, tmp_path):
    X = make_data(cls)
    estimator = make(cls, device="auto").fit(X)
    assert estimator.device_ == "cuda"
    joblib.dump((estimator, X), tmp_path / "fitted")
    code = f"""
import joblib, torch
assert not torch.cuda.is_available()
estimator, X = joblib.load({str(tmp_path / "fitted")!r})
joblib.dump(estimator.transform(X), {str(tmp_path / "Z")!r})
"""
    run_python(code, CUDA_VISIBLE_DEVICES="")
    Z = joblib.load(tmp_path / "Z")
    np.testing.assert_allclose(Z, estimator.transform(X), rtol=1e-2, atol=1e-2)
