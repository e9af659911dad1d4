"""Do pretrained features help on tables, and where do they cost?

Every method pretrains on the training rows without labels. Classifiers then see 5, 10
or 50 labelled rows a class, or a tenth of the training rows (of targets: ten times as
many rows as of a class), and are scored on test rows by AUC, balanced accuracy (more
than two classes) or R2:

- on the columns: logistic or ridge regression, nearest neighbours, random forest,
  histogram boosting,
- on each method's features, and on those of an encoder before training: logistic or
  ridge regression; with `--boosting` histogram boosting too.

Prints for each number of labels the mean gain over regression on the columns, wins,
ties and losses against it (a tie: a paired test over seeds and draws says nothing at
5%), the worst table and the mean rank. Seeds begin at 1: defaults were chosen on the
split of seed 0 of mnist, wa_churn, cells, hpc_data and mlc_churn.

    python benchmarks/tables.py --save tables.csv
    python benchmarks/tables.py --openml credit-g --methods SimCLR
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from datasets import REGRESSION, TABLES_OF_THE_BENCHMARK, baselines, load, load_openml
from probing import draw_labels, metric_of
from scipy.stats import ttest_rel
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from sklearn_ssl import all_methods

RESULTS = Path(__file__).parent / "results"
METHODS = ["SimCLR", "SimSiam", "DenoisingAutoencoder", "SCARF", "SubTab"]
SIZES = [5, 10, 50, "10%"]
BASELINE = "columns, regression"
TARGETS_A_CLASS = 10


def predictors(is_regression, seed):
    """What may follow features, by name."""
    if is_regression:
        return {
            "regression": Ridge(),
            "neighbours": KNeighborsRegressor(),
            "random forest": RandomForestRegressor(random_state=seed),
            "boosting": HistGradientBoostingRegressor(random_state=seed),
        }
    return {
        "regression": LogisticRegression(max_iter=1000),
        "neighbours": KNeighborsClassifier(),
        "random forest": RandomForestClassifier(random_state=seed),
        "boosting": HistGradientBoostingClassifier(random_state=seed),
    }


def features(name, methods, seed, max_time):
    """Transformers, unfitted, and the names of the predictors that follow each."""
    everything = list(predictors(False, 0))
    shared = {"modality": "table", "random_state": seed, "max_time": max_time}
    found = {"columns": (baselines(name, seed)["raw"], everything)}
    for method in methods:
        made = all_methods()[method](**shared)
        found[method] = made, ["regression", "boosting"]
    untrained = all_methods()[methods[0]](**shared, max_epochs=0)
    return found | {"untrained": (untrained, ["regression"])}


def draw(y, size, is_regression, seed):
    """Row numbers of the labelled rows."""
    if size == "10%":
        few, _ = train_test_split(
            np.arange(len(y)),
            train_size=0.1,
            stratify=None if is_regression else y,
            random_state=seed,
        )
        return few
    if is_regression:
        rng = np.random.default_rng(seed)
        return rng.permutation(len(y))[: size * TARGETS_A_CLASS]
    return draw_labels(y, size, seed)


def evaluate(name, X, y, *, methods, seed, max_time, n_draws, boosting):
    """Score everything on one split: a list of rows."""
    is_regression = name in REGRESSION
    stratify = None if is_regression else y
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.3, stratify=stratify, random_state=seed
    )
    metric, score = metric_of(name, y_train)
    rows = []
    for feature, (transformer, names) in features(
        name, methods, seed, max_time
    ).items():
        Z_train = transformer.fit(X_train).transform(X_train)
        Z_test = transformer.transform(X_test)
        for predictor, model in predictors(is_regression, seed).items():
            skipped = predictor == "boosting" and feature != "columns" and not boosting
            if predictor not in names or skipped:
                continue
            for size in SIZES:
                for i in range(n_draws):
                    few = draw(y_train, size, is_regression, i)
                    value = score(model.fit(Z_train[few], y_train[few]), Z_test, y_test)
                    row = {"data": name, "metric": metric, "seed": seed, "labels": size}
                    row |= {"method": f"{feature}, {predictor}", "draw": i}
                    rows.append(row | {"score": value})
    return rows


def summary(results, size):
    """A row a method: gain, wins, ties, losses, worst table and mean rank."""
    part = results[results.labels.astype(str) == str(size)]
    wide = part.pivot_table(
        index=["data", "seed", "draw"], columns="method", values="score", sort=False
    )
    gains = 100 * wide.sub(wide[BASELINE], axis=0).groupby("data", sort=False).mean()
    tests = wide.groupby("data").apply(
        lambda table: table.apply(lambda s: ttest_rel(s, table[BASELINE]).pvalue)
    )
    differs = tests.loc[gains.index, gains.columns] < 0.05
    ranks = wide.groupby("data").mean().rank(axis=1, ascending=False)
    found = {
        "gain": gains.mean().round(1),
        "wins": (differs & (gains > 0)).sum(),
        "ties": (~differs).sum(),
        "losses": (differs & (gains < 0)).sum(),
        "worst": gains.min().round(1),
        "of": gains.idxmin(),
        "mean rank": ranks.mean().round(1),
    }
    return pd.DataFrame(found).sort_values("mean rank")


def show(results):
    """Print the summary of each number of labels."""
    for size in SIZES:
        n_tables = results.data.nunique()
        print(f"\n{size} labels a class, points over {BASELINE}, {n_tables} tables")
        print(summary(results, size).to_string(), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", nargs="+", default=list(TABLES_OF_THE_BENCHMARK))
    parser.add_argument("--openml", nargs="+", default=[], help="needs a network")
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--max-time", type=float, help="seconds of a pretraining")
    parser.add_argument("--boosting", action="store_true", help="on features too")
    parser.add_argument("--save", help="name of a CSV file in benchmarks/results")
    options = parser.parse_args()
    rows = []
    for name in [*options.data, *options.openml]:
        X, y = load_openml(name) if name in options.openml else load(name)
        for seed in range(1, 1 + options.seeds):
            rows += evaluate(
                *(name, X, y),
                methods=options.methods,
                seed=seed,
                max_time=options.max_time,
                n_draws=options.draws,
                boosting=options.boosting,
            )
            print(name, seed, flush=True)
            if options.save:
                RESULTS.mkdir(exist_ok=True)
                path = RESULTS / options.save
                pd.DataFrame(rows).round(4).to_csv(path, index=False)
    show(pd.DataFrame(rows))


if __name__ == "__main__":
    main()
