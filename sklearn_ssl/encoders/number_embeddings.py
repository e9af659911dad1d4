"""Embeddings of numbers (Gorishniy et al., 2022, https://arxiv.org/abs/2203.05556)."""

import math

import torch
from torch import nn

from sklearn_ssl.encoders.ft_transformer import ColumnLinear


class NumberEmbedding(nn.Module):
    r"""Embed the numbers among an encoder's inputs, each column by a map of its own.

    .. math:: h_j(x) = \mathrm{ReLU}(W_j e_j(x) + b_j)

    where e is the encoding. Missing numbers become zero, whatever stands in for them.

    Parameters
    ----------
    encoding : nn.Module
        Maps numbers (n, p) to (n, p, encoding.n_outputs).
    columns : list of lists of int
        The inputs that belong to each column. First come p columns of a number, whose
        input is that of the same place, and its missing indicator if it has one.
    dim : int
        Width of the embedding of a number.

    Attributes
    ----------
    columns : list of lists of int
        The same of the outputs: embeddings, then the other inputs as they were.
    n_outputs : int
    """

    def __init__(self, encoding, columns, dim=24):
        super().__init__()
        self.encoding = encoding
        p = self.n_numbers = encoding.n_columns
        self.linear = ColumnLinear(p, encoding.n_outputs, dim)
        bound = encoding.n_outputs**-0.5
        nn.init.uniform_(self.linear.bias, -bound, bound)
        shift = p * (dim - 1)
        others = [[i + shift for i in column if i >= p] for column in columns]
        numbers = [[*range(j * dim, j * dim + dim)] for j in range(p)]
        self.columns = [a + b for a, b in zip(numbers, others[:p], strict=True)]
        self.columns += others[p:]
        self.n_outputs = sum(map(len, self.columns))
        # Columns without a missing indicator read input 0, and ignore it.
        has_indicator = torch.tensor([len(column) > 1 for column in columns[:p]])
        indicators = [column[1] if len(column) > 1 else 0 for column in columns[:p]]
        self.register_buffer("indicators", torch.tensor(indicators), persistent=False)
        self.register_buffer("has_indicator", has_indicator, persistent=False)

    def forward(self, x):
        """Map an encoder's inputs (n, n_inputs) to (n, n_outputs)."""
        numbers, others = x.tensor_split([self.n_numbers], dim=1)
        # What is missing is given; an index passes gradients slowly.
        missing = x.detach()[:, self.indicators] * self.has_indicator
        embedded = self.linear(self.encoding(numbers)).relu()
        embedded = embedded * (1 - missing)[..., None]
        return torch.cat([embedded.flatten(1), others], dim=1)


class Periodic(nn.Module):
    r"""Sines and cosines, of trained frequencies, of each column.

    .. math:: e(x) = [\cos(2 \pi c_1 x), ..., \cos(2 \pi c_k x),
                      \sin(2 \pi c_1 x), ..., \sin(2 \pi c_k x)]

    Parameters
    ----------
    n_columns : int
    scale : float
        Standard deviation of the frequencies c at first; none is beyond 3 of it.
    n_frequencies : int
    """

    def __init__(self, n_columns, scale, n_frequencies=48):
        super().__init__()
        self.n_columns = n_columns
        self.n_outputs = 2 * n_frequencies
        self.frequencies = nn.Parameter(torch.empty(n_columns, n_frequencies))
        nn.init.trunc_normal_(self.frequencies, std=scale, a=-3 * scale, b=3 * scale)

    def forward(self, x):
        """Map (n, n_columns) to (n, n_columns, n_outputs)."""
        angles = 2 * math.pi * self.frequencies * x[..., None]
        return torch.cat([angles.cos(), angles.sin()], dim=2)


class PiecewiseLinear(nn.Module):
    r"""How far a number has come through each bin of its column.

    .. math:: e_t(x) = \frac{x - b_{t-1}}{b_t - b_{t-1}}

    for the bin from :math:`b_{t-1}` to :math:`b_t`, clipped below at 0 but in the first
    bin, and above at 1 but in the last. Columns with fewer bins than others are filled
    up with zeros; a constant one has no bin.

    Parameters
    ----------
    edges : list of lists of float
        The bounds b of each column, ascending.
    """

    def __init__(self, edges):
        super().__init__()
        self.n_columns = len(edges)
        self.n_outputs = max(1, *(len(bounds) - 1 for bounds in edges))
        shape = self.n_columns, self.n_outputs
        start, slope, low = torch.zeros(3, *shape, dtype=torch.float64)
        high = torch.ones(shape)
        for j, bounds in enumerate(edges):
            n_bins = len(bounds) - 1
            if n_bins > 0:
                bounds = torch.tensor(bounds, dtype=torch.float64)
                start[j, :n_bins] = bounds[:-1]
                slope[j, :n_bins] = 1 / bounds.diff()
                low[j, 0], high[j, n_bins - 1] = -torch.inf, torch.inf
        for name, value in dict(start=start, slope=slope, low=low, high=high).items():
            self.register_buffer(name, value.float(), persistent=False)

    def forward(self, x):
        """Map (n, n_columns) to (n, n_columns, n_outputs)."""
        return ((x[..., None] - self.start) * self.slope).clamp(self.low, self.high)
