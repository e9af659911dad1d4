"""A small convolutional network for small images on a CPU."""

import torch
from torch import nn


class ConvNetNetwork(nn.Module):
    """Convolution stack with mean and max pooling side by side.

    Every layer is a convolution, batch normalisation and a ReLU. A layer that widens
    the maps also halves, by its stride, the sides longer than four pixels: images of
    any size and shape pass.

    Parameters
    ----------
    in_channels : int
    image_size : tuple of (height, width)
        Decides where the strides are. Images of another size pass too.
    channels : tuple of int
        Width of each layer.

    Attributes
    ----------
    n_outputs : int
        Length of an embedding: twice the last width.
    """

    def __init__(self, in_channels, image_size, channels=(32, 64, 64, 128, 128, 256)):
        super().__init__()
        height, width = image_size
        layers = []
        for i, out_channels in enumerate(channels):
            widens = i == 0 or out_channels != in_channels
            strides = [2 if widens and side > 4 else 1 for side in (height, width)]
            height, width = (
                -(-side // stride)
                for side, stride in zip((height, width), strides, strict=True)
            )
            kernel = 5 if i == 0 else 3
            layers += [
                nn.Conv2d(
                    in_channels, out_channels, kernel, strides, kernel // 2, bias=False
                ),
                nn.BatchNorm2d(out_channels),
                nn.ReLU(),
            ]
            in_channels = out_channels
        self.layers = nn.Sequential(*layers)
        # Channels-last convolutions are the faster ones, on CPUs as on GPUs.
        self.to(memory_format=torch.channels_last)
        self.n_outputs = 2 * in_channels

    def forward(self, pixels):
        """Embed pixels (n, channels, height, width) as (n, n_outputs)."""
        maps = self.layers(pixels.contiguous(memory_format=torch.channels_last))
        return torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], dim=1)
