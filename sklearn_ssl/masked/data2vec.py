"""data2vec (Baevski et al., 2022)."""

from dataclasses import dataclass
from numbers import Integral, Real

from sklearn_ssl import objectives
from sklearn_ssl._parameters import check_number
from sklearn_ssl.base import SSLTransformer
from sklearn_ssl.views import Identity


@dataclass(kw_only=True, eq=False, repr=False)
class Data2Vec(SSLTransformer):
    """Predict a teacher's representation of the hidden tokens of a row [1]_.

    The tokens of an image are patches, those of a table its columns. The teacher, a
    moving average of the encoder, sees the whole row; the encoder sees a learned token
    in place of the hidden ones. The targets are the outputs of the teacher's last
    blocks, each normalized by token, averaged and normalized again.

    Parameters
    ----------
    mask_ratio : "auto" or float, default="auto"
        Share of the tokens that are hidden, at least one. "auto" is 0.75 for images
        and 0.5 for tables.
    top_layers : int, default=3
        Number of the teacher's last blocks that are averaged; all if it has fewer.
    beta : float, default=2.0
        Error at which the loss turns from squares to absolute values.
    momentum : float, default=0.99
        Share of itself that the teacher keeps at a step; rises to 1 by half a cosine.
    {training_parameters}

    Attributes
    ----------
    mask_ratio_ : float
        What "auto" became.
    {fitted_attributes}

    References
    ----------
    .. [1] A. Baevski, W.-N. Hsu, Q. Xu, A. Babu, J. Gu, M. Auli, "data2vec: A General
       Framework for Self-supervised Learning in Speech, Vision and Language", ICML
       2022. https://arxiv.org/abs/2202.03555

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn_ssl import Data2Vec
    >>> X, y = load_wine(return_X_y=True)
    >>> Data2Vec(max_epochs=2, random_state=0).fit_transform(X).shape
    (178, 143)
    """

    mask_ratio: float | str = "auto"
    top_layers: int = 3
    beta: float = 2.0
    momentum: float = 0.99

    def _check_parameters(self):
        super()._check_parameters()
        ratio = self.mask_ratio
        check_number("mask_ratio", ratio, Real, 0, 1, strict=True, words=("auto",))
        check_number("top_layers", self.top_layers, Integral, 1)
        check_number("beta", self.beta, Real, 0, strict=True)
        check_number("momentum", self.momentum, Real, 0, 1)

    def _default_encoder(self, modality):
        return modality.default_token_encoder()

    def _default_views(self, modality):
        return Identity()

    def _build_task(self, task):
        from torch import nn

        from sklearn_ssl.engine.ema import make_teacher
        from sklearn_ssl.masked.hiding import prepare_hiding

        prepare_hiding(task, self.mask_ratio)
        task.teacher = make_teacher(task.encoder)
        dim = task.mask_token.numel()
        task.head = nn.Linear(dim, dim)

    def _loss(self, task, batch):
        from torch import where

        from sklearn_ssl.masked.hiding import hide

        x = task.inputs(task.view(batch))
        tokens = task.encoder.tokens(x)
        hidden, _ = hide(task, tokens)
        masked = task.mask_token + task.encoder.positions
        seen = where(hidden[..., None], masked, tokens)
        output = task.head(task.encoder.encode_tokens(seen))
        return objectives.masked_latents(
            output, self._targets(task, x), hidden, self.beta
        )

    def _targets(self, task, x):
        """What the teacher says of each token, shape (n, n_tokens, dim)."""
        from torch import no_grad, stack
        from torch.nn.functional import layer_norm

        teacher = task.teacher.eval()  # without dropout
        with no_grad():
            layers = teacher.token_layers(teacher.tokens(x))[-self.top_layers :]
            normed = [layer_norm(layer, layer.shape[2:]) for layer in layers]
            return layer_norm(stack(normed).mean(dim=0), layers[0].shape[2:])

    def _after_step(self, task):
        from sklearn_ssl.engine.ema import cosine_momentum, follow

        momentum = cosine_momentum(self.momentum, task.progress)
        follow(task.teacher, task.encoder, momentum)
