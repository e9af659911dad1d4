"""The training loop: a skorch net driven over epochs, and all of its state."""

import copy
import math
import time
from dataclasses import dataclass, field

import torch

from sklearn_ssl.engine.batches import Rows, TensorSource
from sklearn_ssl.engine.health import embedding_health
from sklearn_ssl.engine.net import PretextNet
from sklearn_ssl.engine.normalization import RunningStatistics
from sklearn_ssl.engine.optimization import make_optimizer, warmup_cosine
from sklearn_ssl.engine.progress import progress_bar
from sklearn_ssl.engine.random import ORDER, VIEWS, make_generator
from sklearn_ssl.engine.task import Task
from sklearn_ssl.exceptions import TrainingDivergedError

_N_HEALTH_ROWS = 256
# With an underscore they are attributes of a fitted estimator.
CURVES = (
    "loss_curve validation_loss_curve embedding_std_curve embedding_rank_curve"
).split()
_PROGRESS = [
    *CURVES,
    *"n_epochs n_steps best_loss best_weights n_without_improvement last_good".split(),
]


@dataclass(kw_only=True, eq=False, repr=False)
class Training:
    """All state of a running fit but its rows; :meth:`state_dict` between epochs.

    Parameters
    ----------
    task : Task
        Trained in place.
    device : torch.device
    seed : int
    batch_size : int
    max_epochs : int or None
        Horizon of the learning-rate schedule; ``None`` keeps the rate constant.
    max_time : float or None
        Seconds after which training stops, in the middle of an epoch if need be.
    learning_rate, weight_decay, optimizer, max_grad_norm
        As in the estimators.
    patience : int or None
        Epochs without an improvement of the validation loss by more than `tol`, after
        which training stops and the best weights return; ``None`` turns this off.
    tol : float
    autocast : bool
        Compute in bfloat16 where that is safe.
    verbose : int

    Attributes
    ----------
    loss_curve, validation_loss_curve, embedding_std_curve, embedding_rank_curve : list
        Of floats, one an epoch.
    n_epochs, n_steps : int
    """

    task: Task
    device: torch.device
    seed: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    optimizer: str
    max_epochs: int | None = None
    max_time: float | None = None
    max_grad_norm: float | None = None
    patience: int | None = None
    tol: float = 0.0
    autocast: bool = False
    verbose: int = 0

    loss_curve: list = field(default_factory=list, init=False)
    validation_loss_curve: list = field(default_factory=list, init=False)
    embedding_std_curve: list = field(default_factory=list, init=False)
    embedding_rank_curve: list = field(default_factory=list, init=False)
    n_epochs: int = field(default=0, init=False)
    n_steps: int = field(default=0, init=False)
    best_loss: float = field(default=math.inf, init=False)
    best_weights: dict | None = field(default=None, init=False)
    n_without_improvement: int = field(default=0, init=False)
    last_good: dict | None = field(default=None, init=False)

    def __post_init__(self):
        self.task.autocast = self.autocast
        self.task.set_generator(make_generator(self.seed, VIEWS, self.device))
        self.order = make_generator(self.seed, ORDER)
        self.statistics = RunningStatistics(self.task)
        self.net = PretextNet(
            self.task,
            criterion=torch.nn.Identity,
            optimizer=make_optimizer,
            optimizer__name=self.optimizer,
            optimizer__weight_decay=self.weight_decay,
            lr=self.learning_rate,
            train_split=None,
            callbacks="disable",
            verbose=0,
            device=self.device,
        ).initialize()
        self.net.training_state = self

    def run(
        self,
        arrays,
        n_epochs,
        *,
        validation_rows=0,
        begin_epoch=lambda: None,
        end_epoch=lambda: False,
    ):
        """Train on `arrays` for at most `n_epochs` more epochs.

        Parameters
        ----------
        arrays : dict of str to ndarray
            All of one first dimension, the rows.
        n_epochs : int
        validation_rows : int
            Rows, drawn at random, that are left out and judge each epoch.
        begin_epoch, end_epoch : callable
            Called without arguments around each epoch; a true answer at its end stops
            the training.

        Raises
        ------
        TrainingDivergedError
            If a loss is NaN or infinite. ``last_good`` then holds the weights of the
            last epoch without such a loss, None if there was none.
        """
        source = TensorSource(arrays, self.device)
        order = torch.randperm(source.n_rows, generator=self.order)
        held_out, rows = order[:validation_rows], order[validation_rows:].sort().values
        batches = Rows(source, rows, self.batch_size, self.order)
        health = source.batch(rows[:: math.ceil(len(rows) / _N_HEALTH_ROWS)])
        self.task.data = source
        method = self.task.method
        self.n_steps_planned = self.max_epochs and self.max_epochs * len(batches)
        self.started = time.perf_counter()
        total = n_epochs * len(batches)
        with progress_bar(type(method).__name__, total, self.verbose) as bar:
            self.bar = bar
            try:
                self.task.rows = rows
                method._begin_fit(self.task)
                for _ in range(n_epochs):
                    begin_epoch()
                    method._begin_epoch(self.task)
                    self._forget_restarted()
                    self._run_epoch(batches, health)
                    if validation_rows:
                        self._validate(source, held_out)
                    bar.set_postfix(**self._figures(), refresh=False)
                    if end_epoch() or self._out_of_time() or self._out_of_patience():
                        break
            finally:
                self.task.data = self.task.rows = self.task.neighbors = None
                self.bar = None
        if self.best_weights is not None:
            self.task.load_state_dict(self.best_weights)
        self.task.eval().zero_grad(set_to_none=True)

    def before_step(self, rows):
        """Set the learning rate, and the task's rows and progress, for a step."""
        self.task.rows = rows
        self.task.progress = self._progress()
        self.statistics.before_step(self.n_steps)
        self.rate = self.learning_rate
        if self.n_steps_planned:
            self.rate *= warmup_cosine(self.task.progress)
        for group in self.net.optimizer_.param_groups:
            group["lr"] = self.rate

    def after_step(self, loss):
        """Note a step's loss; return whether time is up."""
        self.n_steps += 1
        self._losses.append(loss)
        self.task.method._after_step(self.task)
        self.bar.update()
        # Reading a loss waits for the GPU, so there the check comes now and then.
        if len(self._losses) >= (1 if self.device.type == "cpu" else 50):
            self._read_losses()
        return self._out_of_time()

    def weights(self):
        """A copy of the task's weights and buffers."""
        return {k: v.detach().clone() for k, v in self.task.state_dict().items()}

    def state_dict(self):
        """The state between epochs, as a copy that further training leaves alone."""
        return {
            "weights": self.weights(),
            "optimizer": copy.deepcopy(self.net.optimizer_.state_dict()),
            "generators": [g.get_state() for g in self._generators()],
            "progress": {name: copy.copy(getattr(self, name)) for name in _PROGRESS},
        }

    def load_state_dict(self, state):
        """Return to the state that :meth:`state_dict` gave."""
        self.task.load_state_dict(state["weights"])
        self.net.optimizer_.load_state_dict(state["optimizer"])
        pairs = zip(self._generators(), state["generators"], strict=True)
        for generator, value in pairs:
            generator.set_state(value)
        for name, value in state["progress"].items():
            setattr(self, name, value)
        self.task.eval()

    def _generators(self):
        return self.order, self.task.generator

    def _forget_restarted(self):
        for parameter in self.task.restarted:
            # Not without a state, which fused SGD takes of all parameters or none.
            for value in self.net.optimizer_.state.get(parameter, {}).values():
                value.zero_()
        self.task.restarted.clear()

    def _run_epoch(self, batches, health):
        self._losses, self._epoch_losses = [], []
        self.net.fit_loop(batches, epochs=1)
        self._read_losses()
        std, rank = embedding_health(self.task, health)
        if not math.isfinite(std):  # the very last step may have done it
            raise self._divergence("The embedding", std, self.n_steps)
        self.loss_curve.append(sum(self._epoch_losses) / len(self._epoch_losses))
        self.embedding_std_curve.append(std)
        self.embedding_rank_curve.append(rank)
        self.last_good = self.weights()
        self.n_epochs += 1

    def _read_losses(self):
        if not self._losses:
            return
        values = torch.stack(self._losses).tolist()
        self._losses.clear()
        self._epoch_losses += values
        for step, value in enumerate(values, self.n_steps - len(values) + 1):
            if not math.isfinite(value):
                raise self._divergence("The loss", value, step)

    def _divergence(self, what, value, step):
        name = type(self.task.method).__name__
        return TrainingDivergedError(
            f"{what} of {name} became {value} at step {step} (epoch "
            f"{self.n_epochs + 1}, learning rate {self.rate:.3g}). Lower "
            "learning_rate, or set max_grad_norm=1.0.",
            step,
            self.rate,
        )

    def _validate(self, source, rows):
        loss = pretext_loss(self.task, source, self.batch_size, rows)
        self.validation_loss_curve.append(loss)
        if self.patience is None:
            return
        if loss < self.best_loss - self.tol:
            self.best_loss = loss
            self.best_weights = self.weights()
            self.n_without_improvement = 0
        else:
            self.n_without_improvement += 1

    def _out_of_patience(self):
        return self.patience is not None and self.n_without_improvement >= self.patience

    def _out_of_time(self):
        if self.max_time is None:
            return False
        return time.perf_counter() - self.started >= self.max_time

    def _progress(self):
        if not self.n_steps_planned:
            return 0.0
        share = self.n_steps / self.n_steps_planned
        if self.max_time is not None:
            share = max(share, (time.perf_counter() - self.started) / self.max_time)
        return min(share, 1.0)

    def _figures(self):
        figures = {"loss": self.loss_curve[-1], "std": self.embedding_std_curve[-1]}
        if self.validation_loss_curve:
            figures["validation"] = self.validation_loss_curve[-1]
        return figures


def pretext_loss(task, source, batch_size, rows=None):
    """Mean pretext loss of a source's rows, in evaluation mode, on a fixed corruption.

    Parameters
    ----------
    task : Task
    source : TensorSource
    batch_size : int
    rows : int64 tensor or None
        All rows if ``None``.

    Returns
    -------
    loss : float
        Batches weigh as many rows as they have.
    """
    rows = torch.arange(source.n_rows) if rows is None else rows
    total = 0.0
    with task.scoring(source):
        for batch, task.rows in Rows(source, rows, batch_size):
            total += len(task.rows) * task(**batch).item()
    return total / len(rows)
