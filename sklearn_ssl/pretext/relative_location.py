"""Relative location of patches (Doersch et al., 2015)."""

from dataclasses import dataclass
from numbers import Integral, Real
from typing import ClassVar

from sklearn_ssl._parameters import check_number, check_option
from sklearn_ssl.base import SSLTransformer
from sklearn_ssl.views import Identity


@dataclass(kw_only=True, eq=False, repr=False)
class RelativeLocation(SSLTransformer):
    """Tell on which of eight sides of the middle patch a patch of an image lay [1]_.

    Gaps and jitter between the patches keep edges that continue from telling it. Nor
    may colour: lenses shift the colours of photographs more the farther from the
    centre. ``transform`` embeds whole images, though the encoder is built for the size
    of a patch: it halves sides only as often as suits that. Images are not varied
    before they are cut unless ``views`` says so: turning them would move the patches.

    Parameters
    ----------
    color : {"projection", "drop", "keep"}, default="projection"
        What is done to images of three channels: "projection" takes the axis from green
        to magenta out of their colours, also in ``transform``; "drop" leaves one random
        channel of each patch and puts faint noise in place of the others.
    gap : float, default=0.35
        Least gap between patches, as a share of a patch's side: at least one pixel.
    jitter : float, default=0.15
        Range within which each patch is moved, as a share of its side.
    projection_dim : int, default=128
        Width of a patch's embedding in the head.
    {training_parameters}

    Attributes
    ----------
    grid_ : tuple of int
        Rows and columns of patches: 3, or 1 along sides of fewer than 3 pixels.
    {fitted_attributes}

    References
    ----------
    .. [1] C. Doersch, A. Gupta, A. A. Efros, "Unsupervised Visual Representation
       Learning by Context Prediction", ICCV 2015. https://arxiv.org/abs/1505.05192

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_ssl import RelativeLocation
    >>> X, y = load_digits(return_X_y=True)
    >>> location = RelativeLocation(max_epochs=1, random_state=0)
    >>> location.fit_transform(X[:500].reshape(-1, 8, 8)).shape
    (500, 512)
    """

    modalities: ClassVar[tuple] = ("image",)

    color: str = "projection"
    gap: float = 0.35
    jitter: float = 0.15
    projection_dim: int = 128

    def _check_parameters(self):
        super()._check_parameters()
        check_option("color", self.color, ("projection", "drop", "keep"))
        check_number("gap", self.gap, Real, 0)
        check_number("jitter", self.jitter, Real, 0)
        check_number("projection_dim", self.projection_dim, Integral, 1)

    def _default_views(self, modality):
        return Identity()

    def _layouts(self, image_shape):
        from sklearn_ssl.views.tiles import lay_out

        return [
            lay_out(side, 3 if side >= 3 else 1, self.gap, self.jitter)
            for side in image_shape[1:]
        ]

    def _encoder_shape(self, input_shape):
        from sklearn_ssl.pretext.tiles import shape_of_tile

        return shape_of_tile(input_shape, self._layouts(input_shape))

    def _build_task(self, task):
        from torch import nn

        from sklearn_ssl.encoders.mlp import projection_head

        task.layouts = self._layouts(task.inputs.output_shape)
        rows, columns = task.adapted["grid"] = tuple(n for n, *_ in task.layouts)
        task.middle = rows * columns // 2
        task.sides = [i for i in range(rows * columns) if i != task.middle]
        # An image of less than three pixels either way has no neighbours to tell.
        task.sides = task.sides or [task.middle]
        width = self.projection_dim
        task.reduce = nn.Sequential(nn.Linear(task.n_outputs, width), nn.ReLU())
        task.head = projection_head(2 * width, task.n_outputs, len(task.sides))

    def _loss(self, task, batch):
        from torch import arange, cat
        from torch.nn.functional import cross_entropy

        from sklearn_ssl.pretext.tiles import embed_tiles
        from sklearn_ssl.views.tiles import cut_tiles, drop_colors

        images = task.inputs(self._without_shortcut(task.view(batch)))
        patches = cut_tiles(images, task.layouts, task.generator)
        if self.color == "drop":
            patches = drop_colors(patches, task.generator)
        z = task.reduce(embed_tiles(task, patches))
        others = z[:, task.sides]
        middle = z[:, task.middle, None].expand_as(others)
        logits = task.head(cat([middle, others], 2).flatten(0, 1))
        labels = arange(len(task.sides), device=z.device).repeat(len(z))
        return cross_entropy(logits, labels)

    def _encode(self, task, batch):
        return super()._encode(task, self._without_shortcut(batch))

    def _without_shortcut(self, batch):
        from sklearn_ssl.views.tiles import project_colors

        pixels = batch["pixels"]
        return {
            "pixels": project_colors(pixels) if self.color == "projection" else pixels
        }
