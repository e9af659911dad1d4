"""How many labels does pretraining save?

In each fold of a cross-validation every method sees all training rows without labels,
once; classifiers then see the labels of a few of them, and are scored on the test rows:

- raw, PCA, untrained, SSL: a logistic regression on features,
- self-training, label spreading: scikit-learn's semi-supervised classifiers on the
  pretrained features, which see the unlabelled rows again,
- fine-tuned: the encoder is trained further on the labels,
- from scratch: the same network, trained on the labels alone.

Prints the mean score by number of labels and how many labels the raw features would
need to score as well, and saves a CSV and a picture of the same name.

    python benchmarks/label_efficiency.py --save label_efficiency_curves.csv
    python benchmarks/label_efficiency.py --data digits --max-time 20
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from datasets import IMAGES, load
from few_labels import transformers
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier

from sklearn_ssl import SSLClassifier
from sklearn_ssl.inspection import LabelEfficiencyDisplay
from sklearn_ssl.model_selection import label_efficiency_curve, labels_saved

RESULTS = Path(__file__).parent / "results"
BASELINE = "raw"
# Of label spreading: e^-10 at the mean squared distance of two rows, which is known,
# since features have a norm of 10 (images) or about the square root of 5 (of tables of
# as many columns as these).
GAMMA = {"image": 10 / (2 * 100), "table": 10 / (2 * 5)}
METHOD = "SimCLR"
TITLES = {
    "mnist": "MNIST digits",
    "digits": "8x8 digits",
    "wa_churn": "wa_churn, customers",
    "hpc_data": "hpc_data, computing jobs",
}


def logistic_regression():
    return LogisticRegression(max_iter=1000)


def estimators(name, seed, max_time):
    """The estimators to compare, by name.

    Those on pretrained features have the same object before the last step, which is
    fitted once for all of them.
    """
    features = transformers(name, seed, max_time=max_time)
    ssl, untrained = features[METHOD], features["untrained"]
    found = {
        label: make_pipeline(features[label], logistic_regression())
        for label in (BASELINE, "PCA", "untrained")
    }
    found[METHOD] = make_pipeline(ssl, logistic_regression())
    found[f"{METHOD}, self-training"] = make_pipeline(
        ssl, SelfTrainingClassifier(logistic_regression())
    )
    found[f"{METHOD}, label spreading"] = make_pipeline(
        ssl, LabelSpreading(gamma=GAMMA["image" if name in IMAGES else "table"])
    )
    found[f"{METHOD}, fine-tuned"] = SSLClassifier(ssl, fine_tune=True)
    found["from scratch"] = SSLClassifier(untrained, fine_tune=True)
    return found


def scoring_of(name, y):
    """The name of the score of a data set."""
    if name in IMAGES:
        return "accuracy"
    return "roc_auc" if len(np.unique(y)) == 2 else "balanced_accuracy"


def compute(name, *, labels, n_folds, n_draws, max_time, n_jobs=None, seed=1):
    """The curve of one data set, by labels a class."""
    X, y = load(name)
    return label_efficiency_curve(
        estimators(name, seed, max_time),
        *(X, y),
        train_sizes=np.multiply(labels, len(np.unique(y))),
        cv=StratifiedKFold(n_folds, shuffle=True, random_state=seed),
        scoring=scoring_of(name, y),
        n_draws=n_draws,
        n_jobs=n_jobs,
        random_state=seed,
    )


def as_table(name, curve):
    """A curve as a DataFrame: a row for each method and number of labels."""
    rows = []
    for method, scores in curve.test_scores.items():
        needed = labels_saved(curve, method=method, baseline=BASELINE).labels_needed
        for i, size in enumerate(curve.train_sizes):
            row = {"data": name, "score": curve.score_name, "method": method}
            row |= {"labels": size, "mean": scores[i].mean(), "std": scores[i].std()}
            row |= {"n_scores": len(scores[i]), "raw_needs": needed[i]}
            row["pretrain_seconds"] = curve.pretrain_times[method].mean()
            row["fit_seconds"] = curve.fit_times[method][i].mean()
            rows.append(row)
    return pd.DataFrame(rows)


def show(table):
    """Print mean ± spread, and the labels that raw features need, by labels."""
    order = table.drop_duplicates("method").method
    scores = [
        f"{m:.3f} ± {s:.3f}" for m, s in zip(table["mean"], table["std"], strict=True)
    ]
    needs = [{np.inf: "never"}.get(n, f"{n:.0f}") for n in table.raw_needs]
    print(f"\n{table.data[0]}: {table.score[0]} on test rows, by labelled rows")
    for values in (scores, needs):
        shown = table.assign(value=values)
        wide = shown.pivot(index="method", columns="labels", values="value")
        print(wide.loc[order].replace("nan", "fewer").to_string(), flush=True)
        if values is scores:
            print("labels with which raw features score as well:")


def draw(curves, path):
    """One picture a data set, side by side, with one legend."""
    figure, axes = plt.subplots(
        *(1, len(curves)),
        figsize=(1.9 + 3.6 * len(curves), 4.2),
        layout="constrained",
        squeeze=False,
    )
    for ax, (name, curve) in zip(axes[0], curves.items(), strict=True):
        LabelEfficiencyDisplay.from_curve(curve, ax=ax)
        ax.set_title(TITLES.get(name, name))
        if ax is not axes[0, -1]:
            ax.get_legend().remove()
    figure.savefig(path, dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", nargs="+", default=list(TITLES))
    parser.add_argument("--labels", nargs="+", type=int, default=[1, 2, 5, 10, 50])
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--max-time", type=float, help="seconds of a pretraining")
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--save", help="name of a CSV file in benchmarks/results")
    options = parser.parse_args()
    curves, tables = {}, []
    for name in options.data:
        curves[name] = compute(
            name,
            labels=options.labels,
            n_folds=options.folds,
            n_draws=options.draws,
            max_time=options.max_time,
            n_jobs=options.jobs,
        )
        tables.append(as_table(name, curves[name]))
        show(tables[-1])
        if options.save:  # after each, so that a run that ends early leaves something
            RESULTS.mkdir(exist_ok=True)
            path = RESULTS / options.save
            pd.concat(tables).round(4).to_csv(path, index=False)
            draw(curves, path.with_suffix(".png"))


if __name__ == "__main__":
    main()
