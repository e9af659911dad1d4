"""Private randomness: nothing here reads or moves a global generator."""

import inspect
import secrets

import numpy as np
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

# Each use of randomness draws from its own stream, so that e.g. a costlier view does
# not change the order of the rows.
WEIGHTS, ORDER, VIEWS, SCORE = range(4)

_IN_PLACE = (
    "uniform_ normal_ random_ bernoulli_ exponential_ geometric_ cauchy_ log_normal_"
)
_FACTORIES = (
    "rand randn randint randperm normal bernoulli multinomial poisson "
    "rand_like randn_like randint_like"
)
_DRAWS = (
    {getattr(torch.Tensor, name) for name in _IN_PLACE.split()}
    | {
        function
        for function in (getattr(torch, name) for name in _FACTORIES.split())
        if "generator" in function.__doc__  # those like another tensor: torch >= 2.11
    }
    # Some of these are handed to the mode whole, before they draw.
    | {
        function
        for _, function in inspect.getmembers(nn.init, inspect.isfunction)
        if "generator" in inspect.signature(function).parameters
    }
)


def as_seed(random_state):
    """Turn scikit-learn's ``random_state`` into an int.

    ``None`` asks the operating system, so that numpy's global generator stays as it is.
    """
    if random_state is None:
        return secrets.randbits(63)
    if isinstance(random_state, np.random.RandomState | np.random.Generator):
        draw = getattr(random_state, "integers", None) or random_state.randint
        return int(draw(2**31 - 1))
    return int(random_state)


def make_generator(seed, stream, device="cpu"):
    """A ``torch.Generator`` for one stream of a seed, independent of the others."""
    state = np.random.SeedSequence([seed, stream]).generate_state(1, np.uint64)[0]
    return torch.Generator(device).manual_seed(int(state >> np.uint64(1)))


class seeded_initialization(TorchFunctionMode):
    """Make every tensor that is drawn inside the block come from `generator`.

    Layers, and factories that users pass, initialize their weights from torch's global
    generator. This mode hands them ours; it is local to the thread, so that parallel
    fits do not meet.
    """

    def __init__(self, generator):
        super().__init__()
        self.generator = generator

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func in _DRAWS and kwargs.get("generator") is None:
            kwargs["generator"] = self.generator
        return func(*args, **kwargs)


class SeededDropout(nn.Module):
    """Dropout whose mask comes from a generator of our own.

    Parameters
    ----------
    p : float
        Probability of zeroing an element.
    """

    def __init__(self, p):
        super().__init__()
        self.p = p
        self.generator = None

    def forward(self, x):
        if not self.training or self.p == 0:
            return x
        keep = torch.empty_like(x).bernoulli_(1 - self.p, generator=self.generator)
        return x * keep / (1 - self.p)


def seed_dropout(module):
    """Replace each ``nn.Dropout`` inside `module` by a :class:`SeededDropout`."""
    # Not named_children, which passes over a module that is there twice.
    for name, child in module._modules.items():
        if type(child) is nn.Dropout:
            setattr(module, name, SeededDropout(child.p))
        elif child is not None:
            seed_dropout(child)
    return module
