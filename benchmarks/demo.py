"""Better features from unlabelled rows: the main job on real images and a real table.

Hides all but a few labels of 4000 MNIST digits, pretrains on their pixels alone, and
compares features in front of one and the same logistic regression on 1000 test digits;
then the same on a table of customers. Prints both tables and saves the picture.

    python benchmarks/demo.py --picture label_efficiency.png
"""

import argparse
import time

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from few_labels import evaluate, summarize

SIZES = [1, 2, 5, 10, 50]
N_DRAWS = 5
# The fits of the demo end within this many seconds each, on machines of any speed.
MAX_TIME = {"mnist": 90, "wa_churn": 15}
TITLES = {
    "mnist": "MNIST digits: 4000 unlabelled, 1000 test",
    "wa_churn": "wa_churn: 4930 customers unlabelled, 2113 test",
}


def show(results):
    """Print mean ± standard deviation by method and number of labels."""
    table = summarize(results)
    table["score"] = [
        f"{m:.3f} ± {s:.3f}" for m, s in zip(table["mean"], table["std"], strict=True)
    ]
    wide = table.pivot(index="method", columns="labels", values="score")
    order = table.drop_duplicates("method").method
    metric = results.metric.iloc[0]
    print(f"\n{TITLES[results.data.iloc[0]]}")
    print(f"test {metric} by labels a class, {N_DRAWS} draws of the labelled rows")
    print(wide.loc[order].to_string(), flush=True)
    return table


def draw(ax, table):
    """Plot score against the number of labels with the spread as a band."""
    for method, part in table.groupby("method", sort=False):
        (line,) = ax.plot(part.labels, part["mean"], marker="o", label=method)
        low, high = part["mean"] - part["std"], part["mean"] + part["std"]
        ax.fill_between(part.labels, low, high, alpha=0.15, color=line.get_color())
    ax.set(
        xscale="log",
        xticks=SIZES,
        xticklabels=SIZES,
        xlabel="labelled rows a class",
        ylabel=f"test {table.metric.iloc[0]}",
        title=TITLES[table.data.iloc[0]],
    )
    ax.minorticks_off()
    ax.legend()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--picture", default="label_efficiency.png")
    options = parser.parse_args()
    started = time.perf_counter()
    figure, axes = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
    for ax, (name, max_time) in zip(axes, MAX_TIME.items(), strict=True):
        results = evaluate(
            name,
            sizes=SIZES,
            n_draws=N_DRAWS,
            seeds=[1],
            max_time=max_time,
            verbose=1,
        )
        draw(ax, show(results))
    figure.savefig(options.picture, dpi=120)
    print(f"\n{time.perf_counter() - started:.0f} s")
    print(f"picture: {options.picture}")


if __name__ == "__main__":
    main()
