"""A trained task as a fitted estimator keeps it: pickled as numpy arrays."""

import threading

import numpy as np
import torch
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from sklearn_ssl._arrays import count_rows, spread_rows
from sklearn_ssl.engine.batches import TensorSource, as_tensor
from sklearn_ssl.engine.devices import resolve_device
from sklearn_ssl.engine.guards import made_on_cpu
from sklearn_ssl.engine.task import build_task
from sklearn_ssl.engine.training import pretext_loss

# Rows encoded at once when the statistics of an embedding are taken.
_MAX_STATISTICS_ROWS = 20_000
# With fewer outputs, libraries sum the products of a row by its place among others.
_ENOUGH_OUTPUTS = 16


class FittedNetwork:
    """Weights and the recipe to rebuild the network that they belong to.

    Pickling keeps neither torch objects nor data: the weights travel as numpy arrays
    and the network is rebuilt when it is first needed, on the device present there.

    Parameters
    ----------
    recipe : dict
        The arguments of :func:`~sklearn_ssl.engine.task.build_task`.
    task : Task or None
        The trained task; if ``None`` it is built when first needed.
    weights : dict of str to ndarray or tensor, or None
        Loaded into a task that is built; ``None`` keeps its initial weights.
    """

    def __init__(self, recipe, *, task=None, weights=None):
        self.recipe = recipe
        self.weights = weights
        self._task = task
        self._lock = threading.RLock()

    def state(self):
        """The weights as a dict of numpy arrays."""
        with self._lock:
            if self._task is None:
                return self.weights
            state = self._task.state_dict()
        return {name: t.detach().cpu().numpy() for name, t in state.items()}

    def __getstate__(self):
        return {"recipe": self.recipe, "weights": self.state()}

    def __setstate__(self, state):
        self.__dict__.update(state, _task=None, _lock=threading.RLock())

    @property
    def task(self):
        """The task on its device, in evaluation mode."""
        with self._lock, made_on_cpu():
            if self._task is None:
                task = build_task(**self.recipe)
                if self.weights is not None:
                    state = {k: as_tensor(v) for k, v in self.weights.items()}
                    _load(task, state)
                self._task, self.weights = task.to(self._device()), None
            return self._task

    def returns_what(self, method):
        """Whether that method returns the same columns, scaled alike."""
        own = self.recipe["method"]
        names = "output", "passthrough", "scaling"
        return all(getattr(own, name) == getattr(method, name) for name in names)

    def _device(self):
        try:
            return resolve_device(self.recipe["method"].device)
        except ValueError:  # fitted on a device that this machine lacks
            return resolve_device("auto")

    def encode(self, arrays):
        """Embed rows in tiles of one size, so that no row depends on its company.

        Parameters
        ----------
        arrays : dict of str to ndarray
            What the modality's ``to_arrays`` returns, n rows.

        Returns
        -------
        embedding : ndarray of shape (n, d), float32
        """
        task = self.task
        shape = count_rows(arrays), len(task.shift)
        with torch.inference_mode(), made_on_cpu(), _WideProducts():
            embedding = torch.empty(shape, dtype=torch.float32)
            for part, batch in self._tiles(arrays):
                rows = embedding[part]
                rows.copy_(task.encode(task.inputs.prepare(batch))[: len(rows)])
        return embedding.numpy()

    def map_rows(self, function, arrays):
        """What a function makes of each row, in tiles as `encode` takes them.

        Parameters
        ----------
        function : callable
            ``function(task, batch)`` returns a tensor of as many rows as the batch,
            which holds them as `arrays` does.
        arrays : dict of str to ndarray
            n rows.

        Returns
        -------
        mapped : ndarray of n rows
        """
        task = self.task
        with torch.inference_mode(), made_on_cpu(), _WideProducts():
            parts = [function(task, batch).cpu() for _, batch in self._tiles(arrays)]
            return torch.cat(parts)[: count_rows(arrays)].numpy()

    def _tiles(self, arrays):
        """Which rows, and these on the device, the last tile filled up."""
        device, tile = self.task.shift.device, self.task.tile
        arrays = {name: as_tensor(array) for name, array in arrays.items()}
        for start in range(0, count_rows(arrays), tile):
            part = slice(start, start + tile)
            yield part, {k: _pad(a[part], tile).to(device) for k, a in arrays.items()}

    def measure(self, arrays, n_before=0):
        """Take the embedding's mean and spread over rows, which `encode` then removes.

        The embedding is centred and scaled, by one number or column by column, columns
        that are passed through by another number, such that a row's L2 norm in either
        is about that of ``task.norms`` (its root mean square), however wide it is.

        Parameters
        ----------
        arrays : dict of str to ndarray
        n_before : int
            Rows that the statistics in place stand for; they keep that weight.
        """
        task = self.task
        n = count_rows(arrays)
        rows = spread_rows(n, _MAX_STATISTICS_ROWS)
        before = task.shift.cpu().double().numpy(), task.scale.cpu().double().numpy()

        def features(task, batch):
            return torch.cat(task.features(task.inputs.prepare(batch)), dim=1)

        some = {name: array[rows] for name, array in arrays.items()}
        z = self.map_rows(features, some)
        center = z.mean(axis=0, dtype=np.float64)
        # A few columns at a time, of which `std` makes a copy in float64.
        parts = np.array_split(z, max(z.shape[1] // 32, 1), axis=1)
        std = np.concatenate([part.std(axis=0, dtype=np.float64) for part in parts])
        scale = np.empty_like(std)
        by_column = task.method.scaling == "standard"
        blocks = np.split(np.arange(len(std)), np.cumsum(task.widths)[:-1])
        for block, norm in zip(blocks, task.norms, strict=True):
            scale[block] = _scale(std[block], center[block], norm, by_column)
            by_column = False  # what is passed through has the scale that it needs
        share = n_before / (n_before + n)
        shift = share * before[0] - (1 - share) * center * scale
        scale = share * before[1] + (1 - share) * scale
        task.shift.copy_(torch.from_numpy(shift).float())
        task.scale.copy_(torch.from_numpy(scale).float())

    def score(self, arrays, batch_size):
        """Minus the mean pretext loss of rows on a fixed corruption."""
        with self._lock, made_on_cpu():  # scoring swaps the task's generator
            source = TensorSource(arrays, self.task.shift.device)
            return -pretext_loss(self.task, source, batch_size)


class _WideProducts(TorchFunctionMode):
    """Gives linear layers of few outputs more inside the block, and drops these."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is F.linear:
            return self._linear(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))

    def _linear(self, input, weight, bias=None):
        lacking = _ENOUGH_OUTPUTS - len(weight)
        if lacking <= 0 or weight.ndim == 1:
            return F.linear(input, weight, bias)
        weight = F.pad(weight, (0, 0, 0, lacking))
        bias = None if bias is None else F.pad(bias, (0, lacking))
        return F.linear(input, weight, bias)[..., :-lacking]


def _scale(std, center, norm, by_column):
    """Factors that give columns a norm together: the same for all, or one for each."""
    size = abs if by_column else np.linalg.norm
    spread = size(std)
    # What differs by rounding alone, as when all rows are equal, becomes 0.
    varies = spread > 1e-6 * size(center)
    return varies * norm / np.where(varies, spread, 1) / max(np.sum(varies), 1) ** 0.5


def _load(task, weights):
    if len(weights["shift"]) != len(task.shift):
        # Other columns are returned now; their statistics are still to be taken.
        weights = weights | {"shift": task.shift, "scale": task.scale}
    try:
        task.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(
            "The weights of the last fit do not fit a network of the present "
            f"parameters: {error}. Pass warm_start=False and fit to begin anew."
        ) from error


def _pad(rows, n):
    if len(rows) == n:
        return rows
    return torch.cat([rows, rows[-1:].expand(n - len(rows), *rows.shape[1:])])
