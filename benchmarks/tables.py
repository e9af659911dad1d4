"""Do pretrained features help on tables, and where do they cost?

Every method pretrains on the training rows without labels. Classifiers then see 5, 10
or 50 labelled rows a class, or a tenth of the training rows (of targets: ten times as
many rows as of a class), and are scored on test rows by AUC, balanced accuracy (more
than two classes) or R2:

- on the columns: logistic or ridge regression as it is and with its regularization
  chosen by the labelled rows, nearest neighbours, random forest, histogram boosting,
- on each method's features, and on those of an encoder before training: logistic or
  ridge regression and, for the first draw of labelled rows, histogram boosting,
- on what `AutoSSL` chose among the methods that it tries by default,
- on the columns, with every training row labelled: what there is to gain.

Boosting is left out where a table has over 500 columns (MNIST): there it takes longer
than all else together.

Prints for each number of labels the mean gain over regression on the columns, wins,
ties and losses against it (a tie: a paired t-test over seeds says nothing at 5%), the
worst table and the mean rank, then the gains on each table; those at ten labels become
a picture beside the CSV. Seeds, each with its own split, begin at 1: defaults were
chosen on the splits of seeds 0 and 100 to 102, on no split of those of ``--unseen``.

Rows are appended to the CSV as soon as a table is done for a seed, and what is there is
not run again.

    python benchmarks/tables.py --jobs 2 --save tables.csv
    python benchmarks/tables.py --more --seeds 1 --jobs 2 --methods SimCLR
        DenoisingAutoencoder AutoSSL --save tables_more.csv
    python benchmarks/tables.py --unseen --seeds 3 --jobs 2 --methods SimCLR
        DenoisingAutoencoder SubTab AutoSSL --save tables_unseen.csv
    python benchmarks/tables.py --seeds 3 --jobs 2 --max-time 60 --methods VIME
        MaskedFeatures SwitchTab --save tables_others.csv
    python benchmarks/tables.py --openml credit-g --methods SimCLR --seeds 2
"""

import argparse
import warnings
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from datasets import (
    MORE_TABLES,
    TABLES_OF_THE_BENCHMARK,
    UNSEEN_TABLES,
    baselines,
    holds_targets,
    load,
    load_openml,
    split,
)
from joblib import Parallel, delayed
from probing import draw_labels, metric_of
from scipy.stats import ttest_1samp
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from sklearn_ssl import AutoSSL, all_methods

matplotlib.use("Agg")

RESULTS = Path(__file__).parent / "results"
METHODS = ["SimCLR", "SimSiam", "DenoisingAutoencoder", "SCARF", "SubTab", "AutoSSL"]
CHOICE = ["SimCLR", "DenoisingAutoencoder", "SimSiam"]  # what AutoSSL tries by default
SIZES = ["5", "10", "50", "10%"]
TITLES = {"10%": "10% of the training rows labelled"}
BASELINE = "columns, regression"
EVERY_LABEL = "every label"
N_FOLDS = 5
TARGETS_A_CLASS = 10
MAX_COLUMNS_TO_BOOST = 500


def predictors(is_regression, seed):
    """What may follow features, by name.

    Tuned regression chooses among strengths of regularization, which say of features
    what `AutoSSL` says by its scales.
    """
    strengths = np.square([1, 0.5, 2, 4])
    if is_regression:
        return {
            "regression": Ridge(),
            "tuned regression": GridSearchCV(
                Ridge(), {"alpha": 1 / strengths}, cv=N_FOLDS
            ),
            "neighbours": KNeighborsRegressor(),
            "random forest": RandomForestRegressor(random_state=seed),
            "boosting": HistGradientBoostingRegressor(random_state=seed),
        }
    regression = LogisticRegression(max_iter=1000)
    return {
        "regression": regression,
        "tuned regression": GridSearchCV(
            regression, {"C": strengths}, scoring="neg_log_loss", cv=N_FOLDS
        ),
        "neighbours": KNeighborsClassifier(),
        "random forest": RandomForestClassifier(random_state=seed),
        "boosting": HistGradientBoostingClassifier(random_state=seed),
    }


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
        return rng.permutation(len(y))[: int(size) * TARGETS_A_CLASS]
    return draw_labels(y, int(size), seed)


def choose(methods, X, y, few, models, seed):
    """AutoSSL fitted to the labelled rows; the methods are pretrained already."""
    known = np.full(len(y), np.nan if y.dtype.kind == "f" else -1)
    known[few] = y[few]
    judge = models["regression"]
    return AutoSSL(methods=methods, estimator=judge, random_state=seed).fit(X, known)


def evaluate(name, is_openml, seed, features, *, max_time, n_draws):
    """Score what follows each of the features on one split: a DataFrame."""
    warnings.simplefilter("ignore", ConvergenceWarning)  # too few labels to matter
    # Of classes with a row or two no fold can be scored: the first strength is taken.
    # Not all of UserWarning, which would hide a collapse.
    warnings.filterwarnings("ignore", module=r"sklearn\.model_selection")
    source = load_openml if is_openml else load
    X_train, X_test, y_train, y_test = split(name, seed=seed, load=source)
    is_regression = holds_targets(y_train)
    metric, score = metric_of(name, y_train)
    models = predictors(is_regression, seed)
    if X_train.shape[1] > MAX_COLUMNS_TO_BOOST:
        del models["boosting"]
    draws = [
        (size, i, draw(y_train, size, is_regression, i))
        for size in SIZES
        for i in range(n_draws)
    ]
    rows = []

    def add(method, size, i, value):
        row = {"data": name, "metric": metric, "seed": seed, "labels": size}
        rows.append(row | {"method": method, "draw": i, "score": value})

    def probe(feature, transformer, predictor, draws):
        Z_train, Z_test = transformer.transform(X_train), transformer.transform(X_test)
        for size, i, few in draws:
            model, labels = models[predictor], y_train[few]
            most = len(few) if is_regression else np.bincount(labels).max()
            if isinstance(model, GridSearchCV) and most < N_FOLDS:
                model = model.estimator  # too few rows to choose a strength by
            model.fit(Z_train[few], labels)
            add(f"{feature}, {predictor}", size, i, score(model, Z_test, y_test))

    @cache
    def fitted(method, max_epochs="auto"):
        made = all_methods()[method](
            modality="table",
            max_epochs=max_epochs,
            max_time=max_time,
            n_threads=1,
            random_state=seed,
        )
        return made.fit(X_train)

    for feature in features:
        if feature in ("columns", EVERY_LABEL):
            columns = baselines(name, seed)["raw"].fit(X_train)
            every = [("all", 0, np.arange(len(y_train)))]
            for predictor in models:
                known = draws if feature == "columns" else every
                probe(feature, columns, predictor, known)
        elif feature == "untrained":
            probe(feature, fitted(CHOICE[0], max_epochs=0), "regression", draws)
        elif feature == "AutoSSL":
            tried = {method: FrozenEstimator(fitted(method)) for method in CHOICE}
            for one in draws:
                auto = choose(tried, X_train, y_train, one[2], models, seed)
                probe(feature, auto, "regression", [one])
        else:
            probe(feature, fitted(feature), "regression", draws)
            first = [one for one in draws if one[1] == 0 and "boosting" in models]
            probe(feature, fitted(feature), "boosting", first)
    return pd.DataFrame(rows)


def gains_by_seed(results):
    """Points over the baseline on the same draws of labelled rows, by data and seed."""
    draws = results.pivot_table(
        index=["data", "seed", "draw"], columns="method", values="score", sort=False
    )
    gains = 100 * draws.sub(draws[BASELINE], axis=0)
    return gains.groupby(["data", "seed"], sort=False).mean()


def summary(results, size):
    """A row a method: gain, wins, ties, losses, worst table and mean rank."""
    seeds = gains_by_seed(results[results.labels == size])
    gains = seeds.groupby("data", sort=False).mean()
    differs = seeds.groupby("data", sort=False).agg(_differs).astype(bool)
    ranks = gains.rank(axis=1, ascending=False)
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


def _differs(gain):
    if len(gain) < 2 or not np.ptp(gain):
        return False
    return ttest_1samp(gain, 0).pvalue < 0.05


def by_table(results, size):
    """Score of regression on the columns, and gains as mean ± std over seeds."""
    results = results[results.labels == size]
    tables = _regressions(gains_by_seed(results)).groupby("data", sort=False)
    gains, spread = tables.mean(), tables.std(ddof=0)
    is_class = results.groupby("data", sort=False).metric.first() != "R2"
    found = gains.map("{:+.1f} ± ".format) + spread.map("{:.1f}".format)
    found.loc["mean"] = gains.mean().map("{:+.1f}".format)
    found.loc["mean, classes"] = gains[is_class].mean().map("{:+.1f}".format)
    score = results[results.method == BASELINE].groupby("data").score.mean()
    found.insert(
        0, "columns", score.map("{:.3f}".format).reindex(found.index, fill_value="")
    )
    return found


def _regressions(gains):
    """Those of the features, after what may follow the columns."""
    first = [name for name in gains if name.endswith(("forest", "tuned regression"))]
    others = gains.filter(like=", regression").drop(columns=BASELINE)
    return gains[[*first, *others]].rename(
        columns=lambda x: x.removesuffix(", regression")
    )


def show(results):
    """Print the summary of each number of labels, and the gains on each table."""
    for size in SIZES:
        title = TITLES.get(size, f"{size} labels a class")
        print(f"\n{title}: points over {BASELINE}, {results.data.nunique()} tables")
        print(summary(results, size).to_string())
        print(f"\n{by_table(results, size).to_string()}")
    gains = gains_by_seed(results[results.labels == "10"])
    # Boosting on features has seen one draw alone.
    gains = gains.loc[:, gains.columns.str.contains("^columns|regression$")]
    best = gains.groupby("data").mean().max(axis=1).mean()
    print(f"\n10 labels a class, the best on each table by the test rows: {best:.1f}")
    print("\nPoints that every label gains on the columns, over 10 a class")
    print(headroom(results).round(1).to_string())


def headroom(results):
    """Points by table that regression, and the best predictor, gain by every label."""
    every = results[results.labels == "all"]
    every = every.pivot_table(
        index="data", columns="method", values="score", sort=False
    )
    few = results[(results.labels == "10") & (results.method == BASELINE)]
    gains = 100 * every.sub(few.groupby("data").score.mean(), axis=0)
    regression = gains[f"{EVERY_LABEL}, regression"]
    found = pd.DataFrame({"regression": regression, "best": gains.max(axis=1)})
    found.loc["mean"] = found.mean()
    return found


def picture(results, path):
    """Gain on each table at ten labels a class: dots; circles without pretraining."""
    from matplotlib import pyplot as plt

    seeds = _regressions(gains_by_seed(results[results.labels == "10"]))
    tables = seeds.groupby("data", sort=False)
    gains, spread = tables.mean().iloc[::-1], tables.std(ddof=0).iloc[::-1]
    figure, ax = plt.subplots(figsize=(10, 1 + 0.6 * len(gains)), layout="constrained")
    places = np.arange(len(gains))
    offsets = np.linspace(0.36, -0.36, gains.shape[1])
    for i, (name, offset) in enumerate(zip(gains, offsets, strict=True)):
        style = {"label": name, "color": f"C{i % 10}"}
        if name.startswith(("columns", "untrained")):
            style["fillstyle"] = "none"
        x, y = gains[name], places + offset
        ax.errorbar(
            x, y, xerr=spread[name], fmt="o", markersize=4, linewidth=1, **style
        )
    ax.axvline(0, color="black", linewidth=0.8)
    for place in places[1:]:
        ax.axhline(place - 0.5, color="black", alpha=0.15)
    ax.set_xscale("symlog", linthresh=5)
    low, high = ax.get_xlim()
    ticks = [-50, -20, -10, -5, -2, 0, 2, 5, 10, 20, 50]
    ax.set_xticks([tick for tick in ticks if low < tick < high])
    ax.xaxis.set_major_formatter("{x:g}")
    ax.set_yticks(places, gains.index)
    ax.set_xlabel(f"points over {BASELINE}: 10 labels a class, mean ± std over splits")
    figure.legend(loc="outside right upper")
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--data", nargs="+", default=list(TABLES_OF_THE_BENCHMARK))
    groups = {"more": MORE_TABLES, "unseen": UNSEEN_TABLES}
    for group, names in groups.items():
        what = f"{', '.join(names)}, instead"
        which.add_argument(
            f"--{group}", dest="data", action="store_const", const=names, help=what
        )
    parser.add_argument("--openml", nargs="+", default=[], help="needs a network")
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--max-time", type=float, help="seconds of a pretraining")
    parser.add_argument("--jobs", type=int, default=1, help="processes at once")
    parser.add_argument("--save", help="name of a CSV file in benchmarks/results")
    options = parser.parse_args()
    path = RESULTS / options.save if options.save else None
    found = [pd.read_csv(path)] if path and path.exists() else []
    done = {
        (name, seed, method.split(",")[0])
        for old in found
        for name, seed, method in zip(old.data, old.seed, old.method, strict=True)
    }
    tasks = []
    for seed in range(1, 1 + options.seeds):
        for name in [*options.data, *options.openml]:
            features = ["columns", EVERY_LABEL, "untrained", *options.methods]
            features = [one for one in features if (name, seed, one) not in done]
            tasks.append((name, name in options.openml, seed, features))
    work = delayed(evaluate)
    shared = {"max_time": options.max_time, "n_draws": options.draws}
    parallel = Parallel(n_jobs=options.jobs, return_as="generator_unordered")
    for rows in parallel(work(*task, **shared) for task in tasks if task[-1]):
        print(*rows.iloc[0][["data", "seed"]], flush=True)
        found.append(rows.round(4))
        if path:
            RESULTS.mkdir(exist_ok=True)
            new = not path.exists()
            found[-1].to_csv(path, mode="a", header=new, index=False)
    results = pd.concat(found).astype({"labels": str})
    show(results)
    if path:
        picture(results, path.with_suffix(".png"))


if __name__ == "__main__":
    main()
