from itertools import permutations

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

from sklearn_ssl import Jigsaw
from sklearn_ssl.encoders import ConvNet
from sklearn_ssl.pretext.tiles import embed_tiles
from sklearn_ssl.views.tiles import (
    cut_tiles,
    distant_permutations,
    lay_out,
    standardize,
)
from tests.helpers import ready_task, watch

DIGITS = load_digits().images[:200].astype(np.float32)
SMALL = ConvNet(channels=(8, 16))


def generator():
    return torch.Generator().manual_seed(0)


def untrained(X=DIGITS, **parameters):
    parameters = {"max_epochs": 0, "random_state": 0, "encoder": SMALL} | parameters
    return Jigsaw(**parameters).fit(X)


# Tiles --------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize(("gap", "jitter"), [(0.05, 0.15), (0.35, 0.15), (0, 0)])
def test_layout_fits_every_side(n, gap, jitter):
    for side in range(1, 300):
        n_tiles, tile, gap_px, jitter_px = lay_out(side, n, gap, jitter)
        assert n_tiles == min(n, side)
        used = n_tiles * (tile + jitter_px) + (n_tiles - 1) * gap_px
        assert tile >= 1 and gap_px >= 0 and jitter_px >= 0 and used <= side
        if side >= 2 * n - 1:
            assert gap_px >= 1
        # Nothing larger would fit.
        assert side - used < n_tiles or tile == 1


def test_layout_of_the_paper():
    # 225 pixels, cells of 75, tiles of 64, gaps of 11 on average.
    n, tile, gap, jitter = lay_out(225, 3, 0.05, 0.15)
    assert (n, tile) == (3, 64) and 9 <= gap + jitter <= 13


@pytest.mark.parametrize("shape", [(8, 8), (28, 28), (5, 9), (1, 7), (2, 3), (1, 1)])
@pytest.mark.parametrize("n", [2, 3])
def test_tiles_are_pieces_with_gaps(shape, n):
    height, width = shape
    numbered = torch.arange(height * width).view(1, 1, *shape).expand(50, 2, -1, -1)
    layouts = [lay_out(side, n, 0.05, 0.15) for side in shape]
    tiles = cut_tiles(numbered, layouts, generator())
    (rows, tile_h, gap_h, jit_h), (columns, tile_w, gap_w, jit_w) = layouts
    assert tiles.shape == (50, rows * columns, 2, tile_h, tile_w)
    assert_array_equal(tiles[:, :, 0], tiles[:, :, 1])
    y, x = tiles[:, :, 0] // width, tiles[:, :, 0] % width
    # Whole pieces of the image...
    assert ((y - y[..., :1, :1]) == torch.arange(tile_h)[:, None]).all()
    assert ((x - x[..., :1, :1]) == torch.arange(tile_w)).all()
    # ... row by row, with a gap, each with a jitter of its own.
    y, x = (a[..., 0, 0].view(50, rows, columns) for a in (y, x))
    for first, tile, gap, jitter in (
        (y, tile_h, gap_h, jit_h), (x.mT, tile_w, gap_w, jit_w)
    ):  # fmt: skip
        between = first[:, 1:, :] - first[:, :-1, :] - tile
        if between.numel():
            assert between.min() >= gap and between.max() <= gap + 2 * jitter
            assert (between.max() > between.min()) == (jitter > 0)


def test_tiles_of_two_images_are_jittered_by_themselves():
    images = torch.arange(28 * 28.0).view(1, 1, 28, 28).expand(8, 1, 28, 28)
    layouts = [lay_out(28, 3, 0.05, 0.15)] * 2
    first = cut_tiles(images, layouts, generator())[:, :, 0, 0, 0]
    assert len(first.unique(dim=0)) > 1


def test_tiles_are_standardized_by_themselves():
    tiles = torch.rand(5, 4, 3, 6, 6, generator=generator(), dtype=torch.float64)
    tiles[0, 0, 0] = 0.3
    actual = standardize(tiles)
    expected = (tiles - tiles.mean((-2, -1), keepdim=True)) / tiles.std(
        (-2, -1), correction=0, keepdim=True
    )
    expected[0, 0, 0] = 0
    torch.testing.assert_close(actual, expected, rtol=1e-3, atol=1e-3)
    # Neither brightness nor contrast of a tile is left to tell where it belongs.
    torch.testing.assert_close(standardize(5 * tiles - 2), actual, rtol=1e-3, atol=1e-3)
    assert standardize(torch.full((2, 1, 1, 3, 3), 0.1)).abs().max() < 1e-5


# Permutations -------------------------------------------------------------------------


def hamming(orders):
    distance = (orders[:, None] != orders[None]).sum(2)
    return distance[~np.eye(len(orders), dtype=bool)]


def test_greedy_choice():
    """Each is farthest from its nearest among those before, by a plain search."""
    candidates = np.array(list(permutations(range(5))))
    chosen = [candidates[0]]
    for _ in range(19):
        distance = (candidates[:, None] != np.array(chosen)).sum(2)
        key = list(zip(distance.min(1), distance.sum(1), strict=True))
        chosen.append(candidates[max(range(len(key)), key=lambda i: (key[i], -i))])
    assert_array_equal(distant_permutations(5, 20), chosen)


def test_permutations_are_distant_and_always_the_same():
    orders = distant_permutations(9, 50).numpy()
    assert_array_equal(np.sort(orders, 1), np.tile(np.arange(9), (50, 1)))
    assert hamming(orders).min() >= 6
    rng = np.random.default_rng(0)
    drawn = np.array([rng.permutation(9) for _ in range(50)])
    assert hamming(orders).min() > hamming(drawn).min()
    distant_permutations.cache_clear()
    assert_array_equal(distant_permutations(9, 50), orders)


@pytest.mark.parametrize(("n", "n_all"), [(1, 1), (2, 2), (3, 6), (4, 24)])
def test_no_more_permutations_than_there_are(n, n_all):
    orders = distant_permutations(n, 100)
    assert len(orders) == n_all == len(orders.unique(dim=0))


# The task -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("side", "grid", "expected"),
    [(8, "auto", 2), (28, "auto", 3), (27, "auto", 2), (8, 3, 3), (28, 2, 2)],
)
def test_grid_and_permutations_adapt(side, grid, expected):
    X = np.random.default_rng(0).random((10, side, side))
    jigsaw = untrained(X, grid=grid, n_permutations=30)
    assert jigsaw.grid_ == (expected, expected)
    assert jigsaw.n_permutations_ == (24 if expected == 2 else 30)


@pytest.mark.parametrize("shape", [(1, 3), (1, 1), (2, 1), (3, 2), (1, 64)])
def test_tiny_images(shape):
    X = np.random.default_rng(0).random((30, *shape))
    jigsaw = untrained(X, max_epochs=1, grid=3).fit(X)
    assert jigsaw.grid_ == tuple(min(3, side) for side in shape)
    assert np.isfinite(jigsaw.transform(X)).all() and np.isfinite(jigsaw.score(X))


def test_shuffling_embeddings_is_shuffling_tiles():
    task, batch = ready_task(untrained(), DIGITS, 8)
    task.eval()
    _, logits = watch(task)
    inputs = []
    task.encoder.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
    loss = task(**batch)
    (tiles,) = inputs
    tiles = tiles.unflatten(0, (8, 4))
    with torch.no_grad():
        z = task.reduce(task.encoder(tiles.flatten(0, 1))).unflatten(0, (8, 4))
        of_order = torch.stack(
            [
                F.log_softmax(task.head(z[:, order].flatten(1)), 1)[:, label]
                for label, order in enumerate(task.orders)
            ]
        )  # the log-probability of each order, were it the one that was laid
    # The order of each image is one of the 24, and the loss that of telling it.
    log_p = F.log_softmax(logits[0], 1)
    matches = [(of_order[:, i, None] - log_p[i]).abs().min(1) for i in range(8)]
    assert all((match.values < 1e-5).any() for match in matches)
    labels = torch.stack([match.values.argmin() for match in matches])
    assert len(labels.unique()) > 1
    expected = F.nll_loss(log_p.double(), labels)
    torch.testing.assert_close(loss.double(), expected, rtol=1e-4, atol=1e-5)


def test_encoder_sees_standardized_tiles_alone():
    task, batch = ready_task(untrained(), DIGITS, 16)
    inputs = []
    task.encoder.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
    task(**batch)
    (tiles,) = inputs
    assert tiles.shape == (64, 1, 3, 3)
    assert tiles.mean((-2, -1)).abs().max() < 1e-4
    std = tiles.std((-2, -1), correction=0)
    assert ((std - 1).abs() < 1e-2).any() and std.max() < 1 + 1e-4


def test_embedding_of_a_tile_does_not_depend_on_its_place():
    """In evaluation mode the head alone sees the order."""
    task, _ = ready_task(untrained(), DIGITS)
    task.eval()
    tiles = torch.rand(3, 4, 1, 3, 3, generator=generator())
    z, reversed_z = embed_tiles(task, tiles), embed_tiles(task, tiles.flip(1))
    torch.testing.assert_close(reversed_z, z.flip(1))


def test_learns_to_lay_tiles():
    jigsaw = untrained(DIGITS, max_epochs=30, learning_rate=3e-3).fit(DIGITS)
    assert jigsaw.loss_curve_[-1] < 0.85 * np.log(24)


def test_transform_embeds_whole_images():
    jigsaw = untrained()
    task, batch = ready_task(jigsaw, DIGITS)
    task.eval()
    with torch.no_grad():
        z = task.encoder(task.inputs(task.inputs.prepare(batch)))
    expected = z * task.scale + task.shift
    actual = torch.from_numpy(jigsaw.transform(DIGITS)[:32])
    torch.testing.assert_close(actual, expected, atol=1e-4, rtol=0)


def test_encoder_is_built_for_tiles():
    def factory(input_shape):
        shapes.append(input_shape)
        return SMALL.build(input_shape)

    shapes = []
    X = np.tile(DIGITS, (1, 4, 4))
    [(_, tile, _, _)] = set(ready_task(untrained(X, encoder=factory), X)[0].layouts)
    assert set(shapes) == {(1, tile, tile)}


def test_encoders_of_one_size_are_refused():
    def factory(input_shape):
        return nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(input_shape)), 8))

    message = r"must take \('n', 1, 8, 8\) and \('n', 1, 3, 3\); pass encoder='auto'"
    with pytest.raises(ValueError, match=message):
        untrained(encoder=factory)
    with pytest.raises(ValueError, match=r"same number of outputs.* has \[256, "):
        untrained(np.tile(DIGITS, (1, 2, 2)), encoder=nn.Flatten, grid=2)


@pytest.mark.parametrize(
    ("name", "value"),
    [("grid", 1), ("grid", 4), ("grid", "all"), ("n_permutations", 1)]
    + [("n_permutations", None), ("gap", -0.1), ("jitter", -0.1), ("gap", "wide")]
    + [("projection_dim", 0)],
)
def test_invalid_parameters(name, value):
    with pytest.raises(ValueError, match=f"{name} must be"):
        untrained(**{name: value})
