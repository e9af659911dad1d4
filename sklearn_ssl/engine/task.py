"""A pretext task: the networks of one method, its views and its loss."""

import math
from contextlib import contextmanager

import torch
from torch import nn

from sklearn_ssl.encoders import REFUSALS, build_network
from sklearn_ssl.engine.random import (
    SCORE,
    WEIGHTS,
    SeededDropout,
    make_generator,
    seed_dropout,
    seeded_initialization,
)


class Task(nn.Module):
    """The module that is trained: input layer, encoder and what the method adds.

    A method describes itself in a few functions, which receive the task:
    ``_build_task`` adds heads, queues and teachers as attributes, ``_loss`` returns the
    scalar to minimize, ``_encode`` the embedding (the encoder's output unless a method
    says otherwise); ``_begin_fit``, ``_begin_epoch`` and ``_after_step`` run when their
    names say.

    Parameters
    ----------
    method : SSLTransformer
        Supplies the functions and their parameters; it is read, never changed.
    inputs : nn.Module
        Turns a batch (dict of tensors) into the tensor that the encoder sees.
    encoder : nn.Module
        Maps that tensor to shape (n, n_outputs).
    views : callable
        ``views(batch, source, generator)`` returns a randomly varied batch.
    n_rows : int
        Rows of the first fit, for queues and the like to adapt to.
    max_epochs : int or None
        Passes over the rows that are planned, for schedules to adapt to; ``None`` where
        there is no end, as in ``partial_fit``.
    n_targets : int
        Columns of the batches' ``"targets"``, which tell of y. They are there while
        training, for the losses of methods that make use of y.

    Attributes
    ----------
    n_outputs : int
        Width of the encoder's output.
    tile : int
        Rows that are encoded at once, whatever their number.
    widths : list of int
        Columns of the embedding, and of what is passed through beside it.
    norms : tuple of float
        L2 norm of a row in either, root mean square.
    progress : float
        Share of the training that is done, for schedules inside a method.
    data : TensorSource or None
        All rows, while training or scoring.
    source : dict of tensors or None
        Theirs. Of large tables :class:`~sklearn_ssl.engine.batches.StreamedTensor`
        instead of tensors.
    rows : int64 tensor or None
        Which of them the batch holds; in ``_begin_fit``, which are trained on.
    neighbors : Neighbors or None
        Rows that are like each of them, while training, if ``_begin_fit`` asked for
        them.
    adapted : dict
        Values that the method adapted to the data; they become fitted attributes.
    restarted : list of Parameter
        What the method drew anew before an epoch: put here, the optimizer forgets its
        state of them.
    """

    def __init__(self, method, inputs, encoder, views, n_rows, max_epochs, n_targets=0):
        super().__init__()
        self.method = method
        self.inputs = inputs
        self.encoder = encoder
        self.views = views
        self.n_rows = n_rows
        self.max_epochs = max_epochs
        self.n_targets = n_targets
        whole = tuple(inputs.output_shape)
        part = tuple(method._encoder_shape(whole))
        # An encoder that takes few rows at once needs no more of them to be filled up.
        self.tile = min(inputs.tile, getattr(encoder, "rows_at_once", inputs.tile))
        self.n_outputs = _n_outputs(encoder, list(dict.fromkeys([whole, part])))
        if method.output == "all_layers" and not hasattr(encoder, "all_layers"):
            raise ValueError(
                "output='all_layers' needs an encoder with layers to return, as "
                "encoders.MLP and FTTransformer have. Pass output='last'."
            )
        self.adapted = {}
        self.restarted = []
        self.progress = 0.0
        self.data = None
        self.rows = None
        self.neighbors = None
        self.generator = None
        self.passthrough = _passes_through(method, inputs)
        self.autocast = False

    @property
    def source(self):
        return self.data and self.data.tensors

    def forward(self, **batch):
        """Return the loss: all of the computation, for wrappers of ``forward``."""
        device = next(iter(batch.values())).device.type
        autocast = self.autocast and self.training
        with torch.autocast(device, torch.bfloat16, enabled=autocast):
            return self.method._loss(self, self.inputs.prepare(batch))

    def view(self, batch, views=None):
        """One random view of a batch, by the task's views or others."""
        device = next(iter(batch.values())).device.type
        views = views or self.views
        with torch.no_grad(), torch.autocast(device, enabled=False):
            view = views(batch, self.data.donors, self.generator)
        if not isinstance(view, dict) or not all(map(torch.is_tensor, view.values())):
            raise TypeError(
                f"views={views!r} must return a dict of tensors, as the batch is that "
                f"they are given, but returned {view!r}."
            )
        return view

    def embed(self, *batches):
        """The encoder's output for one or more batches, stacked, in one pass."""
        parts = [self.inputs(batch) for batch in batches]
        return self.encoder(parts[0] if len(parts) == 1 else torch.cat(parts))

    def encode(self, batch):
        """The features of a prepared batch, shape (n, d), scaled for a classifier."""
        features = torch.cat(self.features(batch), dim=1)
        features = torch.addcmul(self.shift, features, self.scale)
        if self.method.scaling == "l2":
            z, *columns = features.split(self.widths, dim=1)
            z = self.norms[0] * torch.nn.functional.normalize(z, dim=1)
            features = torch.cat([z, *columns], dim=1)
        return features

    def outputs(self, x):
        """Of the encoder, for what it reads: its last layer or all, as is asked for."""
        is_last = self.method.output == "last"
        return self.encoder(x) if is_last else self.encoder.all_layers(x)

    def features(self, batch):
        """The method's embedding, and the columns that it passes through if it does."""
        z = self.method._encode(self, batch)
        return [z, self.inputs.columns_beside(batch)] if self.passthrough else [z]

    def set_generator(self, generator):
        """Draw views, masks and dropout from `generator`."""
        self.generator = generator
        for module in self.modules():
            if isinstance(module, SeededDropout):
                module.generator = generator

    @contextmanager
    def scoring(self, source):
        """Evaluation mode on a corruption that is the same each time."""
        before = self.training, self.data, self.rows, self.generator, self.progress
        self.eval()
        self.progress = 1.0
        self.data = source
        self.set_generator(make_generator(0, SCORE, source.device))
        try:
            with torch.no_grad():
                yield
        finally:
            training, self.data, self.rows, generator, self.progress = before
            self.train(training)
            self.set_generator(generator)


def build_task(method, modality, encoder, views, n_rows, max_epochs, seed, n_targets=0):
    """Build a method's task with weights that `seed` determines.

    Parameters
    ----------
    method : SSLTransformer
    modality, encoder, views : components, resolved and fitted
    n_rows : int
    max_epochs : int or None
    seed : int
    n_targets : int
        0 in the pickles of versions that had none.

    Returns
    -------
    task : Task
        On the CPU, in evaluation mode.

    Raises
    ------
    ValueError
        If torch makes tensors of another type than float32 by default.
    """
    if (dtype := torch.get_default_dtype()) != torch.float32:
        raise ValueError(
            f"torch's default dtype is {dtype}, but networks are made of float32. Call "
            "torch.set_default_dtype(torch.float32)."
        )
    with seeded_initialization(make_generator(seed, WEIGHTS)):
        inputs = modality.input_layer()
        shape = method._encoder_shape(inputs.output_shape)
        network = build_network(encoder, inputs, shape).cpu()
        task = Task(method, inputs, network, views, n_rows, max_epochs, n_targets)
        method._build_task(task)
    norms = modality.norms
    # Alone, the embedding weighs as much as both.
    task.norms = norms if task.passthrough else (math.hypot(*norms),)
    seed_dropout(task).eval()
    with torch.no_grad():
        features = task.features(inputs.example(2))
        task.widths = [part.shape[1] for part in features]
    width = sum(task.widths)
    # From the embedding's statistics after training: `transform` needs no data.
    task.register_buffer("shift", torch.zeros(width))
    task.register_buffer("scale", torch.ones(width))
    return task


def _n_outputs(encoder, shapes):
    """The width of an encoder's output, which must be the same for all shapes."""
    remedy = "Pass a factory that takes input_shape, or encoder='auto'."
    if len(shapes) > 1:
        wanted = " and ".join(str(("n", *shape)) for shape in shapes)
        remedy = f"It must take {wanted}; pass encoder='auto'."
    widths = []
    for shape in shapes:
        expected = "n", *shape
        try:
            with torch.no_grad():
                z = encoder.eval()(torch.zeros(2, *shape))
        except REFUSALS as error:
            raise ValueError(
                f"The encoder failed on a tensor of shape {expected}: {error}. {remedy}"
            ) from error
        if not isinstance(z, torch.Tensor) or z.ndim != 2 or len(z) != 2:
            got = tuple(z.shape) if isinstance(z, torch.Tensor) else type(z).__name__
            raise ValueError(
                f"The encoder must map a tensor of shape {expected} to shape "
                f"('n', n_outputs), but for n=2 it returned {got}. Flatten or pool its "
                "output."
            )
        widths.append(z.shape[1])
    if len(set(widths)) > 1:
        raise ValueError(
            f"The encoder must have the same number of outputs for {wanted}, but has "
            f"{widths}. Pool its output, or pass encoder='auto'."
        )
    return widths[0]


def _passes_through(method, inputs):
    has_columns = hasattr(inputs, "columns")
    if method.passthrough is True and not has_columns:
        raise ValueError(
            "passthrough=True returns the columns of a table beside the embedding, but "
            "X has none. Pass passthrough='auto'."
        )
    return has_columns and bool(method.passthrough)
