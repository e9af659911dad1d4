"""Data as the engine sees it: something that returns batches by row numbers."""

from functools import cached_property

import numpy as np
import torch


class _Writable:
    def __init__(self, array):
        interface = array.__array_interface__
        address = interface["data"][0]
        self.array = array  # keeps the memory alive
        self.__array_interface__ = {**interface, "data": (address, False)}


def as_tensor(array):
    """A tensor on the memory of an array, which nothing here ever writes to.

    torch warns of read-only arrays, such as memory maps. Copying them would cost what
    the map saves, and silencing a warning is not thread-safe: hide the flag from it.
    """
    if isinstance(array, torch.Tensor):
        return array
    if not isinstance(array, np.ndarray):
        return StreamedTensor(array)
    if not array.flags.writeable:
        array = np.asarray(_Writable(array))
    return torch.from_numpy(array)


# Rows that move to a device at once.
_TILE = 2**16
# Views find no less variety among so many cells, or at least so many rows.
_DONOR_CELLS, _ENOUGH_DONORS = 2**22, 1024


class StreamedTensor:
    """Of a tensor's interface what batches and views use, for rows read when needed.

    Parameters
    ----------
    reader : object
        ``reader[rows]`` and ``reader[rows, column]`` return ndarrays as an ndarray
        would.
    """

    device = torch.device("cpu")
    dtype = torch.float32
    ndim = 2

    def __init__(self, reader):
        self.reader = reader
        self.shape = torch.Size(reader.shape)
        self.nbytes = self.shape.numel() * torch.float32.itemsize

    def __len__(self):
        return len(self.reader)

    def __getattr__(self, name):
        raise AttributeError(
            f"Rows of a large table are read when asked for: it has no {name}. Take "
            "rows first, as source['numbers'][rows], which is a tensor."
        )

    def __getitem__(self, key):
        if isinstance(key, tuple):
            return as_tensor(self.reader[tuple(map(_as_index, key))])
        return as_tensor(self.reader[_as_index(key)])

    def index_select(self, dim, rows):
        """Rows by their numbers; `dim` is 0."""
        return self[rows]

    def to(self, device):
        """This on the CPU, where it saves a copy; on another device all rows."""
        return self if device.type == "cpu" else self.whole(device)

    def whole(self, device):
        """All rows as a tensor on a device, moved there some at a time."""
        whole = torch.empty(self.shape, device=device)
        for start in range(0, len(self), _TILE):
            tile = slice(start, start + _TILE)
            whole[tile] = self[tile].to(device)
        return whole


def _as_index(key):
    return key.cpu().numpy() if isinstance(key, torch.Tensor) else key


class TensorSource:
    """Rows as a dict of tensors with one first dimension, in memory or streamed.

    On a GPU the tensors live there if they fit into half of its free memory; else each
    batch is pinned and copied without blocking.

    Parameters
    ----------
    arrays : dict of str to ndarray
    device : torch.device

    Attributes
    ----------
    home : torch.device
        Where the tensors are held.
    n_rows : int
    tensors : dict of tensors
        All rows; of a large table :class:`StreamedTensor`.
    """

    def __init__(self, arrays, device):
        self.device = device
        self.home = device
        self.tensors = {name: as_tensor(array) for name, array in arrays.items()}
        self.n_rows = len(next(iter(self.tensors.values())))
        size = sum(tensor.nbytes for tensor in self.tensors.values())
        if device.type == "cuda" and size > torch.cuda.mem_get_info(device)[0] / 2:
            self.home = torch.device("cpu")
        else:
            self.tensors = {k: t.to(device) for k, t in self.tensors.items()}

    @cached_property
    def donors(self):
        """Rows from which views borrow: all, or evenly spaced ones of a large table.

        These are tensors in one piece, lest each cell be read from a file.
        """
        width = sum(tensor.shape[1:].numel() for tensor in self.tensors.values())
        enough = max(_DONOR_CELLS // max(width, 1), _ENOUGH_DONORS)
        step = -(-self.n_rows // enough)
        return {k: tensor[::step].contiguous() for k, tensor in self.tensors.items()}

    def batch(self, rows):
        """The rows numbered `rows` (int64 tensor), on the device."""
        rows = rows.to(self.home)
        found = {}
        for name, tensor in self.tensors.items():
            part = tensor.index_select(0, rows)
            if self.home != self.device:
                part = part.pin_memory().to(self.device, non_blocking=True)
            found[name] = part
        return found


class Rows:
    """Some rows of a source, cut into batches of nearly equal size, with their numbers.

    No batch is larger than `batch_size` nor smaller than half of it: a tiny last batch
    would be noise for batch normalization and leave a contrast without negatives. No
    batch has a single row, even if that makes one larger.

    Parameters
    ----------
    source : TensorSource
    rows : int64 tensor
    batch_size : int
    generator : torch.Generator or None
        Shuffles the rows anew in each pass; without it they keep their order.
    """

    def __init__(self, source, rows, batch_size, generator=None):
        self.source = source
        self.rows = rows
        self.generator = generator
        self.n_batches = max(min(-(-len(rows) // batch_size), len(rows) // 2), 1)

    def __len__(self):
        return self.n_batches

    def __iter__(self):
        rows = self.rows
        if self.generator is not None:
            rows = rows[torch.randperm(len(rows), generator=self.generator)]
        for part in rows.to(self.source.home).tensor_split(self.n_batches):
            yield self.source.batch(part), part
