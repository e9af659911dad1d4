"""What several joint embeddings have beside encoder and head."""

import torch
from torch import nn
from torch.nn import functional as F

# Of the rows that a queue is for: it holds few keys of the row that it is asked about.
_QUEUE_SHARE = 4
_MAX_QUEUE_LENGTH = 65_536


def student(task, head):
    """What a teacher follows, as one network from a batch to the output of a head."""
    return nn.Sequential(task.inputs, task.encoder, head)


def default_queue_length(n_rows):
    """A quarter of the rows, at most 65536."""
    return min(max(n_rows // _QUEUE_SHARE, 1), _MAX_QUEUE_LENGTH)


class Queue(nn.Module):
    """The latest keys, L2-normalized: first in, first out.

    It starts with random directions.

    Parameters
    ----------
    length : int
        Number of keys.
    width : int
        Width of a key.
    """

    def __init__(self, length, width):
        super().__init__()
        self.register_buffer("keys", F.normalize(torch.randn(length, width), dim=1))
        self.register_buffer("oldest", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def enqueue(self, keys):
        """Replace the oldest keys by others, shape (n, width); n is any number."""
        keys = F.normalize(keys[-len(self.keys) :].to(self.keys.dtype), dim=1, eps=1e-6)
        places = torch.arange(len(keys), device=keys.device) + self.oldest
        self.keys[places % len(self.keys)] = keys
        self.oldest.add_(len(keys)).remainder_(len(self.keys))

    @torch.no_grad()
    def nearest(self, z):
        """The key most similar to each row of z, shape (n, width)."""
        return self.keys[(z.to(self.keys.dtype) @ self.keys.T).argmax(dim=1)]
