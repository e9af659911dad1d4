"""Variational autoencoder (Kingma and Welling, 2014)."""

from dataclasses import dataclass
from numbers import Integral, Real

from sklearn_ssl import objectives
from sklearn_ssl._parameters import check_number
from sklearn_ssl.autoencoding.autoencoder import Autoencoder


@dataclass(kw_only=True, eq=False, repr=False)
class VariationalAutoencoder(Autoencoder):
    """Reconstruct each row from a noisy code whose distribution stays simple [1]_.

    The encoder's output is mapped to the mean and variance of a normal distribution.
    The row is reconstructed from a draw of it, and its divergence from the standard
    normal distribution is the price of what it tells. ``transform`` returns the mean.

    Parameters
    ----------
    beta : float, default=1.0
        Weight of the divergence [2]_. 1 is the variational bound, for numbers and
        pixels of a variance of 1/2 around their reconstruction, once they are scaled.
    latent_dim : int, default=32
        Width of the code, and of the embedding.
    {training_parameters}

    Attributes
    ----------
    {fitted_attributes}

    Notes
    -----
    The loss is the negative bound divided by the number of columns or pixels, so that
    it can be compared between data sets: the reconstruction's mean squared error or
    cross-entropy, plus beta times the divergence over their number.

    ``score_samples`` is of the reconstruction from the mean, without the divergence.

    References
    ----------
    .. [1] D. P. Kingma, M. Welling, "Auto-Encoding Variational Bayes", ICLR 2014.
       https://arxiv.org/abs/1312.6114
    .. [2] I. Higgins et al., "beta-VAE: Learning Basic Visual Concepts with a
       Constrained Variational Framework", ICLR 2017.
       https://openreview.net/forum?id=Sy2fzU9gl

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_ssl import VariationalAutoencoder
    >>> X, y = load_wine(return_X_y=True)
    >>> vae = VariationalAutoencoder(latent_dim=4, max_epochs=2, random_state=0)
    >>> vae.fit_transform(X).shape
    (178, 19)
    """

    beta: float = 1.0
    latent_dim: int = 32

    def _check_parameters(self):
        super()._check_parameters()
        check_number("beta", self.beta, Real, 0)
        check_number("latent_dim", self.latent_dim, Integral, 1)

    def _build_task(self, task):
        from torch import nn

        task.posterior = nn.Linear(task.n_outputs, 2 * self.latent_dim)
        self._add_decoder(task, self.latent_dim)

    def _loss(self, task, batch):
        import torch

        posterior = task.posterior(task.embed(task.view(batch))).float()
        mean, log_variance = posterior.chunk(2, dim=1)
        noise = torch.empty_like(mean).normal_(generator=task.generator)
        output = task.decoder(mean + noise * (log_variance / 2).exp())
        divergence = objectives.gaussian_kl(mean, log_variance)
        n_cells = sum(cells[0].numel() for cells in batch.values())
        reconstruction = task.inputs.reconstruction_loss(output, batch)
        return reconstruction + self.beta * divergence / n_cells

    def _reconstruct(self, task, batch):
        return task.decoder(self._posterior_mean(task, batch))

    def _encode(self, task, batch):
        from torch import cat

        mean = self._posterior_mean(task, batch)
        if self.output == "last":
            return mean
        return cat([super()._encode(task, batch), mean], dim=1)

    def _posterior_mean(self, task, batch):
        return task.posterior(task.embed(batch))[:, : self.latent_dim]
