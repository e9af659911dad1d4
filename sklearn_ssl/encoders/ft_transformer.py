"""FT-Transformer (Gorishniy et al., 2021, https://arxiv.org/abs/2106.11959)."""

import torch
from torch import nn

from sklearn_ssl.encoders.transformer import TokenEncoder, Transformer


class ColumnLinear(nn.Module):
    """A linear map of its own for each column of a table.

    Parameters
    ----------
    n_columns, n_inputs, n_outputs : int
    bias : bool
    """

    def __init__(self, n_columns, n_inputs, n_outputs, bias=True):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_columns, n_inputs, n_outputs))
        nn.init.uniform_(self.weight, -(n_inputs**-0.5), n_inputs**-0.5)
        self.bias = nn.Parameter(torch.zeros(n_columns, n_outputs)) if bias else None

    def forward(self, x):
        """Map (n, n_columns, n_inputs) to (n, n_columns, n_outputs)."""
        outputs = torch.einsum("nci,cio->nco", x, self.weight)
        return outputs if self.bias is None else outputs + self.bias


class FTTransformerNetwork(TokenEncoder):
    """A transformer of the columns of a table.

    A column's token is the sum of its inputs, each times a vector of its own, and of
    the column's bias, which tells the columns apart: its position.

    Parameters
    ----------
    columns : list of lists of int
        The inputs that belong to each column.
    dim, depth, heads : int
    dropout : float
    embedding : NumberEmbedding or None
        Embeds the numbers among the inputs first.
    """

    def __init__(self, columns, dim, depth, heads, dropout=0.0, embedding=None):
        columns = columns if embedding is None else embedding.columns
        bound = dim**-0.5
        positions = nn.Parameter(torch.empty(len(columns), dim))
        super().__init__(Transformer(dim, depth, heads, dropout), positions)
        self.embedding = embedding
        n_values = max(map(len, columns))
        self.projection = ColumnLinear(len(columns), n_values, dim, bias=False)
        nn.init.uniform_(positions, -bound, bound)
        nn.init.uniform_(self.projection.weight, -bound, bound)
        # Columns with fewer inputs than others are filled up by input 0 times zero.
        used = torch.tensor([[k < len(c) for k in range(n_values)] for c in columns])
        filled = torch.tensor([c + [0] * (n_values - len(c)) for c in columns])
        self.register_buffer("filled", filled, persistent=False)
        self.register_buffer("used", used, persistent=False)

    def parts(self, x):
        """The inputs (n, n_inputs) of each column, filled up with zeros."""
        if self.embedding is not None:
            x = self.embedding(x)
        return x[:, self.filled] * self.used

    def project(self, parts):
        """Map each column's inputs by a linear map of its own."""
        return self.projection(parts)
