"""Logits of columns side by side, some of which have fewer classes than others."""

import torch


def without_padding(logits, sizes):
    """Logits (..., n_columns, widest), minus infinity beyond the size of a column."""
    sizes = torch.as_tensor(sizes, device=logits.device)
    padding = torch.arange(logits.shape[-1], device=logits.device) >= sizes[:, None]
    return logits.masked_fill(padding, -torch.inf)
