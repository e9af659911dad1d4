"""Errors and warnings of the package."""


class TrainingDivergedError(RuntimeError):
    """The pretext loss became NaN or infinite during ``fit``.

    Attributes
    ----------
    step : int
        Optimizer step, counted from 1, whose loss was not finite.
    learning_rate : float
        Learning rate of that step.
    last_good : estimator or None
        A fitted copy with the weights of the last epoch whose losses were all finite;
        ``None`` if the first epoch diverged.
    """

    def __init__(self, message, step=None, learning_rate=None, last_good=None):
        super().__init__(message)
        self.step = step
        self.learning_rate = learning_rate
        self.last_good = last_good


class CollapseWarning(UserWarning):
    """The embedding maps (almost) all rows to one point."""
