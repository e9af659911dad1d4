"""Multilayer perceptrons: the encoder of tables, and projection heads."""

from itertools import pairwise

import torch
from torch import nn


class MLPNetwork(nn.Module):
    """Linear layers, each followed by ReLU.

    Parameters
    ----------
    n_inputs : int
    hidden : tuple of int
        Width of each layer.
    dropout : float
    embedding : NumberEmbedding or None
        Embeds the numbers among the inputs first.
    """

    def __init__(self, n_inputs, hidden, dropout=0.0, embedding=None):
        super().__init__()
        self.embedding = embedding
        widths = [n_inputs if embedding is None else embedding.n_outputs, *hidden]
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Linear(a, b), nn.ReLU(), nn.Dropout(dropout))
            for a, b in pairwise(widths)
        )

    def forward(self, x):
        """Map (n, n_inputs) to the last layer's output, (n, hidden[-1])."""
        if self.embedding is not None:
            x = self.embedding(x)
        for layer in self.layers:
            x = layer(x)
        return x

    def all_layers(self, x):
        """Map (n, n_inputs) to all layers' outputs side by side, (n, sum(hidden))."""
        if self.embedding is not None:
            x = self.embedding(x)
        outputs = []
        for layer in self.layers:
            x = layer(x)
            outputs.append(x)
        return torch.cat(outputs, dim=1)


def projection_head(
    n_inputs, hidden, n_outputs, batch_norm=True, n_hidden=1, output_norm=False
):
    """Hidden layers with ReLU and a linear one, between an encoder and its loss.

    Parameters
    ----------
    n_inputs, hidden, n_outputs : int
    batch_norm : bool
        Normalize the hidden layers over the batch.
    n_hidden : int
        Number of hidden layers.
    output_norm : bool
        Normalize the output over the batch, without gain and shift.
    """
    layers = []
    for _ in range(n_hidden):
        layers.append(nn.Linear(n_inputs, hidden, bias=not batch_norm))
        layers += [nn.BatchNorm1d(hidden)] if batch_norm else []
        layers.append(nn.ReLU())
        n_inputs = hidden
    layers.append(nn.Linear(n_inputs, n_outputs, bias=not output_norm))
    layers += [nn.BatchNorm1d(n_outputs, affine=False)] if output_norm else []
    return nn.Sequential(*layers)
