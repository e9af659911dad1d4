"""Encoders with embeddings of numbers, and data for them."""

import pytest
import torch
from sklearn.base import clone

from sklearn_ssl import SCARF
from sklearn_ssl.encoders import MLP, FTTransformer, build_network
from sklearn_ssl.engine.random import WEIGHTS, make_generator, seeded_initialization

# The slopes of bins are exact in float32; the second column is constant, the third
# without a value, the last has one bin.
EDGES = [[-2.0, -1.5, -1.0, 1.0, 5.0], [0.0], [], [-1.0, -0.5, 3.5], [0.0, 2.0]]
ENCODERS = {
    "mlp": MLP(hidden=(16, 8)),
    "ft_transformer": FTTransformer(dim=8, depth=1, heads=2),
}
NUMBERS = ("periodic", "piecewise")
every_encoder = pytest.mark.parametrize("encoder", ENCODERS.values(), ids=ENCODERS)
every_embedding = pytest.mark.parametrize("numbers", NUMBERS)


def draw(*shape, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=dtype)


def build(encoder, inputs, **parameters):
    encoder = clone(encoder).set_params(**parameters)
    with seeded_initialization(make_generator(0, WEIGHTS)):
        return build_network(encoder, inputs, inputs.output_shape).eval()


def fit(X, encoder="mlp", method=SCARF, **parameters):
    encoder = clone(ENCODERS[encoder])
    estimator = method(encoder=encoder, max_epochs=1, random_state=0, n_threads=1)
    return estimator.set_params(**parameters).fit(X)
