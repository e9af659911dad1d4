import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_ssl import SCARF
from sklearn_ssl.encoders import MLP
from sklearn_ssl.encoders.inputs import TabularInput
from sklearn_ssl.engine.random import WEIGHTS, make_generator, seeded_initialization
from sklearn_ssl.modalities import Tabular
from tests.encoders.helpers import fit


def test_width_by_the_number_of_levels():
    n_levels = [1, 2, 3, 10, 50, 100, 1000, 10**6]
    inputs = TabularInput(0, [], [n + 2 for n in n_levels[:-1]], embedding_dim="auto")
    widths = [len(column) for column in inputs.columns_of_output]
    assert widths == [2, 2, 3, 6, 14, 21, 77]
    assert inputs.output_shape == (sum(widths),)


def test_embeddings_of_different_widths():
    sizes = [4, 12, 102]
    with seeded_initialization(make_generator(0, WEIGHTS)):
        inputs = TabularInput(1, [0], sizes, embedding_dim="auto")
    codes = torch.tensor([[2, 5, 100], [3, 11, 7], [0, 1, 1]])
    batch = {
        "numbers": torch.zeros(3, 1),
        "missing": torch.ones(3, 1),
        "categories": codes,
    }
    x = inputs(batch)
    assert x.shape == (3, *inputs.output_shape) == (3, 2 + 2 + 6 + 21)
    for row in range(3):
        for j, (start, width) in enumerate([(0, 2), (4, 6), (16, 21)]):
            vector = inputs.embedding.weight[start + codes[row, j], :width]
            columns = inputs.columns_of_output[1 + j]
            assert torch.equal(x[row, columns], vector)
    assert not x[2, 2:].any()
    x.square().sum().backward()
    beyond = inputs.embedding.weight.grad[:16, 6:]
    assert not beyond.any()


def test_a_category_of_any_width_weighs_as_much_as_a_number():
    with seeded_initialization(make_generator(0, WEIGHTS)):
        inputs = TabularInput(0, [], [402] * 3 + [1002] * 3, embedding_dim="auto")
    codes = torch.arange(2, 402)[:, None].expand(-1, 6)
    x = inputs({"categories": codes})
    for columns in inputs.columns_of_output:
        mean_square = x[:, columns].square().sum(dim=1).mean().item()
        assert_allclose(mean_square, 1, atol=0.1)


def test_equal_widths_are_drawn_as_one_table():
    widths = []
    for dim in (8, 2):
        with seeded_initialization(make_generator(0, WEIGHTS)):
            widths.append(TabularInput(1, [], [5, 9], embedding_dim=dim))
    assert [inputs.used for inputs in widths] == [None, None]
    assert [inputs.embedding.weight.shape for inputs in widths] == [(14, 8), (14, 2)]


def many_levels(n=300):
    """One category column: 3 frequent levels, and many that occur but once."""
    rng = np.random.default_rng(0)
    levels = [["a", "b", "c"][i % 3] if i % 4 else f"rare {i}" for i in range(n)]
    return pd.DataFrame({"level": levels, "x": rng.normal(size=n)})


@pytest.mark.parametrize("dim", [8, "auto"])
def test_rare_and_unseen_levels_share_an_embedding(dim):
    X = many_levels()
    modality = Tabular(max_categories=3, embedding_dim=dim)
    scarf = fit(X, modality=modality, max_epochs=2)
    assert scarf.modality_.categories_ == [["a", "b", "c"]]
    new = pd.DataFrame({"level": ["rare 0", "rare 4", "never seen", None], "x": 0.0})
    Z = scarf.transform(new)
    assert_array_equal(Z[0], Z[1])
    assert_array_equal(Z[0], Z[2])
    assert abs(Z[0] - Z[3]).max() > 1e-4
    # Trained by the rare ones; what never occurred says nothing.
    weight = scarf._network.task.inputs.embedding.weight
    assert weight[1].any() and not weight[0].any()


def test_unseen_levels_say_nothing_if_none_is_rare():
    X = many_levels()[["level", "x"]]
    X = X[~X["level"].str.startswith("rare")]
    scarf = fit(X, max_epochs=2)
    assert not scarf._network.task.inputs.embedding.weight[:2].any()
    new = pd.DataFrame({"level": ["never seen", None], "x": 0.0})
    assert_array_equal(*scarf._network.encode(scarf.modality_.to_arrays(new))[:, :8])


def test_embedding_dim_reaches_the_network():
    scarf = SCARF(modality=Tabular(), encoder=MLP(hidden=(8,)), max_epochs=1)
    scarf.set_params(modality__embedding_dim="auto", random_state=0).fit(many_levels())
    n_levels = len(scarf.modality_.categories_[0])
    assert n_levels == 78
    width = round(1.6 * 78**0.56)
    assert scarf._network.task.inputs.output_shape == (1 + width,)
    loaded = pickle.loads(pickle.dumps(scarf))
    X = many_levels()
    assert_array_equal(loaded.transform(X), scarf.transform(X))
