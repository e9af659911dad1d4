"""What do tables too large to copy cost in memory and time?

The table has 1 000 000 rows and 50 columns of float32: rows of `cells` (modeldata),
drawn with replacement, each cell changed by about 1 %. It is a memory map, or it is
held in memory.

- memory: by how much a process grows, at its peak, beyond what it holds with the
  libraries loaded and the table open, in sizes of the table: memory of its own
  (`RssAnon`), and all of it, with the pages of the file that the system keeps while
  there is room (`VmRSS`). Of `transform` the embedding, which it returns, is
  subtracted. Each line is a process of its own. "copied" is what small tables are.
- steps: a training step on the streamed table over the same step on a copy in memory,
  and over the floor of step_overhead.py: forward, loss, backward and optimizer on views
  made in advance. Medians over repetitions of the ratio within one. The first steps do
  not count: in the first one the rows are read from which views borrow, once in a fit.
  How many of the later ones that one takes is a column of its own. SimCLR looks for
  neighbours in the first epoch alone (of ten by default), so it has lines for both.

    python benchmarks/large_tables.py --save large_tables
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from datasets import load_table
from step_overhead import RESULTS, _Replay

from sklearn_ssl import SCARF, DenoisingAutoencoder, SimCLR
from sklearn_ssl.engine.batches import Rows, TensorSource
from sklearn_ssl.engine.optimization import make_optimizer
from sklearn_ssl.modalities import Tabular, streaming

N_COLUMNS, BATCH_SIZE, N_BATCHES = 50, 256, 50
N_FIRST_STEPS = 20
METHODS = {method.__name__: method for method in (SCARF, DenoisingAutoencoder, SimCLR)}


def write_table(path, n_rows):
    """Write a table of the size to a file, some rows at a time."""
    cells = load_table("cells")[0].to_numpy(np.float32)[:, :N_COLUMNS]
    shape = n_rows, N_COLUMNS
    X = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
    rng = np.random.default_rng(0)
    for start in range(0, n_rows, 10_000):
        rows = cells[rng.integers(len(cells), size=min(10_000, n_rows - start))]
        noise = rng.standard_normal(rows.shape, dtype=np.float32)
        X[start : start + len(rows)] = rows * (1 + 0.01 * noise)
    X.flush()


def make(method, **params):
    return METHODS[method](
        **{"batch_size": BATCH_SIZE, "n_threads": 1, "random_state": 0} | params
    )


# Memory -------------------------------------------------------------------------------


def resident():
    """Bytes of memory: the process's own, and all that is resident."""
    lines = Path("/proc/self/status").read_text().splitlines()
    sizes = dict(line.split(":", 1) for line in lines)
    return [1024 * int(sizes[key].split()[0]) for key in ("RssAnon", "VmRSS")]


def peak_of(function):
    """What a function returns, and the peaks of memory while it runs."""
    samples, done = [resident()], threading.Event()

    def sample():
        while not done.wait(0.002):
            samples.append(resident())

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        result = function()
    finally:
        samples.append(resident())
        done.set()
        thread.join()
    return result, np.max(samples, axis=0)


def measure_memory(path, method, held, max_time):
    """In this process: peaks of fit and transform in sizes of the table."""
    torch.set_num_threads(1)
    X = np.load(path, mmap_mode="r")
    make(method, max_epochs=1).fit(np.array(X[:1000])).transform(X[:10])
    if held != "memmap":
        X = np.array(X)
    if held == "ndarray, copied":
        streaming._LARGEST_COPY = np.inf
    before = np.array(resident())
    estimator, fitting = peak_of(lambda: make(method, max_time=max_time).fit(X))
    between = np.array(resident())
    Z, transforming = peak_of(lambda: estimator.transform(X))
    fit = (fitting - before) / X.nbytes
    transform = (transforming - between - Z.nbytes) / X.nbytes
    return {
        "rows": len(X),
        "method": method,
        "table": held,
        "fit, own": fit[0],
        "fit, all": fit[1],
        "transform, own": transform[0],
        "transform, all": transform[1],
    }


def memory_in_a_process(*args):
    """`measure_memory` in a fresh process."""
    command = [sys.executable, __file__, "--measure", json.dumps(args)]
    return json.loads(subprocess.check_output(command, text=True))


# Steps --------------------------------------------------------------------------------


def measure_steps(path, method, numeric, epoch, seconds, n_repetitions):
    """Ratios of a training step's time, for a way of scaling numbers and an epoch."""
    torch.set_num_threads(1)
    X = np.load(path, mmap_mode="r")
    modality = Tabular(numeric=numeric)
    estimator = make(method, modality=modality, max_time=seconds).fit(X)
    streamed = estimator._read(estimator.modality_, X)
    copied = estimator.modality_.to_arrays(X)
    floor = make_floor(estimator, copied)
    trainings = [estimator._start(streamed, None, 1000) for _ in range(2)]
    times = []
    for _ in range(n_repetitions + 1):
        pair = zip(trainings, (streamed, copied), strict=True)
        ours = [step_times(*one, epoch) for one in pair]
        times.append([*ours, (floor(seconds), 0)])
    times = np.array(times[1:])  # the first warms up
    streamed_s, copied_s, floor_s = times[..., 0].T
    return {
        "rows": len(X),
        "method": method,
        "epoch": epoch,
        "columns by quantiles": estimator.modality_.scaling_.count("quantile"),
        "streamed/copied": np.median(streamed_s / copied_s),
        "streamed/floor": np.median(streamed_s / floor_s),
        "copied/floor": np.median(copied_s / floor_s),
        "first/later": np.median(times[:, 0, 1] / streamed_s),
    }


def step_times(training, arrays, epoch):
    """Seconds of a later step, mean of an epoch, and of the first with its set-up."""

    def begin_epoch():
        if epoch == "later":  # whichever they are: all neighbours are known
            training.task.neighbors.found.zero_()
            training.task.neighbors.n_unknown = 0

    ends, after_step = [], training.after_step

    def note(loss):
        ends.append(time.perf_counter())
        return after_step(loss)

    training.after_step = note
    try:
        training.run(arrays, 1, begin_epoch=begin_epoch)
    finally:
        del training.after_step
    later = ends[N_FIRST_STEPS:]
    return (later[-1] - later[0]) / (len(later) - 1), ends[0] - training.started


def make_floor(estimator, arrays):
    """A function that returns the seconds of a bare step: see step_overhead.py."""
    training = estimator._start(arrays, None, 1000)
    task = training.task
    task.neighbors = None  # to look for them is no part of the floor
    source = task.data = TensorSource(arrays, training.device)
    rows = torch.arange(N_BATCHES * BATCH_SIZE) * (source.n_rows // 20_000)
    batches = [batch for batch, _ in Rows(source, rows, BATCH_SIZE)]
    views_of, counter = task.views, _Replay([batches[0]])
    task.views = counter
    estimator._loss(task, batches[0])
    task.views = _Replay(
        [
            views_of(batch, source.donors, task.generator)
            for batch in batches
            for _ in range(counter.position)
        ]
    )
    params = [{"params": list(task.parameters())}]
    optimizer = make_optimizer(params, 1e-3, weight_decay=1e-4)
    task.train()

    def floor(seconds):
        n_steps, started = 0, time.perf_counter()
        while time.perf_counter() - started < seconds:
            for batch in batches:
                optimizer.zero_grad()
                estimator._loss(task, batch).backward()
                optimizer.step()
            n_steps += len(batches)
        return (time.perf_counter() - started) / n_steps

    return floor


# All ----------------------------------------------------------------------------------


def memory(folder, options):
    """Rows of results, of the table and of one a twentieth of its size."""
    for n_rows in (options.rows, options.rows // 20):
        path = f"{folder}/{n_rows}.npy"
        write_table(path, n_rows)
        for method in METHODS:
            for held in ("memmap", "ndarray", "ndarray, copied"):
                yield memory_in_a_process(path, method, held, options.max_time)


def steps(folder, options):
    """Rows of results, for each method by means alone and partly by quantiles."""
    path = f"{folder}/steps.npy"
    write_table(path, options.rows)
    seconds, n = options.max_time / 2, options.repetitions
    for method in METHODS:
        for epoch in ("first", "later") if method == "SimCLR" else ("any",):
            for numeric in ("standard", "auto"):
                yield measure_steps(path, method, numeric, epoch, seconds, n)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--max-time", type=float, default=10, help="seconds of a fit")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--save", help="beginning of the names of two CSV files")
    parser.add_argument("--parts", nargs="+", default=["memory", "steps"])
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure_memory(*json.loads(options.measure))))
        return
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        if "memory" in options.parts:
            results["memory"] = list(memory(folder, options))
        if "steps" in options.parts:
            results["steps"] = list(steps(folder, options))
    for name, rows in results.items():
        table = pd.DataFrame(rows)
        print(table.round(2).to_string(index=False))
        if options.save:
            RESULTS.mkdir(exist_ok=True)
            path = RESULTS / f"{options.save}_{name}.csv"
            table.round(3).to_csv(path, index=False)


if __name__ == "__main__":
    main()
