"""
Features are poor: where to look first
======================================

Four pictures of one pretraining, in the order in which to look at them: what the views
do to an image, how the training went, the map of the embedding, and what it takes for
alike.
"""

# %%
import matplotlib.pyplot as plt
from sklearn.datasets import load_digits

from sklearn_ssl import SimCLR
from sklearn_ssl.inspection import (
    EmbeddingDisplay,
    NeighborsDisplay,
    PretrainingDisplay,
    ViewsDisplay,
)

X, y = load_digits(return_X_y=True)
X = X.reshape(-1, 8, 8)
simclr = SimCLR(modality="image", max_epochs=20, early_stopping=True, random_state=0)
simclr.fit(X)

# %%
# Two views of an image must still be the same to you: else the views are too strong.
ViewsDisplay.from_estimator(simclr, X)
plt.show()

# %%
# A loss that still falls asks for more epochs, a spread or a rank that falls for weaker
# training: a lower learning rate, a larger batch.
PretrainingDisplay.from_estimator(simclr)
plt.show()

# %%
EmbeddingDisplay.from_estimator(simclr, X, y)
plt.show()

# %%
NeighborsDisplay.from_estimator(simclr, X, y)
plt.show()
