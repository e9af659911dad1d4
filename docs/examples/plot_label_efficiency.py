"""
How many labels does pretraining save?
======================================

``label_efficiency_curve`` scores estimators by the number of labels that they may see.
In each fold every method pretrains once, on all training rows; scikit-learn's
semi-supervised classifiers may follow it as well as any other.
"""

# %%
import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import LabelSpreading

from sklearn_ssl import SimCLR
from sklearn_ssl.inspection import LabelEfficiencyDisplay
from sklearn_ssl.modalities import Image
from sklearn_ssl.model_selection import label_efficiency_curve, labels_saved

X, y = load_digits(return_X_y=True)
simclr = SimCLR(modality=Image(shape=(8, 8)), max_epochs=20, random_state=0)

# %%
curve = label_efficiency_curve(
    {
        "raw": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
        "SimCLR": make_pipeline(simclr, LogisticRegression(max_iter=1000)),
        # One object in two pipelines is pretrained once for both.
        "SimCLR, spread": make_pipeline(simclr, LabelSpreading(gamma=0.05)),
    },
    X,
    y,
    train_sizes=[10, 20, 50, 100],
    cv=3,
    random_state=0,
)
LabelEfficiencyDisplay.from_curve(curve)
plt.show()

# %%
# Labels with which the raw pixels would score as well as SimCLR with so many.
saved = labels_saved(curve, method="SimCLR", baseline="raw")
for size, needed in zip(curve.train_sizes, saved.labels_needed, strict=True):
    print(f"{size} labels: raw needs {needed:.0f}")
