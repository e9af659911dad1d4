"""Tiles: a grid of crops of each image, with gaps between them."""

from functools import lru_cache
from itertools import permutations

import numpy as np
import torch


def lay_out(side, n_tiles, gap, jitter):
    """Divide a side of an image among tiles.

    Parameters
    ----------
    side : int
        In pixels.
    n_tiles : int
        Fewer if the side has fewer pixels.
    gap : float
        Least gap between neighbours, as a share of the tile: at least one pixel.
    jitter : float
        Range of a tile's place, as a share of the tile.

    Returns
    -------
    n_tiles, tile, gap, jitter : int
        All but the first in pixels. Where a tile is down to one pixel, the gap is what
        remains and the jitter 0.
    """
    n = min(n_tiles, side)
    tile = side / (n + (n - 1) * gap + n * jitter)
    gap, jitter = max(1, round(gap * tile)), int(jitter * tile)
    tile = (side - (n - 1) * gap - n * jitter) // n
    if tile < 1:
        return n, 1, (side - n) // max(n - 1, 1), 0
    return n, tile, gap, jitter


def cut_tiles(images, layouts, generator):
    """Cut a grid of tiles, each jittered by itself, from every image.

    The grid as a whole lies anywhere in the image where it fits.

    Parameters
    ----------
    images : tensor of shape (n, channels, height, width)
    layouts : pair of tuples
        What :func:`lay_out` returns for the height and for the width.
    generator : torch.Generator

    Returns
    -------
    tiles : tensor of shape (n, rows * columns, channels, tile height, tile width)
        Row by row.
    """
    n, _, height, width = images.shape
    columns = layouts[1][0]
    place = torch.arange(layouts[0][0] * columns, device=images.device)
    y = _pixels_of_tiles(n, height, place // columns, layouts[0], generator)
    x = _pixels_of_tiles(n, width, place % columns, layouts[1], generator)
    image = torch.arange(n, device=images.device)[:, None, None, None]
    # Indexing on both sides of a slice puts the channels last.
    return images[image, :, y[..., None], x[:, :, None]].movedim(-1, 2)


def _pixels_of_tiles(n, side, place, layout, generator):
    """Row or column numbers of tiles' pixels, shape (n, tiles, tile)."""
    n_tiles, tile, gap, jitter = layout
    spare = side - n_tiles * (tile + jitter) - (n_tiles - 1) * gap

    def draw(high, n_columns):
        like = {"generator": generator, "device": place.device}
        return torch.randint(high + 1, (n, n_columns), **like)

    first = place * (tile + jitter + gap) + draw(spare, 1) + draw(jitter, len(place))
    return first[..., None] + torch.arange(tile, device=place.device)


def standardize(tiles):
    """Give each channel of each tile mean 0 and standard deviation 1.

    A tile of one colour becomes 0.
    """
    centred = tiles - tiles.mean((-2, -1), keepdim=True)
    variance = centred.square().mean((-2, -1), keepdim=True)
    return centred / (variance + 1e-5).sqrt()


def project_colors(pixels):
    """Take the axis from green to magenta, (-1, 2, -1), out of three channels.

    Chromatic aberration shifts green against red and blue, so that a patch's place in
    the image can be seen along this axis (Doersch et al., 2015).

    Parameters
    ----------
    pixels : tensor of shape (n, channels, height, width)

    Returns
    -------
    pixels : tensor of the same shape
        As they were unless there are three channels.
    """
    if pixels.shape[1] != 3:
        return pixels
    axis = pixels.new_tensor((-1, 2, -1)).view(3, 1, 1) / 6**0.5
    return pixels - axis * (pixels * axis).sum(1, keepdim=True)


def drop_colors(tiles, generator):
    """Leave one random channel of each tile; faint noise takes the place of two others.

    The noise has a hundredth of the standard deviation of the channel that is left.

    Parameters
    ----------
    tiles : tensor of shape (n, tiles, channels, height, width)
        Centred, as what an encoder sees is.
    generator : torch.Generator

    Returns
    -------
    tiles : tensor of the same shape
        As they were unless there are three channels.
    """
    if tiles.shape[2] != 3:
        return tiles
    n, n_tiles = tiles.shape[:2]
    like = {"generator": generator, "device": tiles.device}
    kept = torch.randint(3, (n, n_tiles, 1, 1, 1), **like)
    channel = torch.arange(3, device=tiles.device).view(3, 1, 1)
    std = tiles.take_along_dim(kept, 2).std((-2, -1), correction=0, keepdim=True)
    noise = torch.randn(tiles.shape, dtype=tiles.dtype, **like)
    return torch.where(channel == kept, tiles, std / 100 * noise)


@lru_cache(maxsize=8)
def distant_permutations(n, n_permutations):
    """Choose permutations of large Hamming distance, always the same ones.

    Beginning with the identity, each is the one that is farthest from the nearest
    chosen so far; among equals that with the largest sum of distances, then the first
    in lexicographic order.

    Parameters
    ----------
    n : int
        Length, at most 9.
    n_permutations : int

    Returns
    -------
    chosen : int64 tensor of shape (min(n_permutations, n!), n)
    """
    candidates = np.array(list(permutations(range(n))), dtype=np.int8).T.copy()
    n_permutations = min(n_permutations, candidates.shape[1])
    nearest = np.full(candidates.shape[1], n, dtype=np.int32)
    total = np.zeros_like(nearest)
    chosen = [0]
    while len(chosen) < n_permutations:
        latest = candidates[:, chosen[-1], None]
        distance = (candidates != latest).sum(0, dtype=np.int8)
        np.minimum(nearest, distance, out=nearest)
        total += distance
        chosen.append(int(np.argmax(nearest * (n * n_permutations) + total)))
    return torch.from_numpy(candidates[:, chosen].T.astype(np.int64))
