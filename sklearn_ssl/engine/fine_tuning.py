"""Training an encoder and a linear head together, from pretrained weights."""

import math
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from sklearn_ssl.engine.batches import Rows, TensorSource
from sklearn_ssl.engine.optimization import make_optimizer, warmup_cosine
from sklearn_ssl.engine.progress import progress_bar
from sklearn_ssl.engine.random import ORDER, VIEWS, make_generator
from sklearn_ssl.exceptions import TrainingDivergedError

# Pretraining has the same seed, but these streams are not its own.
_STREAMS = 1000


@dataclass(kw_only=True, eq=False, repr=False)
class Labels:
    """What the output of a head should be, row by row.

    Parameters
    ----------
    targets : tensor of shape (n, n_targets)
        Class codes (int64), or numbers of zero mean and unit variance.
    weights : tensor of shape (n,)
        Weights of the rows, of mean 1.
    n_classes : list of int or None
        Of each target; ``None`` if these are numbers.
    """

    targets: torch.Tensor
    weights: torch.Tensor
    n_classes: list | None = None

    @classmethod
    def from_arrays(cls, targets, weights, n_classes):
        """Labels of arrays."""
        dtype = torch.float32 if n_classes is None else torch.int64
        return cls(
            targets=torch.as_tensor(targets, dtype=dtype),
            weights=torch.as_tensor(weights, dtype=torch.float32),
            n_classes=n_classes,
        )

    @property
    def n_outputs(self):
        """The length of an output."""
        return sum(self.n_classes) if self.n_classes else self.targets.shape[1]

    def to(self, device):
        """The same on a device."""
        targets, weights = self.targets.to(device), self.weights.to(device)
        return Labels(targets=targets, weights=weights, n_classes=self.n_classes)

    def loss(self, output, rows):
        """Weighted mean of cross-entropy or half the squared error, summed by row."""
        targets = self.targets[rows]
        if self.n_classes is None:
            losses = (output - targets).square().sum(dim=1) / 2
        else:
            parts = zip(output.split(self.n_classes, dim=1), targets.T, strict=True)
            losses = sum(cross_entropy(*part, reduction="none") for part in parts)
        return (self.weights[rows] * losses).mean()

    def n_to_hold_out(self, fraction):
        """How many rows `hold_out` sets apart: one of each class, or of all, stays."""
        codes = self.targets[:, 0]
        n_kept = 1 if self.n_classes is None else len(codes.unique())
        return min(round(fraction * len(codes)), len(codes) - n_kept)

    def hold_out(self, fraction, generator):
        """Row numbers to train on and to judge by; the first keep a row of each class.

        Parameters
        ----------
        fraction : float
            Share of the rows to judge by; drawn in proportion to the classes.
        generator : torch.Generator
        """
        order = torch.randperm(len(self.targets), generator=generator)
        n_held_out = self.n_to_hold_out(fraction)
        if self.n_classes is None:
            held_out = torch.arange(n_held_out)
        else:
            order = order[self.targets[order, 0].argsort(stable=True)]
            classes = self.targets[order, 0]
            candidates = 1 + (classes[1:] == classes[:-1]).nonzero()[:, 0]
            steps = torch.linspace(0, len(candidates) - 1, n_held_out)
            held_out = candidates[steps.long()]
        keep = torch.ones(len(order), dtype=torch.bool)
        keep[held_out] = False
        return order[keep].sort().values, order[held_out].sort().values


@torch.no_grad()
def calibrate(network, arrays, batch_size):
    """Give a network that was never trained the statistics that it will train with.

    Its batch normalization holds none, and `FittedNetwork.measure` scaled the output by
    the spread that it has without: training would begin with a jump.
    """
    task = network.task
    for module in _batch_norms(task):
        module.reset_running_stats()
    task.train()
    source = TensorSource(arrays, task.shift.device)
    with _momentum(task, None):  # the plain mean over batches
        for batch, _ in Rows(source, torch.arange(source.n_rows), batch_size):
            task.features(task.inputs.prepare(batch))
    task.eval()
    network.measure(arrays)


def _batch_norms(task):
    norm = nn.modules.batchnorm._BatchNorm
    return [module for module in task.modules() if isinstance(module, norm)]


@contextmanager
def _momentum(task, value):
    """Let batch normalization update its statistics by `value`: not at all if it is 0.

    They are what the network will predict with.
    """
    norms = _batch_norms(task)
    before = [module.momentum for module in norms]
    for module in norms:
        module.momentum = value
    try:
        yield
    finally:
        for module, momentum in zip(norms, before, strict=True):
            module.momentum = momentum


def fit_head(features, labels, rows):
    """The best linear head on features that stay, with an L2 penalty of weight 1.

    Parameters
    ----------
    features : tensor of shape (n, d)
    labels : Labels
    rows : int64 tensor
        Which rows to fit.

    Returns
    -------
    head : nn.Linear
    """
    head = nn.utils.skip_init(
        nn.Linear, features.shape[1], labels.n_outputs, dtype=torch.float64
    )
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    features = features[rows].double()
    optimizer = torch.optim.LBFGS(
        head.parameters(), max_iter=200, line_search_fn="strong_wolfe"
    )

    def objective():
        optimizer.zero_grad()
        penalty = head.weight.square().sum() / 2 / len(rows)
        value = labels.loss(head(features), rows) + penalty
        value.backward()
        return value

    optimizer.step(objective)
    return head.float()


def variance_over_views(outputs):
    """How much outputs depend on the view: their variance, mean over rows and outputs.

    ``mean_ij (1 / K) sum_k (outputs_kij - mean_k outputs_kij)**2``, as in VIME.

    Parameters
    ----------
    outputs : tensor of shape (n_views, n, n_outputs)

    Returns
    -------
    variance : scalar tensor
    """
    return outputs.var(dim=0, correction=0).mean()


@dataclass(kw_only=True, eq=False, repr=False)
class FineTuner:
    """Trains a task's encoder and a linear head on labelled rows.

    The head's warm-up, with the encoder frozen, is the optimum on frozen features.

    Parameters
    ----------
    network : FittedNetwork
        Its task is trained in place.
    arrays : dict of str to ndarray
        The labelled rows.
    labels : Labels
    learning_rate, encoder_rate : float
        Peak learning rates of the head and of the rest; 0 leaves the rest as it is,
        statistics of batch normalization included.
    weight_decay : float
    batch_size, max_epochs : int
    augment : bool
        Show each row as it is and as a view of it, rather than as it is alone.
    fraction : float
        Share of the rows held out; 0 trains all epochs.
    patience : int
        Epochs without a lower loss on the rows held out that end the training.
    seed : int
    verbose : int
    consistency : float
        Weight of the variance of a row's outputs over its views.
    n_views : int
    all_arrays : dict of str to ndarray or None
        The rows whose views are to agree, labelled or not; needed for `consistency`.

    Attributes
    ----------
    head : nn.Linear
    loss_curve, validation_loss_curve : list of float
        The second begins before the first epoch.
    """

    network: object
    arrays: dict
    labels: Labels
    learning_rate: float
    encoder_rate: float
    weight_decay: float
    batch_size: int
    max_epochs: int
    augment: bool
    fraction: float
    patience: int
    seed: int
    verbose: int = 0
    consistency: float = 0.0
    n_views: int = 3
    all_arrays: dict | None = None

    def run(self):
        """Train; the best weights return if rows are held out."""
        self.task = self.network.task
        device = self.task.shift.device
        order = make_generator(self.seed, _STREAMS + ORDER)
        self.task.set_generator(make_generator(self.seed, _STREAMS + VIEWS, device))
        rows, held_out = self.labels.hold_out(self.fraction, order)
        features = torch.from_numpy(self.network.encode(self.arrays))
        self.head = fit_head(features, self.labels, rows).to(device)
        self.labels = self.labels.to(device)
        self.source = TensorSource(self.arrays, device)
        self.task.data = self.source
        if self.consistency:
            all_rows = TensorSource(self.all_arrays, device)
            self.task.data = all_rows
            self.batches_to_view = self._endless_batches(all_rows, order)
        self.task.requires_grad_(self.encoder_rate > 0)
        self.optimizers = self._optimizers()
        try:
            self._train(Rows(self.source, rows, self.batch_size, order), held_out)
        finally:
            self.task.data = None
        self.task.eval().zero_grad(set_to_none=True)
        self.task.requires_grad_(False)
        return self

    def _optimizers(self):
        rates = {self.head: self.learning_rate}
        if self.encoder_rate > 0:
            rates = {self.task: self.encoder_rate, **rates}
        return {
            make_optimizer(
                [{"params": list(module.parameters())}],
                rate,
                weight_decay=self.weight_decay,
            ): rate
            for module, rate in rates.items()
        }

    def _endless_batches(self, source, order):
        rows = torch.arange(source.n_rows)
        while True:
            for batch, _ in Rows(source, rows, self.batch_size, order):
                yield batch

    def _train(self, batches, held_out):
        self.loss_curve, self.validation_loss_curve = [], []
        n_steps, step = self.max_epochs * len(batches), 0
        best, n_worse = self._judge(held_out), 0
        weights = self._weights()
        with progress_bar("fine-tuning", n_steps, self.verbose) as bar:
            for _ in range(self.max_epochs):
                self.task.train(self.encoder_rate > 0)
                losses = []
                for batch, rows in batches:
                    losses.append(self._step(batch, rows, step / n_steps))
                    step += 1
                    bar.update()
                self.loss_curve.append(torch.stack(losses).mean().item())
                if not math.isfinite(self.loss_curve[-1]):
                    raise TrainingDivergedError(
                        f"The loss of fine-tuning became {self.loss_curve[-1]} in "
                        f"epoch {len(self.loss_curve)}. Lower its learning_rate"
                        f"{' or consistency' if self.consistency else ''}."
                    )
                if not len(held_out):
                    continue
                loss = self._judge(held_out)
                n_worse = 0 if loss < best else n_worse + 1
                if loss < best:
                    best, weights = loss, self._weights()
                if n_worse >= self.patience:
                    break
        if len(held_out):
            for module, state in zip((self.task, self.head), weights, strict=True):
                module.load_state_dict(state)

    def _step(self, batch, rows, progress):
        for optimizer, rate in self.optimizers.items():
            optimizer.zero_grad()
            for group in optimizer.param_groups:
                group["lr"] = rate * warmup_cosine(progress)
        batch = self.task.inputs.prepare(batch)
        if self.augment:
            view = self.task.view(batch)
            batch = {name: torch.cat([batch[name], view[name]]) for name in batch}
            rows = torch.cat([rows, rows])
        loss = self.labels.loss(self._output(batch), rows)
        if self.consistency:
            batch = self.task.inputs.prepare(next(self.batches_to_view))
            loss = loss + self.consistency * self._inconsistency(batch)
        loss.backward()
        for optimizer in self.optimizers:
            optimizer.step()
        return loss.detach()

    def _inconsistency(self, batch):
        views = [self.task.view(batch) for _ in range(self.n_views)]
        views = {name: torch.cat([view[name] for view in views]) for name in batch}
        with _momentum(self.task, 0.0):
            output = self._output(views)
        return variance_over_views(output.unflatten(0, (self.n_views, -1)))

    def _output(self, batch):
        return self.head(self.task.encode(batch))

    @torch.no_grad()
    def _judge(self, held_out):
        if not len(held_out):
            return math.inf
        self.task.eval()
        total = 0.0
        for batch, rows in Rows(self.source, held_out, self.batch_size):
            output = self._output(self.task.inputs.prepare(batch))
            total += len(rows) * self.labels.loss(output, rows).item()
        self.validation_loss_curve.append(total / len(held_out))
        return self.validation_loss_curve[-1]

    def _weights(self):
        return [
            {name: t.detach().clone() for name, t in module.state_dict().items()}
            for module in (self.task, self.head)
        ]
