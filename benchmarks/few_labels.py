"""How good are frozen features when few rows are labelled?

Pretrains on the training rows without labels, then fits a logistic regression of
default settings (max_iter aside) on a few labelled training rows of each class and
scores it on test rows. Prints mean and standard deviation over draws of the labelled
rows and over seeds, each of which has its own split into training and test rows, and
the gain over raw features paired by draw.

Defaults were chosen on the split of seed 0 of mnist, wa_churn, cells, hpc_data and
mlc_churn, those of SimCLR on tables also on seeds 100 and 101 of ten tables; the seeds
here begin at 1.

    python benchmarks/few_labels.py --data wa_churn cells hpc_data --seeds 3
    python benchmarks/few_labels.py --data mnist digits
"""

import argparse
import time
from pathlib import Path

import pandas as pd
from datasets import IMAGES, baselines, split
from probing import draw_labels, metric_of
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from sklearn_ssl import SimCLR, all_methods

RESULTS = Path(__file__).parent / "results"


# Where to start; methods.py compares all.
METHODS = {"image": ("SimCLR",), "table": ("DenoisingAutoencoder", "SCARF", "SimCLR")}


def transformers(name, seed, **parameters):
    """The baselines and the first methods to try on a data set, unfitted, by name."""
    modality = "image" if name in IMAGES else "table"
    parameters = {"modality": modality, "random_state": seed, **parameters}
    methods = {name: all_methods()[name](**parameters) for name in METHODS[modality]}
    return {
        **baselines(name, seed),
        "untrained": SimCLR(**{**parameters, "max_epochs": 0}),
        **methods,
    }


def evaluate(name, *, sizes, n_draws, seeds, only=None, n_test=None, **parameters):
    """Score all transformers on one data set.

    Returns
    -------
    results : DataFrame
        A row for each method, seed, number of labels and draw.
    """
    rows = []
    for seed in seeds:
        X_train, X_test, y_train, y_test = split(name, n_test, seed)
        metric, score = metric_of(name, y_train)
        for method, transformer in transformers(name, seed, **parameters).items():
            if only and method not in (*only, "raw"):
                continue
            started = time.perf_counter()
            Z_train = transformer.fit(X_train).transform(X_train)
            seconds = time.perf_counter() - started
            Z_test = transformer.transform(X_test)
            classifiers = {method: LogisticRegression(max_iter=1000)}
            if method == "raw":
                classifiers["random forest"] = RandomForestClassifier(random_state=seed)
            for label, classifier in classifiers.items():
                for size in sizes:
                    for draw in range(n_draws):
                        labelled = draw_labels(y_train, size, draw)
                        classifier.fit(Z_train[labelled], y_train[labelled])
                        value = score(classifier, Z_test, y_test)
                        row = (name, metric, label, seed, size, draw, value, seconds)
                        rows.append(row)
    columns = "data metric method seed labels draw score seconds".split()
    return pd.DataFrame(rows, columns=columns)


def summarize(results):
    """Mean, spread and gain over raw features, by data set, labels and method."""
    keys = ["data", "seed", "labels", "draw"]
    raw = results[results.method == "raw"].set_index(keys).score
    gain = results.set_index(keys).score - raw.reindex(results.set_index(keys).index)
    results = results.assign(gain=gain.to_numpy())
    groups = results.groupby(["data", "metric", "labels", "method"], sort=False)
    return groups.agg(
        mean=("score", "mean"),
        std=("score", "std"),
        gain=("gain", "mean"),
        seconds=("seconds", "mean"),
    ).reset_index()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", nargs="+", default=["wa_churn", "cells", "hpc_data"])
    parser.add_argument("--labels", nargs="+", type=int, default=[10])
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="+", help="methods to run beside raw")
    parser.add_argument("--save", help="name of a CSV file in benchmarks/results")
    options = parser.parse_args()
    results = pd.concat(
        evaluate(
            name,
            sizes=options.labels,
            n_draws=options.draws,
            seeds=range(1, 1 + options.seeds),
            only=options.only,
        )
        for name in options.data
    )
    table = summarize(results)
    print(table.round(3).to_string(index=False))
    if options.save:
        RESULTS.mkdir(exist_ok=True)
        table.round(4).to_csv(RESULTS / options.save, index=False)


if __name__ == "__main__":
    main()
