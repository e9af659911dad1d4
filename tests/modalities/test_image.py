import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image as pillow
from sklearn.base import clone
from sklearn.datasets import load_digits

from sklearn_ssl import SimCLR
from sklearn_ssl.encoders import ConvNet, ResNet
from sklearn_ssl.modalities import Image

DIGITS, _ = load_digits(return_X_y=True)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def photos(rng):
    """Ten uint8 colour images with channels last."""
    return rng.integers(256, size=(10, 6, 8, 3), dtype=np.uint8)


def pixels_of(X, **parameters):
    return Image(**parameters).fit(X).to_arrays(X)["pixels"]


# Axes ---------------------------------------------------------------------------------


@pytest.mark.parametrize("n_channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_channels(n_channels, dtype, rng):
    last = rng.integers(256, size=(5, 6, 8, n_channels)).astype(dtype)
    first = last.transpose(0, 3, 1, 2)
    modality = Image().fit(last)
    assert modality.shape_ == (n_channels, 6, 8)
    for X in (last, first):
        pixels = pixels_of(X)
        assert_array_equal(pixels, first)
        assert pixels.dtype == dtype and pixels.flags.c_contiguous
        # The data of other fits are read as these were, not guessed at again.
        assert_array_equal(Image().fit(X).to_arrays(X[:1])["pixels"], first[:1])


@pytest.mark.parametrize("shape", [(5, 3, 8, 3), (5, 4, 2, 4), (5, 6, 8, 6)])
def test_ambiguous_channels(shape, rng):
    X = rng.random(shape)
    with pytest.raises(ValueError, match=r"modality=Image\(channels='first'\) or"):
        Image().fit(X)
    with pytest.raises(ValueError, match=r"modality=Image\(channels='first'\) or"):
        SimCLR().fit(X)
    _, a, b, c = shape
    assert Image(channels="first").fit(X).shape_ == (a, b, c)
    assert Image(channels="last").fit(X).shape_ == (c, a, b)


def test_gray_images_without_an_axis_of_channels(rng):
    X = rng.random((5, 6, 8), dtype=np.float32)
    assert Image().fit(X).shape_ == (1, 6, 8)
    assert_array_equal(pixels_of(X), X[:, None])


def test_unknown_channels(photos):
    with pytest.raises(ValueError, match="channels must be 'auto', 'first' or 'last'"):
        Image(channels="middle").fit(photos)


# Flattened rows -----------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 1), (1, 8, 8), [8, 8]])
def test_flattened_rows(shape):
    modality = Image(shape=shape).fit(DIGITS)
    assert modality.shape_ == (1, 8, 8)
    expected = DIGITS.reshape(-1, 1, 8, 8)
    assert_array_equal(modality.to_arrays(DIGITS)["pixels"], expected)
    assert tuple(modality.shape) == tuple(shape)


def test_flattened_colour_rows(photos):
    modality = Image(shape=(6, 8, 3))
    flat = photos.reshape(10, -1)
    expected = photos.transpose(0, 3, 1, 2)
    assert_array_equal(modality.fit(flat).to_arrays(flat)["pixels"], expected)


@pytest.mark.parametrize("library", [pd, pl])
def test_frame_of_pixels(library):
    X = library.DataFrame(DIGITS, **({"orient": "row"} if library is pl else {}))
    expected = DIGITS.reshape(-1, 1, 8, 8)
    assert_array_equal(pixels_of(X, shape=(8, 8)), expected)


@pytest.mark.parametrize("library", [pd, pl])
def test_frame_of_other_columns(library):
    names = [f"pixel{i}" for i in range(64)]
    frame = library.DataFrame(dict(zip(names, DIGITS[:40].T, strict=True)))
    simclr = SimCLR(modality=Image(shape=(8, 8)), encoder=ConvNet(channels=(4,)))
    simclr.set_params(max_epochs=1, random_state=0).fit(frame)
    assert list(simclr.feature_names_in_) == names
    Z = simclr.transform(frame)
    others = dict(zip([*names[:-1], "label"], DIGITS[:40].T, strict=True))
    for method in simclr.transform, simclr.score, simclr.partial_fit:
        with pytest.raises(ValueError, match=r"(?s)label.*pixel63"):
            method(library.DataFrame(others))
        with pytest.raises(ValueError, match="pixel63"):
            method(frame[names[:-1]])
        with pytest.raises(ValueError, match="order"):
            method(frame[names[::-1]])
    with pytest.raises(ValueError, match=r"lacks \['pixel63'\].*\['label'\]"):
        clone(simclr).fit(frame[:30], X_unlabeled=library.DataFrame(others))
    assert_array_equal(simclr.transform(frame), Z)


def test_flattened_rows_of_objects():
    X = DIGITS[:4].astype(object)
    expected = DIGITS[:4].reshape(-1, 1, 8, 8)
    assert_array_equal(pixels_of(X, shape=(8, 8)), expected)


def test_wrong_number_of_columns():
    with pytest.raises(ValueError, match=r"\(8, 9\) makes 72 pixels.*64 columns"):
        Image(shape=(8, 9)).fit(DIGITS)
    modality = Image(shape=(8, 8)).fit(DIGITS)
    with pytest.raises(ValueError, match=r"makes 64 pixels.*63 columns"):
        modality.to_arrays(DIGITS[:, 1:])


def test_flattened_rows_without_a_shape():
    with pytest.raises(ValueError, match=r"modality=Image\(shape=\(height, width\)\)"):
        SimCLR(modality="image").fit(DIGITS)


# PIL ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "n_channels"), [("L", 1), ("RGB", 3), ("RGBA", 4), ("1", 1), ("LA", 1)]
)
def test_pillow_modes(mode, n_channels, photos):
    images = [pillow.fromarray(photo).convert(mode) for photo in photos]
    pixels = pixels_of(images)
    assert pixels.shape == (10, n_channels, 6, 8) and pixels.dtype == np.uint8
    target = "L" if n_channels == 1 else mode
    expected = np.stack([np.asarray(image.convert(target)) for image in images])
    expected = expected.reshape(10, 6, 8, n_channels).transpose(0, 3, 1, 2)
    assert_array_equal(pixels, expected)
    assert_array_equal(pixels_of(tuple(images)), pixels)


def test_pillow_palettes_become_colours(photos):
    images = [pillow.fromarray(photo).quantize(4) for photo in photos]
    assert images[0].mode == "P"
    expected = [np.asarray(image.convert("RGB")) for image in images]
    assert_array_equal(pixels_of(images), np.transpose(expected, (0, 3, 1, 2)))


@pytest.mark.parametrize("dtype", [np.int32, np.uint16, np.float32])
def test_pillow_modes_beyond_uint8(dtype, rng):
    X = rng.integers(60_000, size=(4, 6, 8)).astype(dtype)
    pixels = pixels_of([pillow.fromarray(x) for x in X])
    assert pixels.dtype == np.float32
    assert_array_equal(pixels[:, 0], X)


def test_pillow_images_must_be_finite(rng):
    X = rng.random((4, 6, 8), dtype=np.float32)
    X[2, 0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN: image 2 is the first"):
        Image().fit([pillow.fromarray(x) for x in X])


def test_pillow_images_differ(photos):
    images = [pillow.fromarray(photo) for photo in photos]
    images[3] = images[3].resize((4, 4))
    with pytest.raises(ValueError, match=r"X\[3\] has size \(4, 4\).*Resize"):
        Image().fit(images)
    images[3] = images[2].convert("L")
    with pytest.raises(ValueError, match=r"X\[3\].*mode 'L'.*'RGB'.*convert"):
        Image().fit(images)
    images[3] = "photo.png"
    with pytest.raises(TypeError, match=r"X\[3\] is str, not a PIL image"):
        Image().fit(images)


def test_pillow_images_are_read_by_estimators(photos):
    images = [pillow.fromarray(photo) for photo in photos]
    simclr = SimCLR(encoder=ConvNet(channels=(4,)), max_epochs=1, random_state=0)
    Z = simclr.fit_transform(images)
    assert simclr.modality_.shape_ == (3, 6, 8)
    assert simclr.n_features_in_ == 6 * 8 * 3
    assert_array_equal(clone(simclr).fit(photos).transform(photos), Z)


# Lists of arrays ----------------------------------------------------------------------


def test_list_of_arrays(photos):
    assert_array_equal(pixels_of(list(photos)), pixels_of(photos))
    with pytest.raises(ValueError, match=r"X\[1\] has shape \(3, 8, 3\).*Resize"):
        Image().fit([photos[0], photos[1, :3]])


@pytest.mark.parametrize("X", [[], np.empty((0, 4, 4))])
def test_no_images(X):
    with pytest.raises(ValueError, match=r"0 sample\(s\)"):
        Image().fit(X)


def test_not_numbers():
    with pytest.raises(ValueError, match="Images must hold numbers"):
        Image().fit(np.full((2, 3, 3), "dark"))


@pytest.mark.parametrize("shape", [(4,), (2, 2, 2, 2, 2)])
def test_wrong_number_of_dimensions(shape):
    with pytest.raises(ValueError, match=r"must have shape \(n, height, width\)"):
        Image().fit(np.ones(shape))


# Values -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "kind"), [(np.nan, "NaN"), (np.inf, "infinity"), (-np.inf, "infinity")]
)
def test_images_must_be_finite(value, kind, rng):
    X = rng.random((6, 8, 8))
    modality = Image().fit(X)
    X[4, 2, 3] = value
    for method in (modality.to_arrays, Image().fit):
        with pytest.raises(ValueError, match=f"{kind}: image 4 is the first"):
            method(X)


def test_large_values_are_no_infinity():
    X = np.full((3, 4, 4), 3e38, dtype=np.float32)
    X[0] = -3e38
    assert_array_equal(pixels_of(X)[:, 0], X)


def test_range_and_statistics_of_uint8(photos):
    modality = Image().fit(photos // 2)
    assert modality.range_ == (0, 255)
    values = (photos // 2) / 255
    assert_allclose(modality.mean_, values.mean(axis=(0, 1, 2)))
    assert_allclose(modality.std_, values.std(axis=(0, 1, 2)))


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-1, 1), (0, 16), (5, 6)])
def test_range_and_statistics_of_floats(low, high, rng):
    X = rng.random((20, 4, 4, 2)) * (high - low) + low
    X[0, 0, 0, 0], X[1, 1, 1, 1] = low, high
    modality = Image(channels="last").fit(X)
    assert modality.range_ == (low, high)
    values = (X - low) / (high - low)
    assert_allclose(modality.mean_, values.mean(axis=(0, 1, 2)), atol=1e-6)
    assert_allclose(modality.std_, values.std(axis=(0, 1, 2)), atol=1e-6)


@pytest.mark.parametrize("value", [0.0, 3.5])
def test_constant_images(value):
    modality = Image().fit(np.full((3, 4, 4), value))
    low, high = modality.range_
    assert (low, high) == (value, value + 1)
    assert_allclose(modality.mean_, 0)
    assert_allclose(modality.std_, 1)


def test_fractions_where_training_images_were_uint8(photos):
    modality = Image().fit(photos)
    with pytest.raises(ValueError, match=r"\(255 \* X\)\.astype\('uint8'\)"):
        modality.to_arrays(photos / 255)
    same = modality.to_arrays(photos.astype(float))["pixels"]
    assert_array_equal(same, modality.to_arrays(photos)["pixels"])


def test_bytes_where_training_images_were_fractions(photos):
    modality = Image().fit(photos / 255)
    with pytest.raises(ValueError, match="X / 255"):
        modality.to_arrays(photos)


# New images ---------------------------------------------------------------------------


def test_size_differs_from_training(photos):
    modality = Image().fit(photos)
    with pytest.raises(ValueError, match=r"\(3, 5, 8\).*\(3, 6, 8\).*Resize"):
        modality.to_arrays(photos[:, 1:])
    with pytest.raises(ValueError, match=r"3 dimensions.*had 4"):
        modality.to_arrays(photos[..., 0])
    with pytest.raises(ValueError, match=r"4 dimensions.*had 3"):
        Image().fit(photos[..., 0]).to_arrays(photos)


def test_estimators_refuse_another_size(photos):
    simclr = SimCLR(encoder=ConvNet(channels=(4,)), max_epochs=1, random_state=0)
    simclr.fit(photos)
    for method in (simclr.transform, simclr.score):
        with pytest.raises(ValueError, match=r"\(3, 6, 7\).*\(3, 6, 8\)"):
            method(photos[:, :, :7])


def test_images_stay_as_they_are(photos):
    before = photos.copy()
    Image().fit(photos).to_arrays(photos)
    assert_array_equal(photos, before)


@pytest.mark.parametrize(
    ("side", "expected"), [(8, ConvNet), (64, ConvNet), (65, ResNet)]
)
def test_default_encoder(side, expected):
    encoder = Image().fit(np.zeros((2, side, 8))).default_encoder()
    assert type(encoder) is expected


def test_another_scale_than_in_training(photos):
    unit = Image().fit((photos / 255).astype(np.float32))
    for other in photos.astype(np.int64), -3 * photos.astype(float):
        with pytest.raises(ValueError, match="Scale them alike"):
            unit.to_arrays(other)
    with pytest.raises(ValueError, match=r"to 255000, but .* held 0 to 255"):
        Image().fit(photos).to_arrays(1000.0 * photos)
    brighter = 3.0 * photos / 255  # as images of another hour are
    assert_allclose(
        unit.to_arrays(brighter)["pixels"], brighter.transpose(0, 3, 1, 2), 1e-6
    )


def test_complex_images(photos):
    with pytest.raises(ValueError, match="Complex data not supported"):
        Image().fit(photos * 1j)
