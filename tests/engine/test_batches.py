import math
import weakref

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from sklearn_ssl.engine import batches
from sklearn_ssl.engine.batches import Rows, TensorSource, as_tensor
from tests.engine.helpers import CPU


@pytest.mark.parametrize(
    ("n", "batch_size"), [(10, 10), (11, 10), (19, 10), (3, 10), (178, 64), (1000, 256)]
)
@pytest.mark.parametrize("shuffled", [True, False])
def test_batches_cover_all_rows_once(n, batch_size, shuffled):
    values = np.arange(n) * 2
    source = TensorSource({"a": values, "b": values.astype(np.float32)}, CPU)
    generator = torch.Generator().manual_seed(0) if shuffled else None
    batches = Rows(source, torch.arange(n), batch_size, generator)
    passes = []
    for _ in range(2):
        parts = [batch for batch, _ in batches]
        assert len(parts) == len(batches) == math.ceil(n / batch_size)
        sizes = [len(part["a"]) for part in parts]
        assert max(sizes) - min(sizes) <= 1 and max(sizes) <= batch_size
        assert n <= batch_size or min(sizes) >= batch_size / 2
        assert all(torch.equal(part["a"].float(), part["b"]) for part in parts)
        passes.append(torch.cat([part["a"] for part in parts]))
        assert_array_equal(passes[-1].sort().values, values)
    assert torch.equal(*passes) == (not shuffled)
    if not shuffled:
        assert_array_equal(passes[0], values)


@pytest.mark.parametrize("n", [2, 3, 5, 7])
def test_no_batch_has_a_single_row(n):
    source = TensorSource({"a": np.arange(n)}, CPU)
    sizes = [len(rows) for _, rows in Rows(source, torch.arange(n), 2)]
    assert min(sizes) > 1 and sum(sizes) == n


def test_batches_of_some_rows():
    source = TensorSource({"a": np.arange(100)}, CPU)
    rows = torch.tensor([5, 99, 0, 17])
    parts = [batch["a"] for batch, _ in Rows(source, rows, 2)]
    assert_array_equal(torch.stack(parts), [[5, 99], [0, 17]])


class Reader:
    """Rows that are made when they are asked for: ten times what an array holds."""

    def __init__(self, array):
        self.array = array
        self.shape = array.shape

    def __len__(self):
        return len(self.array)

    def __getitem__(self, key):
        return self.array[key] * 10


def test_streamed_rows_are_taken_as_those_of_a_tensor(monkeypatch):
    array = np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32)
    array.flags.writeable = False
    tensor, source = torch.tensor(array * 10), TensorSource({"a": Reader(array)}, CPU)
    streamed = source.tensors["a"]
    assert len(streamed) == source.n_rows == 100 and streamed.shape == tensor.shape
    assert streamed.nbytes == tensor.nbytes and streamed.device == tensor.device
    some = torch.tensor([7, 0, 99, 7])
    for key in (some, slice(3, 30, 2), (slice(None), 1), torch.arange(100) % 3 == 0):
        assert torch.equal(streamed[key], tensor[key])
    assert torch.equal(streamed.index_select(0, some), tensor[some])
    assert torch.equal(source.batch(some)["a"], tensor[some])
    assert torch.equal(streamed[some, 2], tensor[some, 2])
    assert streamed.to(CPU) is streamed
    monkeypatch.setattr(batches, "_TILE", 7)
    assert torch.equal(streamed.whole(CPU), tensor)
    assert streamed.to(torch.device("meta")).shape == tensor.shape


@pytest.mark.parametrize(("n", "step"), [(1024, 1), (1025, 2), (2048, 2), (2049, 3)])
def test_views_borrow_from_evenly_spaced_rows(monkeypatch, n, step):
    monkeypatch.setattr(batches, "_DONOR_CELLS", 3000)  # 1000 rows, but those are few
    array = np.random.default_rng(0).normal(size=(n, 2)).astype(np.float32)
    arrays = {"a": array, "b": array[:, 0], "c": Reader(array[:, :0])}
    donors = TensorSource(arrays, CPU).donors
    assert torch.equal(donors["a"], torch.from_numpy(array[::step]))
    assert torch.equal(donors["b"], torch.from_numpy(array[::step, 0]))
    assert all(map(torch.is_tensor, donors.values()))
    assert all(tensor.is_contiguous() for tensor in donors.values())
    # Nothing is copied where every row lends.
    assert np.shares_memory(donors["a"].numpy(), array) == (step == 1)


def test_of_narrow_rows_more_are_donors(monkeypatch):
    monkeypatch.setattr(batches, "_DONOR_CELLS", 6000)
    array = np.zeros((4001, 3), np.float32)
    assert len(TensorSource({"a": array}, CPU).donors["a"]) == 1334
    assert len(TensorSource({"a": array[:, :1]}, CPU).donors["a"]) == 4001
    assert TensorSource({"a": array[:, :0]}, CPU).donors["a"].shape == (4001, 0)


def test_a_tensor_keeps_the_memory_of_a_read_only_array():
    array = np.arange(1000.0)
    array.flags.writeable = False
    alive, tensor = weakref.ref(array), as_tensor(array)
    del array
    assert alive() is not None
    assert torch.equal(tensor, torch.arange(1000.0, dtype=torch.float64))
    del tensor
    assert alive() is None
