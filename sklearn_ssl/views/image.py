"""Random views of image batches.

Every function takes `pixels`, a float tensor (n, channels, height, width) with values
in [0, 1], and a `torch.Generator` on the same device. Each row draws its own random
numbers, all of them from that generator; nothing loops over rows.
"""

import math

import torch
from torch.nn import functional as F

LUMA = (0.299, 0.587, 0.114)

# Rows are luma (Y) and the two chroma axes (I, Q): turning the hue is a rotation of the
# chroma plane. The inverse is computed, so that an angle of zero is the identity.
_YIQ = ((0.299, 0.587, 0.114), (0.595716, -0.274453, -0.321263),
        (0.211456, -0.522591, 0.311135))  # fmt: skip


def _uniform(pixels, generator, low, high, columns=None):
    """Draw one number, or `columns` numbers, for each image."""
    shape = (len(pixels), columns) if columns else (len(pixels),)
    like = {"device": pixels.device, "dtype": pixels.dtype}
    return low + (high - low) * torch.rand(shape, generator=generator, **like)


def _places(pixels, length):
    """Number the pixels of a side of that length, from 0."""
    return torch.arange(length, device=pixels.device, dtype=pixels.dtype)


def _chosen(pixels, generator, p):
    """Choose each image with probability `p`; shaped to broadcast over pixels."""
    return (_uniform(pixels, generator, 0, 1) < p)[:, None, None, None]


def augment(
    pixels,
    generator,
    *,
    size=None,
    crop_scale,
    crop_ratio,
    flip,
    rotation,
    shear,
    brightness,
    contrast,
    saturation,
    hue,
    p_gray,
    p_blur,
    blur_sigma,
    p_erase,
    erase_scale,
):
    """Make one random view of every image; what is zero is skipped.

    Parameters
    ----------
    pixels : tensor of shape (n, channels, height, width)
        Images with values in [0, 1].
    generator : torch.Generator
        The only source of randomness, on the device of `pixels`.
    size, crop_scale, crop_ratio, flip, rotation, shear
        See :func:`resample`.
    brightness, contrast, saturation, hue
        See :func:`jitter`.
    p_gray : float
        Probability of :func:`grayscale`, for three channels.
    p_blur, blur_sigma
        See :func:`blur`.
    p_erase, erase_scale
        See :func:`erase`.

    Returns
    -------
    views : tensor of shape (n, channels, *size)
        Values in [0, 1].
    """
    pixels = resample(
        pixels, generator, size=size, crop_scale=crop_scale, crop_ratio=crop_ratio,
        flip=flip, rotation=rotation, shear=shear,
    )  # fmt: skip
    pixels = jitter(pixels, generator, brightness, contrast, saturation, hue)
    pixels = grayscale(pixels, generator, p_gray)
    pixels = blur(pixels, generator, p_blur, blur_sigma)
    return erase(pixels, generator, p_erase, erase_scale)


def mirror_symmetric(pixels):
    """Tell whether mirrored images look like the images: whether to flip at random.

    Each image and its mirror image look for their nearest neighbour among the other
    images, at 8 x 8 pixels. Where left and right mean the same, as in photographs, the
    mirror image has the farther neighbour half of the time; characters, whose mirror
    images look like none of them, nearly always. The answer is yes up to 80%.

    Parameters
    ----------
    pixels : tensor of shape (n, channels, height, width)
        Some hundred images: all are compared with all.

    Returns
    -------
    symmetric : bool
        Deterministic. False for fewer than 50 images, which prove little.
    """
    if len(pixels) < 50:
        return False
    height, width = pixels.shape[2:]
    small = F.adaptive_avg_pool2d(pixels.float(), (min(height, 8), min(width, 8)))

    def nearest(images):
        # Without matrix products, whose rounding would decide between equals.
        exact = "donot_use_mm_for_euclid_dist"
        distance = torch.cdist(images.flatten(1), small.flatten(1), compute_mode=exact)
        return distance.fill_diagonal_(math.inf).amin(1)

    own, mirrored = nearest(small), nearest(small.flip(-1))
    farther = (mirrored > own).float() + (mirrored == own) / 2
    return farther.mean().item() < 0.8


def resample(
    pixels,
    generator,
    *,
    size=None,
    crop_scale=(1.0, 1.0),
    crop_ratio=(1.0, 1.0),
    flip=0.0,
    rotation=0.0,
    shear=0.0,
):
    """Crop, mirror, rotate and shear in one bilinear resampling.

    Pixels beyond the border repeat the border, which suits a plain background as well
    as a full scene.

    Parameters
    ----------
    pixels : tensor of shape (n, channels, height, width)
    generator : torch.Generator
    size : tuple of (height, width), default=None
        Size of the views; None keeps the size of the images.
    crop_scale : tuple of float
        Range of the crop's share of the image area.
    crop_ratio : tuple of float
        Range of the crop's width to height ratio, relative to the image's own.
    flip : float
        Probability of mirroring left and right.
    rotation : float
        Largest angle in degrees, either way.
    shear : float
        Largest horizontal shift of a row, as a share of its distance to the centre.

    Returns
    -------
    views : tensor of shape (n, channels, *size)
    """
    height, width = pixels.shape[2:]
    out = (height, width) if size is None else tuple(size)
    crops = tuple(crop_scale) != (1, 1) or tuple(crop_ratio) != (1, 1)
    if not (crops or rotation or shear or out != (height, width)):
        # Mirroring alone moves whole pixels and needs no interpolation.
        if not flip:
            return pixels
        return torch.where(_chosen(pixels, generator, flip), pixels.flip(-1), pixels)

    u = _uniform(pixels, generator, 0, 1, 7)
    area = crop_scale[0] + (crop_scale[1] - crop_scale[0]) * u[:, 0]
    low, high = math.log(crop_ratio[0]), math.log(crop_ratio[1])
    stretch = torch.exp((low + (high - low) * u[:, 1]) / 2)
    # A crop has to fit into the image: (w, h) are its shares of the two sides.
    w = (area.sqrt() * stretch).clamp(max=1)
    h = (area.sqrt() / stretch).clamp(max=1)
    mirror = torch.where(u[:, 4] < flip, -1.0, 1.0)
    angle = math.radians(rotation) * (2 * u[:, 5] - 1)
    slant = shear * (2 * u[:, 6] - 1)
    cos, sin, aspect = angle.cos(), angle.sin(), width / height
    # Output coordinates -> crop, mirror -> shear -> rotate (in pixels, hence the
    # aspect) -> move to the crop's centre. An affine map is a part that depends on the
    # column plus one that depends on the row: cheaper than F.affine_grid.
    by_column = torch.stack([cos * w * mirror, sin * w * mirror * aspect], 1)
    by_row = torch.stack([(cos * slant - sin) * h / aspect, (sin * slant + cos) * h], 1)
    centre = (1 - torch.stack([w, h], 1)) * (2 * u[:, 2:4] - 1)

    x, y = (((2 * _places(pixels, side) + 1) / side - 1)[:, None] for side in out[::-1])
    columns = x * by_column[:, None]
    rows = y * by_row[:, None] + centre[:, None]
    grid = rows[:, :, None] + columns[:, None]
    views = F.grid_sample(pixels, grid, padding_mode="border", align_corners=False)
    return views.clamp_(0, 1)  # interpolation weights round


def jitter(pixels, generator, brightness=0.0, contrast=0.0, saturation=0.0, hue=0.0):
    """Vary brightness, contrast and, for three channels, saturation and hue.

    All four are affine in the pixel values. They are multiplied into one matrix an
    image, applied once, and clipped to [0, 1] once.

    Parameters
    ----------
    pixels : tensor of shape (n, channels, height, width)
    generator : torch.Generator
    brightness, contrast, saturation : float
        A value b stands for a factor uniform in [max(0, 1 - b), 1 + b]. Contrast keeps
        the mean luma of the image, saturation the luma of every pixel. Only images with
        three channels have a saturation.
    hue : float in [0, 0.5]
        Largest turn of the hue circle, as a share of a full turn. Only for three
        channels.

    Returns
    -------
    views : tensor of the same shape
    """
    n, channels = pixels.shape[:2]
    color = channels == 3
    if not (brightness or contrast or (color and (saturation or hue))):
        return pixels

    def factor(strength):
        return _uniform(pixels, generator, max(0.0, 1 - strength), 1 + strength)

    gain = factor(brightness)
    slope = factor(contrast)
    mean = pixels.mean((2, 3))
    if not color:
        mean = gain * mean.mean(1)
        scale, shift = gain * slope, (1 - slope) * mean
        views = pixels * scale[:, None, None, None] + shift[:, None, None, None]
        return views.clamp_(0, 1)

    luma = pixels.new_tensor(LUMA)
    mean = gain * (mean @ luma)
    to_yiq = pixels.new_tensor(_YIQ)
    chroma = factor(saturation)
    angle = 2 * math.pi * _uniform(pixels, generator, -hue, hue)
    turn = pixels.new_zeros(n, 3, 3)
    turn[:, 0, 0] = 1
    turn[:, 1, 1] = turn[:, 2, 2] = chroma * angle.cos()
    turn[:, 2, 1] = chroma * angle.sin()
    turn[:, 1, 2] = -turn[:, 2, 1]
    matrix = torch.linalg.inv(to_yiq) @ turn @ to_yiq * (gain * slope)[:, None, None]
    shift = ((1 - slope) * mean)[:, None, None].expand(n, 3, 1)
    views = torch.baddbmm(shift, matrix, pixels.flatten(2))
    return views.clamp_(0, 1).view(pixels.shape)


def grayscale(pixels, generator, p):
    """Replace three channels by their luma with probability `p` an image."""
    if not p or pixels.shape[1] != 3:
        return pixels
    luma = torch.einsum("nchw,c->nhw", pixels, pixels.new_tensor(LUMA))[:, None]
    return torch.where(_chosen(pixels, generator, p), luma.clamp_(0, 1), pixels)


def blur(pixels, generator, p, sigma=(0.1, 1.5)):
    """Blur with a Gaussian with probability `p`, its width uniform in `sigma` pixels.

    The filter is a product with one banded matrix a side, whose rows sum to one: at the
    border the kernel is cut off and normalised again.
    """
    if not p:
        return pixels
    # The narrowest kernel is exactly the identity.
    width = _uniform(pixels, generator, *sigma).clamp(min=1e-3)
    width = torch.where(_uniform(pixels, generator, 0, 1) < p, width, 1e-3)

    def matrix(side):
        place = _places(pixels, side)
        distance = (place[:, None] - place).square()
        exponent = distance / (-2 * width.square()[:, None, None])
        # Tails below 1e-8 change nothing, but subnormal numbers take ten times as long.
        return exponent.masked_fill_(exponent < -18, -math.inf).softmax(-1)[:, None]

    rows = matrix(pixels.shape[2])
    columns = rows if pixels.shape[2] == pixels.shape[3] else matrix(pixels.shape[3])
    return (rows @ pixels @ columns.mT).clamp_(0, 1)


def erase(pixels, generator, p, scale=(0.02, 0.2)):
    """Fill a random rectangle with the image's mean with probability `p`.

    `scale` is the range of the rectangle's share of the image area; its width to height
    ratio lies between 1/2 and 2. It may stick out of the image.
    """
    if not p:
        return pixels
    height, width = pixels.shape[2:]
    u = _uniform(pixels, generator, 0, 1, 5)
    side = (scale[0] + (scale[1] - scale[0]) * u[:, 0]).sqrt()
    stretch = torch.exp(math.log(2) * (u[:, 1] - 0.5))

    def inside(length, centre, extent):
        place = (_places(pixels, length) + 0.5) / length
        return (place - centre[:, None]).abs() < extent[:, None] / 2

    rows = inside(height, u[:, 2], side / stretch)
    columns = inside(width, u[:, 3], side * stretch)
    hole = rows[:, None, :, None] & columns[:, None, None, :]
    hole &= (u[:, 4] < p)[:, None, None, None]
    return torch.where(hole, pixels.mean((2, 3), keepdim=True), pixels)


def mask_patches(pixels, generator, rate, size, fill):
    """Replace each square of `size` pixels a side with probability `rate` by `fill`.

    The squares tile the image from its upper left corner; those that stick out are cut
    off. All channels of a square are replaced.

    Parameters
    ----------
    pixels : tensor of shape (n, channels, height, width)
    generator : torch.Generator
    rate : float
    size : int
    fill : sequence of float
        One value a channel.

    Returns
    -------
    views : tensor of the same shape
    """
    height, width = pixels.shape[2:]
    shape = len(pixels), 1, -(-height // size), -(-width // size)
    draws = torch.rand(shape, generator=generator, device=pixels.device)
    masked = (draws < rate).repeat_interleave(size, 2).repeat_interleave(size, 3)
    fill = pixels.new_tensor(fill)[:, None, None]
    return torch.where(masked[:, :, :height, :width], fill, pixels)
