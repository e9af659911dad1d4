"""Tiles in a task: what jigsaw puzzles and relative locations share."""


def embed_tiles(task, tiles):
    """Pass tiles (n, tiles, ...) through a task's encoder: shape (n, tiles, d)."""
    return task.encoder(tiles.flatten(0, 1)).unflatten(0, tiles.shape[:2])


def shape_of_tile(image_shape, layouts):
    """The shape of a tile of an image (channels, height, width)."""
    return image_shape[0], *(tile for _, tile, _, _ in layouts)
