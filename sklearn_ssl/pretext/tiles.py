"""Tiles in a task: what jigsaw puzzles and relative locations share."""

import torch

from sklearn_ssl.encoders import REFUSALS


def embed_tiles(task, tiles):
    """Pass tiles (n, tiles, ...) through a task's encoder: shape (n, tiles, d)."""
    return task.encoder(tiles.flatten(0, 1)).unflatten(0, tiles.shape[:2])


def check_takes_tiles(task, layouts):
    """Raise ValueError if a task's encoder does not take images as small as tiles."""
    channels = task.inputs.output_shape[0]
    shape = 2, channels, *(tile for _, tile, _, _ in layouts)
    try:
        with torch.no_grad():
            z = task.encoder.eval()(torch.zeros(shape))
    except REFUSALS as error:
        raise ValueError(
            f"The encoder failed on tiles of shape {shape[1:]}: {error}. It must "
            "take images of any size; pass encoder='auto'."
        ) from error
    if z.shape != (2, task.n_outputs):
        raise ValueError(
            f"The encoder must have {task.n_outputs} outputs for images of any size, "
            f"but gave shape {tuple(z.shape)} for two tiles. Pass encoder='auto'."
        )
