"""What does the estimator cost over bare torch?

For each method and encoder, in one run and interleaved, on one thread and on two:

- floor: a plain loop over the same network's forward, loss, backward and optimizer step
  on views made in advance,
- views: making those views,
- fit: a training step of the estimator, views included,
- transform against a bare batched forward pass of the same encoder.

Prints ratios, medians over repetitions of the ratio within one, so that a machine that
slows down in between slows both; seconds are shown for orientation only.

    python benchmarks/step_overhead.py --save step_overhead.csv
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from sklearn_ssl import all_methods
from sklearn_ssl.engine.batches import Rows, TensorSource
from sklearn_ssl.engine.optimization import make_optimizer

RESULTS = Path(__file__).parent / "results"
BATCH_SIZE = 256


def table():
    return np.random.default_rng(0).normal(size=(20_000, 50)).astype(np.float32)


def images(n):
    shape = (n, 3, 32, 32)
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


SHARED = {
    "batch_size": BATCH_SIZE, "max_epochs": 1, "early_stopping": False,
    "random_state": 0,
}  # fmt: skip


def cases():
    """Every method on every encoder: name, estimator, data."""
    for name, method in all_methods().items():
        if "table" in method.modalities:
            yield f"{name}, MLP 4x256", method(**SHARED), table()
        if "image" in method.modalities:
            yield f"{name}, ConvNet, 3x32x32", method(**SHARED), images(5_000)
            resnet = method(encoder="resnet18", **SHARED)
            yield f"{name}, ResNet-18, 3x32x32", resnet, images(32)


@dataclass
class _Replay:
    """Stands in for a task's views: returns views made in advance, in turn."""

    views: list
    position: int = 0

    def __call__(self, batch, source, generator):
        view = self.views[self.position % len(self.views)]
        self.position += 1
        return view


def synchronize(device):
    if device.type == "cuda":
        torch.cuda.synchronize()


def seconds(function, device):
    """Seconds that a call takes, work on the device included."""
    synchronize(device)
    started = time.perf_counter()
    function()
    synchronize(device)
    return time.perf_counter() - started


def interleave(functions, n_repetitions, device):
    """Seconds of each function in turn, shape (repetitions, functions).

    Quick ones are repeated for five seconds: one call says little about them.
    """
    times = []
    while len(times) <= n_repetitions or np.sum(times) < 5:
        times.append([seconds(function, device) for function in functions])
    return np.array(times[1:])  # the first warms up


def measure(name, estimator, X, n_threads, n_repetitions):
    """Interleave floor, views and fit steps, then transform and forward passes."""
    torch.set_num_threads(n_threads)
    estimator.set_params(n_threads=n_threads).fit(X)
    arrays = estimator._read(estimator.modality_, X)
    # Two trainings from one state: ours, and the bare loop on the same task's copy.
    training = estimator._start(arrays, None, max_epochs=10**6)
    bare = estimator._start(arrays, None, max_epochs=10**6)
    device, task = training.device, bare.task
    source = TensorSource(arrays, device)
    task.data = source
    rows = torch.arange(source.n_rows)
    batches = [
        task.inputs.prepare(batch) for batch, _ in Rows(source, rows, BATCH_SIZE)
    ]
    views_of = task.views
    # As many views as the method draws from one batch.
    counter = _Replay([batches[0]])
    task.views = counter
    estimator._loss(task, batches[0])
    n_views = counter.position

    def make_views():
        with torch.no_grad():
            return [
                views_of(batch, source.donors, task.generator)
                for batch in batches
                for _ in range(n_views)
            ]

    task.views = _Replay(make_views())
    params = [{"params": list(task.parameters())}]
    optimizer = make_optimizer(params, 1e-3, weight_decay=1e-4)
    task.train()

    def floor():
        for batch in batches:
            optimizer.zero_grad()
            with torch.autocast(device.type, torch.bfloat16, enabled=task.autocast):
                loss = estimator._loss(task, batch)
            loss.backward()
            optimizer.step()

    def fit():
        training.run(arrays, 1)  # an epoch, with all that surrounds its steps

    steps = interleave((floor, make_views, fit), n_repetitions, device)
    encoder = estimator._network.task.encoder
    inputs = [task.inputs(batch).detach() for batch in batches]

    def forward():
        with torch.inference_mode():
            for batch in inputs:
                encoder(batch).cpu()

    def transform():
        estimator.transform(X)

    passes = interleave((forward, transform), n_repetitions, device)
    floor_s, views_s, fit_s = steps.T
    return {
        "case": name,
        "device": device_name(device),
        "threads": n_threads,
        "floor_ms": 1e3 * np.median(floor_s) / len(batches),
        "views/floor": np.median(views_s / floor_s),
        "step/floor": np.median(fit_s / floor_s),
        "step/(floor+views)": np.median(fit_s / (floor_s + views_s)),
        "transform/forward": np.median(passes[:, 1] / passes[:, 0]),
    }


def device_name(device):
    return torch.cuda.get_device_name() if device.type == "cuda" else device.type


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--cases", nargs="+", help="parts of names of cases")
    parser.add_argument("--save", help="name of a CSV file in benchmarks/results")
    options = parser.parse_args()
    rows = []
    for name, estimator, X in cases():
        if options.cases and not any(part in name for part in options.cases):
            continue
        for n_threads in options.threads:
            rows.append(measure(name, estimator, X, n_threads, options.repetitions))
            print(rows[-1], flush=True)
    results = pd.DataFrame(rows)
    print(results.round(2).to_string(index=False))
    if options.save:
        RESULTS.mkdir(exist_ok=True)
        results.round(3).to_csv(RESULTS / options.save, index=False)


if __name__ == "__main__":
    main()
