"""
Three ways to use few labels
============================

A table of which one row in ten has a label: pretrain on all rows, then classify. The
three ways differ in who calls the pretraining. Each is compared with the same
classifier on the labelled rows' columns.
"""

# %%
import sklearn
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ssl import SimCLR, SSLClassifier
from sklearn_ssl.model_selection import UnlabeledSplit

X, y = load_digits(return_X_y=True)
X_all, X_test, y_all, y_test = train_test_split(X, y, stratify=y, random_state=0)
labeled = slice(0, len(X_all) // 10)
X_few, y_few = X_all[labeled], y_all[labeled]

raw = make_pipeline(StandardScaler(), LogisticRegression()).fit(X_few, y_few)
print(f"columns as they are: {raw.score(X_test, y_test):.3f}")

# %%
# 1. Pretrain once, then fit on the labelled rows
# -----------------------------------------------
# ``FrozenEstimator`` keeps the Pipeline from pretraining again, on the few rows alone.
simclr = SimCLR(max_epochs=20, random_state=0)
pretrained = FrozenEstimator(simclr.fit(X_all))
first = make_pipeline(pretrained, LogisticRegression()).fit(X_few, y_few)
print(f"pretrained by hand: {first.score(X_test, y_test):.3f}")

# %%
# 2. One estimator of both steps
# ------------------------------
# In y, -1 marks the rows without a label (for ``SSLRegressor`` NaN). ``UnlabeledSplit``
# keeps them in every training part and out of every test part, and ``memory`` keeps the
# pretraining of a fold for all settings of the classifier.
y_partly = y_all.copy()
y_partly[labeled.stop :] = -1
search = GridSearchCV(
    SSLClassifier(SimCLR(max_epochs=20, random_state=0), LogisticRegression()),
    {"estimator__C": [0.1, 1.0]},
    cv=UnlabeledSplit(StratifiedKFold(3)),
).fit(X_all, y_partly)
print(f"SSLClassifier in a search: {search.score(X_test, y_test):.3f}")

# %%
# 3. The rows without labels beside X
# -----------------------------------
# Through metadata routing, transformed by the steps before. Their number must not be
# that of X: cross-validation would take them apart like rows of X, and that raises.
with sklearn.config_context(enable_metadata_routing=True):
    third = make_pipeline(
        StandardScaler(),
        SimCLR(max_epochs=20, random_state=0).set_fit_request(X_unlabeled=True),
        LogisticRegression(),
        transform_input=["X_unlabeled"],
    ).fit(X_few, y_few, X_unlabeled=X_all[labeled.stop :])
    print(f"X_unlabeled, routed: {third.score(X_test, y_test):.3f}")
