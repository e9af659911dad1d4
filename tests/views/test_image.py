import numpy as np
import pytest
import torch

from sklearn_ssl.views import ImageViews
from sklearn_ssl.views.image import (
    LUMA,
    augment,
    blur,
    erase,
    grayscale,
    jitter,
    mirror_symmetric,
    resample,
)

DEFAULTS = ImageViews(flip=0.5).get_params()
IDENTITY = dict(
    crop_scale=(1, 1),
    crop_ratio=(1, 1),
    flip=0,
    rotation=0,
    shear=0,
    brightness=0,
    contrast=0,
    saturation=0,
    hue=0,
    p_gray=0,
    p_blur=0,
    p_erase=0,
    blur_sigma=(0.1, 1.5),
    erase_scale=(0.02, 0.2),
)
EVERYTHING = dict(
    crop_scale=(0.3, 0.9),
    flip=0.5,
    rotation=20,
    shear=0.2,
    brightness=0.5,
    contrast=0.5,
    saturation=0.5,
    hue=0.1,
    p_gray=0.3,
    p_blur=0.5,
    p_erase=0.5,
    crop_ratio=(3 / 4, 4 / 3),
    blur_sigma=(0.1, 1.5),
    erase_scale=(0.02, 0.2),
)


def images(n=6, channels=3, height=12, width=9, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, channels, height, width, generator=generator)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


SINGLE_VIEWS = {
    "augment": lambda x, g: augment(x, g, **EVERYTHING),
    "augment_defaults": lambda x, g: augment(x, g, **DEFAULTS),
    "crop": lambda x, g: resample(x, g, crop_scale=(0.2, 0.8)),
    "flip": lambda x, g: resample(x, g, flip=0.5),
    "rotation": lambda x, g: resample(x, g, rotation=30),
    "shear": lambda x, g: resample(x, g, shear=0.3),
    "jitter": lambda x, g: jitter(x, g, 0.5, 0.5, 0.5, 0.1),
    "grayscale": lambda x, g: grayscale(x, g, 0.5),
    "blur": lambda x, g: blur(x, g, 0.5),
    "erase": lambda x, g: erase(x, g, 0.5),
}


@pytest.fixture(params=SINGLE_VIEWS)
def view(request):
    return SINGLE_VIEWS[request.param]


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_views_keep_shape_range_and_input(view, channels):
    pixels = images(channels=channels)
    before = pixels.clone()
    views = view(pixels, seeded())
    assert views.shape == pixels.shape
    assert views.dtype == pixels.dtype
    assert views.min() >= 0 and views.max() <= 1
    assert torch.equal(pixels, before)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (2, 3), (40, 33)])
def test_any_size(view, shape):
    pixels = images(3, 3, *shape)
    views = view(pixels, seeded())
    assert views.shape == pixels.shape
    assert torch.isfinite(views).all()


def test_same_seed_same_views_and_global_generator_untouched(view):
    pixels = images()
    state = torch.get_rng_state()
    first = view(pixels, seeded(1))
    assert torch.equal(first, view(pixels, seeded(1)))
    assert torch.equal(torch.get_rng_state(), state)


def test_rows_differ(view):
    pixels = images(1).expand(20, -1, -1, -1)
    views = view(pixels, seeded()).flatten(1)
    assert len(torch.unique(views, dim=0)) > 1


def test_zero_parameters_return_the_images():
    pixels = images()
    generator = seeded()
    state = generator.get_state()
    assert augment(pixels, generator, **IDENTITY) is pixels
    assert torch.equal(generator.get_state(), state)


@pytest.mark.parametrize("channels", [1, 3])
def test_no_strength_is_the_identity_on_the_long_way(channels):
    pixels = images(channels=channels)
    tiny = 1e-9
    views = augment(
        pixels,
        seeded(),
        **{
            **IDENTITY,
            "rotation": tiny,
            "shear": tiny,
            "brightness": tiny,
            "hue": tiny,
            "p_blur": tiny,
        },
    )
    torch.testing.assert_close(views, pixels, atol=2e-6, rtol=0)


def test_flip_is_exact():
    pixels = images(40)
    assert torch.equal(resample(pixels, seeded(), flip=1), pixels.flip(-1))
    views = resample(pixels, seeded(), flip=0.5)
    mirrored = (views == pixels.flip(-1)).flatten(1).all(1)
    same = (views == pixels).flatten(1).all(1)
    assert torch.equal(mirrored, ~same)
    assert 8 < mirrored.sum() < 32


def test_flip_with_interpolation():
    pixels = images()
    views = resample(pixels, seeded(), flip=1, rotation=1e-9)
    torch.testing.assert_close(views, pixels.flip(-1), atol=2e-6, rtol=0)


def test_rotation_keeps_the_aspect():
    # A centred disc on an oblong image stays a disc, whatever the angle.
    height, width = 33, 65
    y, x = torch.meshgrid(torch.arange(33.0), torch.arange(65.0), indexing="ij")
    disc = torch.sigmoid(10 - ((y - 16) ** 2 + (x - 32) ** 2).sqrt())
    pixels = disc.expand(8, 1, height, width)
    views = resample(pixels, seeded(), rotation=180)
    torch.testing.assert_close(views, pixels, atol=0.03, rtol=0)


def test_crop_magnifies_and_stays_inside():
    # On a ramp the value says where a pixel was taken from.
    ramp = ((torch.arange(16) + 0.5) / 16).expand(50, 1, 16, 16)
    views = resample(ramp, seeded(), crop_scale=(0.25, 0.25))
    spread = views[:, 0, 0, -1] - views[:, 0, 0, 0]
    # Half of the side; the edge pixels' centres are half an output pixel further in.
    expected = torch.full((50,), 0.5 * 15 / 16)
    torch.testing.assert_close(spread, expected, atol=0.02, rtol=0)
    centre = views.mean((1, 2, 3))
    assert centre.min() < 0.35 and centre.max() > 0.65


def test_size_of_the_crop():
    assert resample(images(), seeded(), size=(5, 8)).shape == (6, 3, 5, 8)


def test_jitter_of_color_matches_the_formula():
    # Turn I and Q by hand in float64, from the same random numbers.
    pixels = 0.3 + 0.4 * images(5)
    brightness, contrast, saturation, hue = 0.2, 0.2, 0.3, 0.1
    views = jitter(pixels, seeded(3), brightness, contrast, saturation, hue)
    generator = seeded(3)
    u = [torch.rand(5, generator=generator).double().numpy() for _ in range(4)]
    gain, slope, chroma = (
        1 + s * (2 * v - 1)
        for s, v in zip((brightness, contrast, saturation), u, strict=False)
    )
    angle = 2 * np.pi * hue * (2 * u[3] - 1)
    to_yiq = np.array(
        [
            [0.299, 0.587, 0.114],
            [0.595716, -0.274453, -0.321263],
            [0.211456, -0.522591, 0.311135],
        ]
    )
    for row, image in enumerate(pixels.double().numpy()):
        image = image * gain[row]
        mean = (np.array(LUMA)[:, None, None] * image).sum(0).mean()
        image = slope[row] * (image - mean) + mean
        y, i, q = np.einsum("ab,bhw->ahw", to_yiq, image)
        c, s = np.cos(angle[row]), np.sin(angle[row])
        turned = np.stack(
            [y, chroma[row] * (c * i - s * q), chroma[row] * (s * i + c * q)]
        )
        expected = np.clip(
            np.einsum("ab,bhw->ahw", np.linalg.inv(to_yiq), turned), 0, 1
        )
        np.testing.assert_allclose(views[row].numpy(), expected, atol=1e-5)


def test_hue_and_saturation_keep_the_luma_and_leave_gray_alone():
    luma = torch.tensor(LUMA)[:, None, None]
    pixels = 0.4 + 0.2 * images()
    views = jitter(pixels, seeded(), saturation=0.3, hue=0.1)
    assert not torch.allclose(views, pixels, atol=1e-2)
    torch.testing.assert_close((views * luma).sum(1), (pixels * luma).sum(1))
    gray = images(channels=1).expand(-1, 3, -1, -1)
    torch.testing.assert_close(jitter(gray, seeded(), saturation=0.5, hue=0.5), gray)


def test_jitter_of_gray_matches_the_formula():
    pixels = 0.3 + 0.4 * images(channels=1).double()
    views = jitter(pixels, seeded(3), 0.2, 0.3)
    generator = seeded(3)
    u = [torch.rand(6, generator=generator, dtype=torch.float64) for _ in range(2)]
    gain = (0.8 + 0.4 * u[0])[:, None, None, None]
    slope = (0.7 + 0.6 * u[1])[:, None, None, None]
    bright = gain * pixels
    mean = bright.mean((1, 2, 3), keepdim=True)
    torch.testing.assert_close(views, slope * (bright - mean) + mean)


def test_gray_and_color_jitter_agree_on_gray_images():
    gray = images(channels=1)
    views = jitter(gray.expand(-1, 3, -1, -1), seeded(), 0.4, 0.4)
    expected = jitter(gray, seeded(), 0.4, 0.4).expand(-1, 3, -1, -1)
    torch.testing.assert_close(views, expected)


def test_grayscale():
    pixels = images()
    views = grayscale(pixels, seeded(), 1)
    luma = (pixels * torch.tensor(LUMA)[:, None, None]).sum(1, keepdim=True)
    torch.testing.assert_close(views, luma.expand_as(pixels))
    for channels in (1, 5):
        pixels = images(channels=channels)
        assert grayscale(pixels, seeded(), 1) is pixels


def test_blur_matches_a_direct_convolution():
    pixels = images(2, 1, 5, 6).double()
    sigma = 0.8
    views = blur(pixels, seeded(), 1, (sigma, sigma)).numpy()
    expected = np.zeros_like(views)
    for i in range(5):
        for j in range(6):
            y = np.exp(-((np.arange(5) - i) ** 2) / (2 * sigma**2))
            x = np.exp(-((np.arange(6) - j) ** 2) / (2 * sigma**2))
            weights = np.outer(y / y.sum(), x / x.sum())
            expected[:, :, i, j] = (pixels.numpy() * weights).sum((2, 3))
    np.testing.assert_allclose(views, expected, atol=1e-10)


def test_blur_of_no_width_is_the_identity():
    pixels = images()
    assert torch.equal(blur(pixels, seeded(), 1, (0, 0)), pixels)


def test_blur_leaves_the_other_rows_exactly():
    pixels = images(40)
    views = blur(pixels, seeded(), 0.5, (0.5, 1.0))
    same = (views == pixels).flatten(1).all(1)
    assert 8 < same.sum() < 32


def test_erase_fills_one_rectangle_and_leaves_the_rest():
    pixels = images(40, 3, 20, 16)
    views = erase(pixels, seeded(), 0.7, (0.1, 0.3))
    changed = views != pixels
    holes = changed.any(1)
    rows, columns = holes.any(2), holes.any(1)
    assert torch.equal(holes, rows[:, :, None] & columns[:, None, :])
    mean = pixels.mean((2, 3), keepdim=True).expand_as(pixels)
    assert torch.equal(views[changed], mean[changed])
    assert 10 < holes.flatten(1).any(1).sum() < 39
    assert holes.float().mean((1, 2)).max() < 0.35


def test_mirror_symmetric():
    generator = seeded()
    noise = torch.rand(100, 1, 10, 10, generator=generator)
    assert mirror_symmetric(noise)
    lit_from_the_left = 0.2 * noise + 0.8 * torch.linspace(1, 0, 10)
    assert not mirror_symmetric(lit_from_the_left)
    both = torch.cat([lit_from_the_left, lit_from_the_left.flip(-1)])
    assert mirror_symmetric(both)
    # Images that are their own mirror image are a tie, not a no.
    assert mirror_symmetric((noise + noise.flip(-1)) / 2)
    assert not mirror_symmetric(noise[:5])
