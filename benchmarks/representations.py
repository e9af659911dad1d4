"""What should `transform` return for tables: which layers, how scaled, what beside?

Each method pretrains once a table on the split of seed 0, on which defaults are chosen;
then each way to return its features is scored behind regression (logistic or ridge),
nearest neighbours and histogram boosting at 10 and 50 labelled rows a class, mean over
draws. Prints points over the same predictor on the columns, mean over tables, and the
worst table.

    python benchmarks/representations.py --save representations.csv
"""

import argparse
import warnings
from itertools import product
from pathlib import Path

import pandas as pd
from datasets import baselines, holds_targets, split
from joblib import Parallel, delayed
from probing import metric_of
from sklearn.exceptions import ConvergenceWarning
from tables import draw, predictors

from sklearn_ssl import all_methods

RESULTS = Path(__file__).parent / "results"
TABLES = ["wa_churn", "cells", "hpc_data", "breast_cancer", "diabetes"]
TABLES += ["digits as a table"]
METHODS = ["SimCLR", "DenoisingAutoencoder"]
WAYS = [
    {"output": output, "scaling": scaling, "passthrough": passthrough}
    for output, scaling, passthrough in product(
        ["last", "all_layers"], ["block", "standard", "l2"], [False, True]
    )
]
PREDICTORS = ["regression", "neighbours", "boosting"]
SIZES = ["10", "50"]
SEED = 0


def evaluate(name, method, n_draws):
    """Score all ways of one method on one table: a DataFrame."""
    warnings.simplefilter("ignore", ConvergenceWarning)  # too few labels to matter
    X_train, X_test, y_train, y_test = split(name, seed=SEED)
    is_regression = holds_targets(y_train)
    _, score = metric_of(name, y_train)
    models = predictors(is_regression, SEED)
    rows = []

    def probe(way, transformer):
        Z_train, Z_test = transformer.transform(X_train), transformer.transform(X_test)
        for predictor, size in product(PREDICTORS, SIZES):
            # Boosting takes long and varies less.
            for i in range(1 if predictor == "boosting" else n_draws):
                few = draw(y_train, size, is_regression, i)
                model = models[predictor].fit(Z_train[few], y_train[few])
                row = {"data": name, "method": method, "labels": size, "draw": i, **way}
                row["score"] = score(model, Z_test, y_test)
                rows.append(row | {"predictor": predictor})

    made = all_methods()[method](modality="table", random_state=SEED, n_threads=1)
    made.fit(X_train)
    probe({"output": "columns"}, baselines(name, SEED)["raw"].fit(X_train))
    made.set_params(warm_start=True, max_epochs=0)  # the same weights each time
    for way in WAYS:
        probe(way, made.set_params(**way).fit(X_train))
    return pd.DataFrame(rows)


def show(results):
    """Points over the columns: mean over tables, and the worst table."""
    keys = ["data", "method", "labels", "predictor"]
    means = results.groupby([*keys, "output", "scaling", "passthrough"], dropna=False)
    means = means.score.mean().reset_index()
    raw = means[means.output == "columns"].set_index(keys).score
    means = means[means.output != "columns"]
    means["gain"] = 100 * (means.score - means.set_index(keys).index.map(raw))
    ways = ["method", "output", "scaling", "passthrough"]
    for name, statistic in ("mean", "mean"), ("worst", "min"):
        table = means.pivot_table(
            index=ways,
            columns=["predictor", "labels"],
            values="gain",
            aggfunc=statistic,
        )
        print(f"\n{name} of {means.data.nunique()} tables, points over the columns")
        print(table[PREDICTORS].round(1).to_string(), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", nargs="+", default=TABLES)
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=1, help="processes at once")
    parser.add_argument("--save", help="name of a CSV file in benchmarks/results")
    parser.add_argument("--show", help="CSV file to show; run nothing")
    options = parser.parse_args()
    if options.show:
        show(pd.read_csv(RESULTS / options.show, dtype={"labels": str}))
        return
    found = Parallel(n_jobs=options.jobs)(
        delayed(evaluate)(name, method, options.draws)
        for name, method in product(options.data, options.methods)
    )
    results = pd.concat(found)
    if options.save:
        RESULTS.mkdir(exist_ok=True)
        results.round(4).to_csv(RESULTS / options.save, index=False)
    show(results)


if __name__ == "__main__":
    main()
