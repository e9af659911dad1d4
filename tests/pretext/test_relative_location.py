import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.datasets import load_digits
from torch.nn import functional as F

from sklearn_ssl import RelativeLocation
from sklearn_ssl.encoders import ConvNet
from sklearn_ssl.views import tiles
from sklearn_ssl.views.tiles import drop_colors, lay_out, project_colors
from tests.helpers import ready_task, watch

DIGITS = load_digits().images[:200].astype(np.float32)
PHOTOS = np.random.default_rng(0).integers(256, size=(40, 3, 12, 12), dtype=np.uint8)
SMALL = ConvNet(channels=(8, 16))


def generator():
    return torch.Generator().manual_seed(0)


def untrained(X=DIGITS, **parameters):
    parameters = {"max_epochs": 0, "random_state": 0, "encoder": SMALL} | parameters
    return RelativeLocation(**parameters).fit(X)


def encoder_inputs(task, batch):
    inputs = []
    task.encoder.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
    task(**batch)
    (pixels,) = inputs
    return pixels


def test_layout_of_the_paper():
    # Patches of 96 with gaps of 48 on average, jitter of 7 to either side.
    side = 3 * 96 + 2 * 34 + 3 * 14
    assert lay_out(side, 3, 0.35, 0.15) == (3, 96, 34, 14)


@pytest.mark.parametrize(
    ("shape", "grid", "n_classes"),
    [((8, 8), (3, 3), 8), ((3, 5), (3, 3), 8), ((1, 3), (1, 3), 2)]
    + [((5, 2), (3, 1), 2), ((2, 2), (1, 1), 1), ((1, 1), (1, 1), 1)],
)
def test_neighbours_adapt_to_the_size(shape, grid, n_classes):
    X = np.random.default_rng(0).random((30, *shape))
    location = untrained(X, max_epochs=1)
    assert location.grid_ == grid
    task = location._network.task
    assert task.head[-1].out_features == len(task.sides) == n_classes
    assert np.isfinite(location.transform(X)).all()
    assert np.isfinite(location.score(X))


def test_pairs_are_the_middle_and_each_neighbour():
    """Value of the loss from what the encoder makes of nine patches, row by row."""
    task, batch = ready_task(untrained(), DIGITS, 6)
    task.eval()
    _, logits = watch(task)
    outputs = []
    task.reduce.register_forward_hook(lambda m, args, out: outputs.append(out))
    loss = task(**batch)
    (z,) = outputs
    assert z.shape == (6, 9, 128)
    places = [(i, j) for i in range(3) for j in range(3)]
    around = [k for k, place in enumerate(places) if place != (1, 1)]
    total = 0.0
    for i in range(6):
        for label, k in enumerate(around):
            pair = torch.cat([z[i, places.index((1, 1))], z[i, k]])[None]
            log_p = F.log_softmax(task.head(pair).double(), 1)
            total -= log_p[0, label]
    torch.testing.assert_close(loss.double(), total / 48, rtol=1e-5, atol=1e-6)
    assert logits[0].shape == (48, 8)


def test_patches_come_from_where_they_are_said_to(monkeypatch):
    task, batch = ready_task(untrained(), DIGITS, 5)
    cut = []
    original = tiles.cut_tiles
    monkeypatch.setattr(
        tiles,
        "cut_tiles",
        lambda *args: cut.append((args, original(*args))) or cut[-1][1],
    )
    seen = encoder_inputs(task, batch)
    (((images, layouts, _), patches),) = cut
    assert images.shape == (5, 1, 8, 8) and layouts == [(3, 2, 1, 0)] * 2
    assert_array_equal(seen, patches.flatten(0, 1))
    assert_array_equal(patches[:, 4], images[:, :, 3:5, 3:5])
    assert_array_equal(patches[:, 2], images[:, :, :2, 6:])


def test_projection_removes_one_axis_of_colour():
    pixels = torch.rand(4, 3, 5, 5, generator=generator(), dtype=torch.float64)
    a = np.array([[-1.0, 2.0, -1.0]])
    matrix = np.eye(3) - a.T @ a / (a @ a.T)
    expected = np.einsum("ij,njhw->nihw", matrix, pixels.numpy())
    projected = project_colors(pixels)
    torch.testing.assert_close(projected, torch.from_numpy(expected))
    torch.testing.assert_close(project_colors(projected), projected)
    gray = pixels[:, :1].expand_as(pixels)
    torch.testing.assert_close(project_colors(gray), gray)


@pytest.mark.parametrize("n_channels", [1, 2, 4])
def test_other_numbers_of_channels_have_no_such_colour(n_channels):
    pixels = torch.rand(4, n_channels, 5, 5, generator=generator())
    assert project_colors(pixels) is pixels
    assert drop_colors(pixels[:, None], generator()) is not None
    assert_array_equal(drop_colors(pixels[:, None], generator()), pixels[:, None])


def test_dropping_leaves_one_channel_and_faint_noise():
    patches = torch.randn(200, 9, 3, 6, 6, generator=generator(), dtype=torch.float64)
    dropped = drop_colors(patches, generator())
    kept = (dropped == patches).all(-1).all(-1)
    assert_array_equal(kept.sum(2), np.ones((200, 9)))
    share = kept.double().mean((0, 1))
    np.testing.assert_allclose(share, 1 / 3, atol=0.05)
    noise = dropped[~kept]
    std = patches[kept].std((-2, -1), correction=0).repeat_interleave(2)
    ratio = noise.std((-2, -1)) / std
    np.testing.assert_allclose(ratio.mean(), 0.01, rtol=0.05)
    assert noise.mean().abs() < 1e-3


@pytest.mark.parametrize("color", ["projection", "drop", "keep"])
def test_green_against_magenta_is_seen_by_none(color):
    """Shifting colours along the axis of chromatic aberration."""
    task, batch = ready_task(untrained(PHOTOS, color=color), PHOTOS, 8)
    task.views = lambda batch, source, generator: batch
    seen = [encoder_inputs(task, batch)]
    shifted = batch["pixels"].float() + 9 * torch.tensor([-1, 2, -1.0]).view(3, 1, 1)
    task.set_generator(generator())
    inputs = []
    task.encoder.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
    task(pixels=shifted)
    same = torch.allclose(seen[0], inputs[0], atol=1e-4)
    assert same == (color == "projection")


def test_transform_projects_colours_too():
    location = untrained(PHOTOS)
    shifted = PHOTOS.astype(np.float32)
    Z = location.transform(PHOTOS)
    shifted += 9 * np.array([-1, 2, -1], dtype=np.float32).reshape(3, 1, 1)
    np.testing.assert_allclose(location.transform(shifted), Z, atol=1e-3)
    kept = untrained(PHOTOS, color="keep")
    assert abs(kept.transform(shifted) - kept.transform(PHOTOS)).max() > 0.1


def test_transform_embeds_whole_images():
    location = untrained()
    task, batch = ready_task(location, DIGITS)
    task.eval()
    with torch.no_grad():
        z = task.encoder(task.inputs(task.inputs.prepare(batch)))
    expected = z * task.scale + task.shift
    actual = torch.from_numpy(location.transform(DIGITS)[:32])
    torch.testing.assert_close(actual, expected, atol=1e-4, rtol=0)


def test_learns_to_tell_the_place():
    location = untrained(DIGITS, max_epochs=20, learning_rate=3e-3).fit(DIGITS)
    assert location.loss_curve_[-1] < 0.85 * np.log(8)


@pytest.mark.parametrize(
    ("name", "value"),
    [("color", "red"), ("color", None), ("gap", -0.1), ("jitter", "much")]
    + [("projection_dim", 0), ("projection_dim", 1.5)],
)
def test_invalid_parameters(name, value):
    with pytest.raises(ValueError, match=f"{name} must be"):
        untrained(**{name: value})
