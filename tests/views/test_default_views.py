"""What noise methods give the rows of a table by default."""

import numpy as np
import pytest
from sklearn.datasets import load_wine

from sklearn_ssl import SCARF, BinPrediction, DenoisingAutoencoder, SubTab, SwitchTab
from sklearn_ssl.encoders import MLP
from tests.helpers import ready_task

SMALL = {"encoder": MLP(hidden=(16, 8)), "random_state": 0, "max_epochs": 0}


@pytest.mark.parametrize(
    "method",
    [
        SCARF(corruption_rate=1.0, **SMALL),
        DenoisingAutoencoder(corruption_rate=1.0, **SMALL),
        SubTab(corruption_rate=1.0, **SMALL),
        SwitchTab(corruption_rate=1.0, **SMALL),
        BinPrediction(**SMALL),
    ],
    ids=lambda method: type(method).__name__,
)
def test_each_column_has_donors_of_its_own(method):
    """Were they the same, the columns would still go together."""
    X = np.repeat(np.arange(300.0)[:, None], 10, axis=1)
    task, _ = ready_task(method.fit(X), X, n_rows=None)
    view, own = task.view(task.source)["numbers"], task.source["numbers"]
    replaced = view != own
    for a in range(10):
        for b in range(a):
            both = replaced[:, a] & replaced[:, b]
            assert both.any()
            assert (view[both, a] == view[both, b]).double().mean() < 0.05


@pytest.mark.parametrize("cls", [SubTab, SwitchTab])
@pytest.mark.parametrize("parameters", [{}, {"corruption_rate": 0.45}])
def test_noise_has_its_rate(cls, parameters):
    method = cls(**parameters, **SMALL).fit(load_wine().data)
    assert method.views_.rate == method.corruption_rate
    assert not method.views_.exact and method.views_.donors == "cell"
