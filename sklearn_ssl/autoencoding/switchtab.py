"""SwitchTab (Wu et al., 2024)."""

from dataclasses import dataclass
from typing import ClassVar

from sklearn_ssl.autoencoding.denoising import DenoisingAutoencoder


@dataclass(kw_only=True, eq=False, repr=False)
class SwitchTab(DenoisingAutoencoder):
    """Restore each row from its own part of the embedding and one of any row [1]_.

    The embedding has two projections: a *salient* part, of what is a row's own, and a
    *mutual* part, of what rows share. From both a row is restored twice: with its own
    mutual part, and with that of a random row of the batch. ``transform`` returns the
    salient part.

    Parameters
    ----------
    corruption_rate : float, default=0.3
        Chance of a cell to be replaced, in training, by the same column's cell of a
        random row. Ignored if `views` are given.
    {training_parameters}

    Attributes
    ----------
    {fitted_attributes}

    Notes
    -----
    In [1]_, the encoder is a transformer of three layers, and the decoder a linear
    layer and a sigmoid. Here they are those of :class:`DenoisingAutoencoder`, as is the
    loss; the projections are as in [1]_, a linear layer and a sigmoid each. The
    prediction of labels beside the pretext, which [1]_ also tries, is left out.

    References
    ----------
    .. [1] J. Wu, S. Chen, Q. Zhao, R. Sergazinov, C. Li, S. Liu, C. Zhao, T. Xie,
       H. Guo, C. Ji, D. Cociorva, H. Brunzell, "SwitchTab: Switched Autoencoders Are
       Effective Tabular Learners", AAAI 2024. https://arxiv.org/abs/2401.02013

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_ssl import SwitchTab
    >>> X, y = load_wine(return_X_y=True)
    >>> SwitchTab(max_epochs=2, random_state=0).fit_transform(X).shape
    (178, 271)
    """

    modalities: ClassVar[tuple] = ("table",)

    corruption_rate: float = 0.3

    def _build_task(self, task):
        from torch import nn

        n = task.n_outputs
        task.salient = nn.Sequential(nn.Linear(n, n), nn.Sigmoid())
        task.mutual = nn.Sequential(nn.Linear(n, n), nn.Sigmoid())
        self._add_decoder(task, 2 * n)

    def _loss(self, task, batch):
        from torch import cat, randperm

        h = task.embed(task.view(batch))
        salient, mutual = task.salient(h), task.mutual(h)
        others = randperm(len(h), generator=task.generator, device=h.device)
        own = task.decoder(cat([mutual, salient], dim=1))
        switched = task.decoder(cat([mutual[others], salient], dim=1))
        loss = task.inputs.reconstruction_loss
        return loss(own, batch) + loss(switched, batch)

    def _reconstruct(self, task, batch):
        from torch import cat

        h = task.embed(batch)
        return task.decoder(cat([task.mutual(h), task.salient(h)], dim=1))

    def _encode(self, task, batch):
        from torch import cat

        # Centred, as what `transform` returns will be: collapse is told by directions.
        salient = task.salient(task.embed(batch)) - 0.5
        if self.output == "last":
            return salient
        return cat([super()._encode(task, batch), salient], dim=1)
