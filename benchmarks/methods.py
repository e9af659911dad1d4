"""Which method for which data? All methods, on images and tables, for the same seconds.

Each method pretrains on the training rows without labels for the same seconds as every
other (by data set, or `--max-time`) on `--threads` threads; then a logistic regression
of default settings (max_iter aside) on few or all labels, and the nearest neighbours
among all, are scored on test rows. Beside the methods: raw columns or pixels, principal
components, and the encoder of each method as it was before training. Seeds, each with
its own split, begin at 1: defaults were chosen on those of seeds 0, 100 and 101.

Rows are appended to the CSV as soon as they are there, and what is there is not run
again. `--jobs` processes run at once: at most as many as there are cores, or the
seconds of one method are not those of another.

    python benchmarks/methods.py --jobs 2
    python benchmarks/methods.py --show
"""

import argparse
import time
import traceback
import warnings
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from datasets import IMAGES, baselines, split
from probing import draw_labels, metric_of
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from sklearn_ssl import all_methods

matplotlib.use("Agg")

RESULTS = Path(__file__).parent / "results"
# Seconds of a fit on one thread.
MAX_TIMES = {"mnist": 60, "photos": 30, "wa_churn": 20, "cells": 20, "hpc_data": 20}
SIZES = [5, 10, 50]  # labels a class
BASELINES = ["raw", "PCA"]
UNTRAINED = ", untrained"
KEYS = ["data", "seed", "max_time", "method"]


def names_of(data):
    """The baselines and the methods for a data set, trained and not."""
    modality = "image" if data in IMAGES else "table"
    methods = [
        name for name, method in all_methods().items() if modality in method.modalities
    ]
    return BASELINES + methods + [name + UNTRAINED for name in methods]


def make(data, seed, max_time, name, n_threads):
    """The baseline or method of that name, unfitted."""
    if name in BASELINES:
        return baselines(data, seed)[name]
    return all_methods()[name.removesuffix(UNTRAINED)](
        modality="image" if data in IMAGES else "table",
        max_epochs=0 if name.endswith(UNTRAINED) else "auto",
        max_time=max_time,
        n_threads=n_threads,
        random_state=seed,
    )


def measure(data, seed, max_time, name, n_threads, n_draws):
    """Fit one transformer and probe its features.

    Returns
    -------
    rows : list of dict
        A row for each probe.
    """
    X_train, X_test, y_train, y_test = split(data, seed=seed)
    metric, score = metric_of(data, y_train)
    transformer = make(data, seed, max_time, name, n_threads)
    started = time.perf_counter()
    transformer.fit(X_train)
    shared = {
        **dict(zip(KEYS, (data, seed, max_time, name), strict=True)),
        "metric": metric,
        "seconds": time.perf_counter() - started,
        "epochs": getattr(transformer, "n_iter_", 0),
    }
    Z_train, Z_test = transformer.transform(X_train), transformer.transform(X_test)

    def probe(classifier, labelled):
        with warnings.catch_warnings():
            # Raw pixels: the score is no other after more iterations.
            warnings.simplefilter("ignore", ConvergenceWarning)
            classifier.fit(Z_train[labelled], y_train[labelled])
        return score(classifier, Z_test, y_test)

    linear, neighbours = LogisticRegression(max_iter=1000), KNeighborsClassifier()
    rows = []
    for size in SIZES:
        draws = [draw_labels(y_train, size, draw) for draw in range(n_draws)]
        scores = [probe(linear, labelled) for labelled in draws]
        rows.append({"probe": "linear", "labels": size, "score": np.mean(scores)})
    for name, classifier in ("linear", linear), ("kNN", neighbours):
        value = probe(classifier, slice(None))
        rows.append({"probe": name, "labels": "all", "score": value})
    return [{**shared, **row} for row in rows]


def prepare_worker(n_threads):
    """Hold a process to its threads; import what a first fit would."""
    import torch
    from threadpoolctl import threadpool_limits

    import sklearn_ssl.engine.training  # noqa: F401

    torch.set_num_threads(n_threads)
    threadpool_limits(n_threads)


def run(tasks, path, *, n_jobs, n_threads, n_draws):
    """Measure all tasks in processes, append to the CSV; return those that failed."""
    failed = []
    context = get_context("spawn")  # a forked child of a user of threads may hang
    with ProcessPoolExecutor(
        n_jobs, context, initializer=prepare_worker, initargs=(n_threads,)
    ) as pool:
        running = {
            pool.submit(measure, *task, n_threads, n_draws): task for task in tasks
        }
        for i, future in enumerate(as_completed(running), 1):
            task = running[future]
            try:
                rows = pd.DataFrame(future.result())
            except Exception:
                traceback.print_exc()
                failed.append(task)
                continue
            rows.round(4).to_csv(path, mode="a", header=not path.exists(), index=False)
            scores = " ".join(f"{score:.3f}" for score in rows.score)
            print(f"{i}/{len(running)} {task}: {scores}", flush=True)
    return failed


def with_gains(results):
    """Add the gain over raw features of the same seed, probe and number of labels."""
    keys = ["data", "seed", "max_time", "probe", "labels"]
    raw = results[results.method == "raw"].set_index(keys).score.rename("raw")
    results = results.join(raw, on=keys)
    return results.assign(gain=results.score - results.raw)


def tables(results):
    """For each data set mean ± standard deviation over seeds, the best method first.

    The order is that of the mean of the linear probes. Methods before training follow
    those that were trained, the baselines come first.
    """
    found = {}
    for data, part in results.groupby("data", sort=False):
        part = part.assign(probe=part.probe + " " + part.labels)
        seeds = part.groupby(["method", "probe"], sort=False).score
        text = seeds.agg(lambda x: f"{x.mean():.3f} ± {x.std(ddof=0):.3f}").unstack()
        text = text[part.probe.unique()]
        text["seconds"] = part.groupby("method").seconds.mean().round().astype(int)
        rank = part[part.probe != "kNN all"].groupby("method").score.mean()
        kind = text.index.str.endswith(UNTRAINED) - 2 * text.index.isin(BASELINES)
        order = pd.DataFrame({"kind": kind, "rank": -rank[text.index]})
        found[data] = text.loc[order.sort_values(["kind", "rank"]).index]
    return found


def gains(results, labels="10"):
    """Points over raw features at so many labels a class, by method and data set.

    Mean ± standard deviation over seeds, and the gain of the same encoder untrained;
    methods of more data sets first, then by their mean gain.
    """
    part = results[(results.probe == "linear") & (results.labels == labels)]
    seeds = (100 * part.gain).groupby([part.method, part.data], sort=False)
    mean, std = seeds.mean().unstack(), seeds.std(ddof=0).unstack()
    names = [name for name in mean.index if name + UNTRAINED in mean.index]
    order = pd.DataFrame({"n": mean.notna().sum(axis=1), "mean": mean.mean(axis=1)})
    names = order.loc[names].sort_values(["n", "mean"], ascending=False).index
    text = {
        data: [
            f"{mean[data][name]:+.1f} ± {std[data][name]:.1f} "
            f"({mean[data][name + UNTRAINED]:+.1f})"
            if pd.notna(mean[data][name])
            else ""
            for name in names
        ]
        for data in mean
    }
    return pd.DataFrame(text, index=names)


def as_markdown(title, frame):
    """A DataFrame as a table of a Markdown file."""
    lines = [["method", *frame.columns], ["---"] * (1 + frame.shape[1])]
    lines += [[name, *map(str, row)] for name, *row in frame.itertuples(name=None)]
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"## {title}\n\n{body}\n"


def draw(results, path):
    """Gain over raw features: dots; circles for encoders before training."""
    from matplotlib import pyplot as plt

    linear = results[(results.probe == "linear") & (results.method != "raw")]
    linear = linear.assign(
        untrained=linear.method.str.endswith(UNTRAINED),
        method=linear.method.str.removesuffix(UNTRAINED),
    )
    sets = list(linear.data.unique())
    n_methods = linear.groupby("data").method.nunique().max()
    size = (3.6 * len(sets), 1.5 + 0.3 * n_methods)
    figure, axes = plt.subplots(
        1, len(sets), figsize=size, layout="constrained", squeeze=False
    )
    for ax, data in zip(axes[0], sets, strict=True):
        part = linear[linear.data == data]
        gains = part.groupby(["untrained", "method", "labels"]).gain.mean().unstack()
        trained = gains.loc[False]
        trained = trained.loc[trained.mean(axis=1).sort_values().index]
        before = gains.reindex([True], level=0).droplevel(0).reindex(trained.index)
        for i, labels in enumerate([*map(str, SIZES), "all"]):
            ax.plot(trained[labels], trained.index, "o", color=f"C{i}", label=labels)
            ax.plot(before[labels], before.index, "o", color=f"C{i}", fillstyle="none")
        ax.axvline(0, color="black", linewidth=0.8)
        ax.grid(axis="y", alpha=0.3)
        ax.set(title=f"{data}\n{part.metric.iloc[0]}")
    figure.supxlabel("gain over raw features (circles: encoder untrained)")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(
        handles, labels, title="labels a class", loc="outside upper center", ncols=4
    )
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", nargs="+", default=list(MAX_TIMES))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--max-time", type=float, help="seconds of a fit")
    parser.add_argument("--threads", type=int, default=1, help="of each process")
    parser.add_argument("--jobs", type=int, default=1, help="processes at once")
    parser.add_argument("--draws", type=int, default=5, help="of the labelled rows")
    parser.add_argument("--only", nargs="+", help="methods to run beside the baselines")
    parser.add_argument("--save", default="methods", help="name in benchmarks/results")
    parser.add_argument("--show", action="store_true", help="what is there; run none")
    options = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{options.save}.csv"
    shown = [*MAX_TIMES, *options.data]
    times = {data: options.max_time or MAX_TIMES[data] for data in shown}
    done = set()
    if path.exists():
        done = set(pd.read_csv(path)[KEYS].itertuples(index=False, name=None))
    tasks = [
        (data, seed, float(times[data]), name)
        for seed in range(1, 1 + options.seeds)
        for data in options.data
        for name in names_of(data)
        if not options.only
        or name.removesuffix(UNTRAINED) in (*BASELINES, *options.only)
    ]
    tasks = [task for task in tasks if task not in done and not options.show]
    failed = run(
        tasks,
        path,
        n_jobs=options.jobs,
        n_threads=options.threads,
        n_draws=options.draws,
    )
    results = pd.read_csv(path, dtype={"labels": str})
    results = with_gains(results[results.max_time == results.data.map(times)])
    found = gains(results)
    print(f"\npoints over raw features, 10 labels a class\n{found.to_string()}")
    text = ["# All methods: mean ± standard deviation over seeds\n"]
    text.append(as_markdown("Points over raw features at 10 labels (untrained)", found))
    for data, part in tables(results).items():
        print(f"\n{data}\n{part.to_string()}")
        metric = results.metric[results.data == data].iloc[0]
        title = f"{data}: {metric}, {times[data]:g} s a fit on {options.threads} thread"
        text.append(as_markdown(title, part))
    path.with_suffix(".md").write_text("\n".join(text))
    draw(results, path.with_suffix(".png"))
    print(f"\npicture: {path.with_suffix('.png')}")
    if failed:
        raise SystemExit(f"failed: {failed}")


if __name__ == "__main__":
    main()
