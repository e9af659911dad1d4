import numpy as np
import pytest
import torch
from sklearn.base import clone

from sklearn_ssl.modalities import Image, Tabular
from sklearn_ssl.views import Corruption, resolve_views
from sklearn_ssl.views.tabular import bernoulli_mask, corrupt, exact_mask

N_SOURCE = 1000


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def source():
    """Each value says the column and row it comes from, so that it can be traced."""
    row = torch.arange(N_SOURCE)[:, None]
    numbers = row + N_SOURCE * torch.arange(5)
    categories = row + N_SOURCE * torch.arange(3)
    missing = (numbers[:, [1, 4]] % 3 == 0).float()
    return {"numbers": numbers.float(), "missing": missing, "categories": categories}


@pytest.fixture
def batch(source):
    """Rows that no source has: every replaced cell shows."""
    return {name: -1 - tensor[:200] for name, tensor in source.items()}


MISSING_COLUMNS = [1, 4]


def replaced_cells(batch, corrupted):
    return torch.cat(
        [corrupted[name] != batch[name] for name in ("numbers", "categories")], dim=1
    )


@pytest.mark.parametrize(
    ("rate", "width", "expected"),
    [(0.6, 10, 6), (0.6, 13, 7), (0.3, 10, 3), (0.1, 10, 1), (0.01, 10, 1)]
    + [(0.0, 10, 1), (1.0, 10, 10), (0.6, 1, 1), (0.7, 10, 7), (0.29, 100, 29)],
)
def test_exact_mask(rate, width, expected):
    mask = exact_mask(500, width, rate, generator(), "cpu")
    assert mask.shape == (500, width) and mask.dtype == torch.bool
    assert (mask.sum(dim=1) == expected).all()
    share = mask.float().mean(dim=0)
    torch.testing.assert_close(
        share, torch.full_like(share, expected / width), rtol=0, atol=0.1
    )


@pytest.mark.parametrize("rate", [0.0, 0.15, 0.5, 1.0])
def test_bernoulli_mask(rate):
    mask = bernoulli_mask(4000, 10, rate, generator(), "cpu")
    assert abs(mask.float().mean() - rate) < 0.01
    if 0 < rate < 1:
        counts = mask.sum(dim=1).double()
        assert abs(counts.var() / (10 * rate * (1 - rate)) - 1) < 0.1
        cells = np.corrcoef(mask.T.numpy()) - np.eye(10)
        assert abs(cells).max() < 0.07


def test_exact_number_of_cells_over_both_kinds_of_columns(batch, source):
    corrupted = corrupt(batch, source, generator(), 0.6, True, MISSING_COLUMNS)
    replaced = replaced_cells(batch, corrupted)
    assert (replaced.sum(dim=1) == 4).all()  # floor(0.6 * 8)
    assert replaced.any(dim=0).all()


@pytest.mark.parametrize("exact", [True, False])
def test_replaced_cells_come_from_their_own_column(batch, source, exact):
    corrupted = corrupt(batch, source, generator(), 0.5, exact, MISSING_COLUMNS)
    for name in ("numbers", "categories"):
        replaced = corrupted[name] != batch[name]
        column = (corrupted[name] // N_SOURCE).long()
        assert torch.equal(
            column[replaced],
            torch.arange(column.shape[1]).expand_as(column)[replaced],
        )


def test_columns_are_drawn_independently(batch, source):
    corrupted = corrupt(batch, source, generator(), 1.0, True, MISSING_COLUMNS)
    donors = torch.cat(
        [corrupted[name] % N_SOURCE for name in ("numbers", "categories")], dim=1
    ).long()
    for a in range(donors.shape[1]):
        for b in range(a):
            assert (donors[:, a] == donors[:, b]).float().mean() < 0.05
            correlation = np.corrcoef(donors[:, a], donors[:, b])[0, 1]
            assert abs(correlation) < 0.25


@pytest.mark.parametrize("exact", [True, False])
def test_a_row_borrows_from_one_donor_alone(batch, source, exact):
    options = 0.5, exact, MISSING_COLUMNS
    corrupted = corrupt(batch, source, generator(), *options, donors="row")
    cells = torch.cat([corrupted[name] for name in ("numbers", "categories")], dim=1)
    replaced = replaced_cells(batch, corrupted)
    # The largest is a donor's: the rows' own values are below 0.
    donor = (cells % N_SOURCE).masked_fill(~replaced, -1).amax(dim=1, keepdim=True)
    assert torch.equal((cells % N_SOURCE)[replaced], donor.expand_as(cells)[replaced])
    assert len(donor.unique()) > 150
    # The cells are those that are replaced by a donor each.
    each = corrupt(batch, source, generator(), *options)
    assert torch.equal(replaced, replaced_cells(batch, each))


def test_donors_are_spread_over_the_whole_source(batch, source):
    corrupted = corrupt(batch, source, generator(), 1.0, True, MISSING_COLUMNS)
    donors = corrupted["numbers"].flatten() % N_SOURCE
    quarters = torch.histc(donors, bins=4, min=0, max=N_SOURCE) / len(donors)
    assert (abs(quarters - 0.25) < 0.05).all()


@pytest.mark.parametrize("donors", ["cell", "row"])
@pytest.mark.parametrize("exact", [True, False])
def test_missing_indicator_follows_its_number(batch, source, exact, donors):
    options = 0.5, exact, MISSING_COLUMNS, donors
    corrupted = corrupt(batch, source, generator(), *options)
    numbers = corrupted["numbers"][:, MISSING_COLUMNS]
    replaced = numbers != batch["numbers"][:, MISSING_COLUMNS]
    assert replaced.any() and not replaced.all()
    of_donor = (numbers % 3 == 0).float()
    expected = torch.where(replaced, of_donor, batch["missing"])
    assert torch.equal(corrupted["missing"], expected)


def test_categories_are_swapped_whole(batch, source):
    corrupted = corrupt(batch, source, generator(), 0.5, True, MISSING_COLUMNS)
    codes = corrupted["categories"]
    assert codes.dtype == torch.int64
    is_own = codes == batch["categories"]
    is_of_donor = (codes[..., None] == source["categories"].T).any(dim=2)
    assert (is_own ^ is_of_donor).all()


@pytest.mark.parametrize("names", [("numbers",), ("categories",)])
def test_tables_of_one_kind_of_columns(batch, source, names):
    batch = {name: batch[name] for name in names}
    source = {name: source[name] for name in names}
    corrupted = corrupt(batch, source, generator(), 0.4, True)
    assert list(corrupted) == list(names)
    width = batch[names[0]].shape[1]
    n_replaced = (corrupted[names[0]] != batch[names[0]]).sum(dim=1)
    assert (n_replaced == max(int(0.4 * width), 1)).all()


@pytest.mark.parametrize("exact", [True, False])
def test_batch_and_source_stay_as_they_are(batch, source, exact):
    before = [{k: t.clone() for k, t in tensors.items()} for tensors in (batch, source)]
    corrupted = corrupt(batch, source, generator(), 0.6, exact, MISSING_COLUMNS)
    assert corrupted is not batch
    for tensors, old in zip((batch, source), before, strict=True):
        assert all(torch.equal(tensors[name], old[name]) for name in old)


@pytest.mark.parametrize("exact", [True, False])
def test_generator_decides_alone(batch, source, exact):
    def run(seed):
        return corrupt(batch, source, generator(seed), 0.6, exact, MISSING_COLUMNS)

    before = torch.get_rng_state()
    first, again, other = run(0), run(0), run(1)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["numbers"], other["numbers"])


@pytest.mark.parametrize("rate", [0.0, 0.15, 0.7])
def test_swap_noise_has_its_nominal_rate(batch, source, rate):
    corrupted = corrupt(batch, source, generator(), rate, False, MISSING_COLUMNS)
    replaced = replaced_cells(batch, corrupted).float()
    assert abs(replaced.mean() - rate) < 0.03
    assert (abs(replaced.mean(dim=0) - rate) < 0.1).all()


def test_marginals_are_preserved():
    g = generator(1)
    numbers = torch.randn(4000, 3, generator=g) * torch.tensor([1.0, 5.0, 0.1]) + 2
    codes = torch.multinomial(
        torch.tensor([0.7, 0.2, 0.1]), 4000, replacement=True, generator=g
    )
    table = {"numbers": numbers, "categories": codes[:, None]}
    corrupted = corrupt(table, table, g, 0.8, True)
    assert not torch.equal(corrupted["numbers"], numbers)
    for statistic in (torch.mean, torch.std):
        expected = statistic(numbers, dim=0)
        actual = statistic(corrupted["numbers"], dim=0)
        assert (abs(actual - expected) < 0.1 * numbers.std(dim=0)).all()
    shares = corrupted["categories"].flatten().bincount() / 4000
    torch.testing.assert_close(shares, codes.bincount() / 4000, rtol=0, atol=0.03)


def test_component():
    X = np.array([[1.0, np.nan, 3.0], [4.0, 5.0, np.nan], [0.0, 2.0, 1.0]] * 10)
    modality = Tabular().fit(X)
    arrays = modality.to_arrays(X)
    view = Corruption(rate=0.7, donors="row")
    adapted = resolve_views(view, None, modality, arrays)
    assert adapted is not view and not hasattr(view, "missing_columns_")
    assert adapted.missing_columns_ == [1, 2]
    batch = {name: torch.from_numpy(array) for name, array in arrays.items()}
    corrupted = adapted(batch, batch, generator())
    expected = corrupt(batch, batch, generator(), 0.7, True, [1, 2], "row")
    assert all(torch.equal(corrupted[name], expected[name]) for name in expected)
    missing = corrupted["missing"].bool()
    assert not corrupted["numbers"][:, [1, 2]][missing].any()
    parameters = {"rate": 0.7, "exact": True, "donors": "row"}
    assert clone(adapted).get_params() == parameters


@pytest.mark.parametrize("rate", [-0.1, 1.1])
def test_rate_out_of_bounds(rate):
    X = np.eye(4)
    modality = Tabular().fit(X)
    with pytest.raises(
        ValueError, match="rate must be a number of at least 0 and at most 1"
    ):
        Corruption(rate=rate).adapt(modality, modality.to_arrays(X))


def test_corruption_of_images_is_refused():
    X = np.random.default_rng(0).random((4, 8, 8))
    modality = Image().fit(X)
    with pytest.raises(ValueError, match=r"works on tables.*views='auto'"):
        Corruption().adapt(modality, modality.to_arrays(X))


def test_default_and_callable_views():
    X = np.eye(4)
    modality = Tabular().fit(X)
    arrays = modality.to_arrays(X)
    default = Corruption(rate=0.25)
    assert resolve_views("auto", default, modality, arrays).rate == 0.25

    def view(batch, source, generator):
        return batch

    assert resolve_views(view, default, modality, arrays) is view
    with pytest.raises(TypeError, match="views must be 'auto'"):
        resolve_views("strong", default, modality, arrays)
