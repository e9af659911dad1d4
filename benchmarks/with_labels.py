"""Does a pretraining that sees the labels, or views of unlabelled rows, help?

Two ways to let labels and unlabelled rows meet, each beside the same without:

- `MaskedFeatures(target_aware=True)`, which is shown what y of a row is likely to be,
  and the same without y; both before logistic regression,
- `VIME` with its semi-supervised part, whose head is trained on labelled rows and on
  the agreement of views of all rows (the encoder stays as it is), the same for as many
  steps without that agreement, and before logistic regression.

Classifiers see 10 or 50 labelled rows a class, drawn once a seed, or all training rows.
Seeds, each with its own split, begin at 1. Prints points over logistic regression on
the columns, mean and standard deviation over seeds.

    python benchmarks/with_labels.py --jobs 2 --save with_labels.csv
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from datasets import baselines, split
from joblib import Parallel, delayed
from probing import draw_labels, metric_of
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from sklearn_ssl import VIME, FineTuning, MaskedFeatures, SSLClassifier

RESULTS = Path(__file__).parent / "results"
TABLES = ["wa_churn", "hpc_data", "cells"]
SIZES = [10, 50, "all"]
N_STEPS, BATCH_SIZE = 1000, 128  # of VIME's semi-supervised part
COLUMNS = "columns"


def head(n_labels, consistency):
    """Train the head alone for the paper's number of steps."""
    return FineTuning(
        encoder_factor=0.0,
        consistency=consistency,
        batch_size=BATCH_SIZE,
        max_epochs=-(-N_STEPS // -(-n_labels // BATCH_SIZE)),
        early_stopping=False,
    )


def evaluate(name, seed):
    """Scores on one split: a DataFrame with a row for each size and way."""
    warnings.simplefilter("ignore", ConvergenceWarning)  # too few labels to matter
    X_train, X_test, y_train, y_test = split(name, seed=seed)
    metric, score = metric_of(name, y_train)
    shared = {"modality": "table", "n_threads": 1, "random_state": seed}
    fitted = {
        COLUMNS: baselines(name, seed)["raw"].fit(X_train),
        "MaskedFeatures": MaskedFeatures(**shared).fit(X_train),
        "VIME": VIME(**shared).fit(X_train),
    }
    rows = []
    for size in SIZES:
        few = np.arange(len(y_train))
        if size != "all":
            few = draw_labels(y_train, size, seed)
        known = np.full(len(y_train), -1)
        known[few] = y_train[few]
        aware = MaskedFeatures(target_aware=True, unlabeled=-1, **shared)
        features = fitted | {"MaskedFeatures, aware": aware.fit(X_train, known)}
        models = {}
        for way, transformer in features.items():
            Z = transformer.transform(X_train)
            model = LogisticRegression(max_iter=1000).fit(Z[few], y_train[few])
            models[way] = model, transformer.transform(X_test)
        for way, consistency in ("VIME, head", 0.0), ("VIME, head and views", 1.0):
            tuned = SSLClassifier(
                FrozenEstimator(fitted["VIME"]),
                fine_tune=head(len(few), consistency),
                unlabeled=-1,
            )
            models[way] = tuned.fit(X_train, known), X_test
        for way, (model, Z) in models.items():
            row = {"data": name, "metric": metric, "seed": seed, "labels": size}
            rows.append(row | {"way": way, "score": score(model, Z, y_test)})
    return pd.DataFrame(rows)


def show(results):
    """Print points over the columns, by table and number of labels."""
    index = ["labels", "data", "seed"]
    scores = results.pivot_table(index=index, columns="way", values="score", sort=False)
    gains = 100 * scores.sub(scores[COLUMNS], axis=0).drop(columns=COLUMNS)
    by_table = gains.groupby(index[:2], sort=False)
    mean, spread = by_table.mean(), by_table.std()
    print((mean.map("{:+.1f}".format) + spread.map(" ± {:.1f}".format)).to_string())
    print(gains.groupby("labels", sort=False).mean().round(1).to_string(), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", nargs="+", default=TABLES)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1, help="processes at once")
    parser.add_argument("--save", help="name of a CSV file in benchmarks/results")
    options = parser.parse_args()
    tasks = [(name, 1 + seed) for seed in range(options.seeds) for name in options.data]
    parallel = Parallel(n_jobs=options.jobs, return_as="generator_unordered")
    found = []
    for rows in parallel(delayed(evaluate)(*task) for task in tasks):
        print(*rows.iloc[0][["data", "seed"]], flush=True)
        found.append(rows.round({"score": 4}))
    results = pd.concat(found).sort_values(["data", "seed"], kind="stable")
    if options.save:
        RESULTS.mkdir(exist_ok=True)
        results.to_csv(RESULTS / options.save, index=False)
    show(results)


if __name__ == "__main__":
    main()
