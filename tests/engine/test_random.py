import threading
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_ssl.engine.random import (
    ORDER,
    SCORE,
    VIEWS,
    WEIGHTS,
    SeededDropout,
    as_seed,
    make_generator,
    seed_dropout,
    seeded_initialization,
)


def truncated():
    layer = nn.Linear(7, 5)
    nn.init.trunc_normal_(layer.weight, std=0.02)
    return layer


def orthogonal():
    layer = nn.Linear(7, 5)
    nn.init.orthogonal_(layer.weight)
    return layer


def from_scratch():
    """A factory that draws by itself."""
    layer = nn.Linear(7, 5)
    layer.weight = nn.Parameter(torch.randn(5, 7) + torch.rand(5, 7))
    layer.order = torch.randperm(50)
    layer.codes = torch.randint(9, (50,))
    layer.mask = torch.bernoulli(torch.full((50,), 0.5))
    layer.noise = torch.normal(torch.zeros(50), torch.ones(50))
    layer.choice = torch.multinomial(torch.ones(50), 20)
    return layer


def like_another():
    layer = nn.Linear(7, 5)
    with torch.no_grad():
        layer.weight.copy_(torch.randn_like(layer.weight))
        layer.bias.copy_(torch.rand_like(layer.bias))
    layer.codes = torch.randint_like(layer.weight, 9)
    return layer


def block():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8, 4)
    )


FACTORIES = [
    partial(nn.Linear, 7, 5),
    partial(nn.Conv2d, 3, 8, 3),
    partial(nn.Embedding, 9, 4),
    partial(nn.GRU, 5, 6),
    partial(nn.MultiheadAttention, 8, 2),
    block,
    truncated,
    orthogonal,
    from_scratch,
    like_another,
]


def tensors_of(module):
    found = dict(module.state_dict())
    found |= {k: v for k, v in vars(module).items() if isinstance(v, torch.Tensor)}
    return found


def build(factory, seed):
    with seeded_initialization(make_generator(seed, WEIGHTS)):
        return tensors_of(factory())


def equal(a, b):
    assert list(a) == list(b) and a
    return all(torch.equal(a[name], b[name]) for name in a)


def name_of(factory):
    return getattr(factory, "func", factory).__name__


@pytest.mark.parametrize("factory", FACTORIES, ids=name_of)
def test_initialization_is_reproducible(factory):
    before = torch.get_rng_state()
    first, again = build(factory, 0), build(factory, 0)
    assert torch.equal(torch.get_rng_state(), before)
    assert equal(first, again)
    assert not equal(first, build(factory, 1))


def test_batch_norm_has_nothing_to_draw():
    state = build(partial(nn.BatchNorm1d, 6), 0)
    assert (state["weight"] == 1).all() and not state["bias"].any()


def test_distribution_is_that_of_torch():
    state = build(partial(nn.Linear, 400, 300), 0)
    bound = 400**-0.5
    weight = state["weight"]
    assert 0.99 * bound < weight.abs().max() <= bound
    assert abs(weight.std() / (bound / 3**0.5) - 1) < 0.01


def test_a_generator_that_is_given_is_kept():
    def draw():
        return torch.randn(5, generator=torch.Generator().manual_seed(3))

    with seeded_initialization(make_generator(0, WEIGHTS)):
        inside = draw()
    assert torch.equal(inside, draw())


def test_mode_ends_with_its_block_even_after_an_error():
    generator = make_generator(0, WEIGHTS)
    with pytest.raises(RuntimeError, match="stop"):
        with seeded_initialization(generator):
            raise RuntimeError("stop")
    state = generator.get_state()
    torch.randn(3, generator=torch.Generator())
    nn.init.ones_(torch.empty(3))
    with torch.random.fork_rng(devices=[]):
        nn.Linear(3, 3)
    assert torch.equal(generator.get_state(), state)


def test_threads_do_not_meet():
    n_threads = 8
    expected = [build(block, seed) for seed in range(n_threads)]
    found = [[] for _ in range(n_threads)]
    barrier = threading.Barrier(n_threads)

    def work(seed):
        barrier.wait()
        for _ in range(10):
            found[seed].append(build(block, seed))

    before = torch.get_rng_state()
    threads = [threading.Thread(target=work, args=(i,)) for i in range(n_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert torch.equal(torch.get_rng_state(), before)
    for wanted, states in zip(expected, found, strict=True):
        assert len(states) == 10
        assert all(equal(state, wanted) for state in states)


def test_streams_of_a_seed_differ():
    draws = {
        tuple(torch.rand(3, generator=make_generator(seed, stream)).tolist())
        for seed in (0, 1)
        for stream in (WEIGHTS, ORDER, VIEWS, SCORE)
    }
    assert len(draws) == 8
    again = torch.rand(3, generator=make_generator(1, ORDER))
    assert tuple(again.tolist()) in draws


@pytest.mark.parametrize("seed", [0, 42, np.int64(7), 2**63 - 1])
def test_as_seed_of_an_integer(seed):
    assert as_seed(seed) == seed and type(as_seed(seed)) is int


def test_as_seed_of_none_leaves_numpy_alone():
    before = np.random.get_state()[1].copy()
    seeds = {as_seed(None) for _ in range(5)}
    assert len(seeds) == 5
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    for seed in seeds:
        make_generator(seed, WEIGHTS)


@pytest.mark.parametrize("make", [np.random.RandomState, np.random.default_rng])
def test_as_seed_of_a_generator(make):
    random_state = make(0)
    first, second = as_seed(random_state), as_seed(random_state)
    assert first != second
    assert first == as_seed(make(0))
    assert type(first) is int


# Dropout ------------------------------------------------------------------------------


@pytest.fixture
def dropout():
    dropout = SeededDropout(0.3)
    dropout.generator = torch.Generator().manual_seed(0)
    return dropout


def test_dropout_keeps_the_mean(dropout):
    x = torch.full((200, 500), 2.0)
    y = dropout(x)
    assert abs((y == 0).float().mean() - 0.3) < 0.01
    assert abs(y.mean() - 2) < 0.02
    torch.testing.assert_close(y[y != 0].mean(), torch.tensor(2 / 0.7))


def test_dropout_gradient_has_the_same_mask(dropout):
    x = torch.ones(100, requires_grad=True)
    y = dropout(x)
    y.sum().backward()
    torch.testing.assert_close(x.grad, y.detach())


def test_dropout_is_the_identity_in_evaluation(dropout):
    x = torch.rand(5)
    dropout.eval()
    assert torch.equal(dropout(x), x)
    assert torch.equal(SeededDropout(0.0)(x), x)


def test_dropout_draws_from_its_generator(dropout):
    x = torch.ones(100)
    before = torch.get_rng_state()
    first, second = dropout(x), dropout(x)
    dropout.generator.manual_seed(0)
    assert torch.equal(dropout(x), first)
    assert not torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)


def test_every_dropout_is_replaced():
    shared = nn.Dropout(0.5)
    inner = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.1))
    module = nn.Sequential(nn.Linear(3, 3), shared, inner, shared)
    state = module.state_dict()
    assert seed_dropout(module) is module
    assert not any(type(m) is nn.Dropout for m in module.modules())
    assert module[1].p == module[3].p == 0.5
    assert module[2][1].p == 0.1
    assert equal(module.state_dict(), state)
