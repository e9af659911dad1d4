"""Jigsaw puzzles (Noroozi and Favaro, 2016)."""

from dataclasses import dataclass
from numbers import Integral, Real
from typing import ClassVar

from sklearn_ssl._parameters import check_number, unless_auto
from sklearn_ssl.base import SSLTransformer
from sklearn_ssl.views import Identity


@dataclass(kw_only=True, eq=False, repr=False)
class Jigsaw(SSLTransformer):
    """Tell in which order the tiles of an image were laid [1]_.

    Each tile passes through the encoder by itself, standardized by itself, with a gap
    to its neighbours that varies: neither edges that continue nor brightness tell where
    it belongs. ``transform`` embeds whole images, though the encoder is built for the
    size of a tile: it halves sides only as often as suits that. Images are not varied
    before they are cut unless ``views`` says so: turning them would move the tiles.

    Parameters
    ----------
    grid : "auto", 2 or 3, default="auto"
        Tiles a side. "auto" is 3 where tiles then have at least 8 pixels, else 2. A
        side of fewer pixels has as many tiles as pixels.
    n_permutations : int, default=100
        Orders to tell apart, as different from each other as can be; at most as many as
        there are.
    gap : float, default=0.05
        Least gap between tiles, as a share of a tile's side: at least one pixel.
    jitter : float, default=0.15
        Range within which each tile is moved, as a share of its side.
    projection_dim : int, default=128
        Width of a tile's embedding in the head.
    {training_parameters}

    Attributes
    ----------
    grid_ : tuple of int
        Rows and columns of tiles.
    n_permutations_ : int
        Orders that are told apart.
    {fitted_attributes}

    References
    ----------
    .. [1] M. Noroozi, P. Favaro, "Unsupervised Learning of Visual Representations by
       Solving Jigsaw Puzzles", ECCV 2016. https://arxiv.org/abs/1603.09246

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_ssl import Jigsaw
    >>> X, y = load_digits(return_X_y=True)
    >>> jigsaw = Jigsaw(max_epochs=1, random_state=0).fit(X[:500].reshape(-1, 8, 8))
    >>> jigsaw.grid_, jigsaw.n_permutations_
    ((2, 2), 24)
    """

    modalities: ClassVar[tuple] = ("image",)

    grid: int | str = "auto"
    n_permutations: int = 100
    gap: float = 0.05
    jitter: float = 0.15
    projection_dim: int = 128

    def _check_parameters(self):
        super()._check_parameters()
        check_number("grid", self.grid, Integral, 2, 3, words=("auto",))
        check_number("n_permutations", self.n_permutations, Integral, 2)
        check_number("gap", self.gap, Real, 0)
        check_number("jitter", self.jitter, Real, 0)
        check_number("projection_dim", self.projection_dim, Integral, 1)

    def _default_views(self, modality):
        return Identity()

    def _layouts(self, image_shape):
        from sklearn_ssl.views.tiles import lay_out

        grid = unless_auto(self.grid, 3 if min(image_shape[1:]) >= 28 else 2)
        return [lay_out(side, grid, self.gap, self.jitter) for side in image_shape[1:]]

    def _encoder_shape(self, input_shape):
        from sklearn_ssl.pretext.tiles import shape_of_tile

        return shape_of_tile(input_shape, self._layouts(input_shape))

    def _build_task(self, task):
        from torch import nn

        from sklearn_ssl.encoders.mlp import projection_head
        from sklearn_ssl.views.tiles import distant_permutations

        task.layouts = self._layouts(task.inputs.output_shape)
        rows, columns = task.adapted["grid"] = tuple(n for n, *_ in task.layouts)
        orders = distant_permutations(rows * columns, self.n_permutations)
        task.register_buffer("orders", orders.clone(), persistent=False)
        task.adapted["n_permutations"] = len(orders)
        task.reduce = nn.Sequential(
            nn.Linear(task.n_outputs, self.projection_dim), nn.ReLU()
        )
        width = rows * columns * self.projection_dim
        task.head = projection_head(width, task.n_outputs, len(orders))

    def _loss(self, task, batch):
        from torch import randint
        from torch.nn.functional import cross_entropy

        from sklearn_ssl.pretext.tiles import embed_tiles
        from sklearn_ssl.views.tiles import cut_tiles, standardize

        images = task.inputs(task.view(batch))
        tiles = standardize(cut_tiles(images, task.layouts, task.generator))
        z = task.reduce(embed_tiles(task, tiles))
        like = {"generator": task.generator, "device": z.device}
        labels = randint(len(task.orders), (len(z),), **like)
        # Tiles do not see each other before the head: shuffling what became of them
        # is shuffling them.
        order = task.orders[labels][..., None].expand_as(z)
        return cross_entropy(task.head(z.gather(1, order).flatten(1)), labels)
