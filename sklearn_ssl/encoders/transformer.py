"""Pre-norm transformers, and what encoders that read rows as tokens share."""

import torch
from torch import nn
from torch.nn.functional import pad, scaled_dot_product_attention


class Block(nn.Module):
    """Attention between tokens, then a network on each, both added to their input.

    Parameters
    ----------
    dim : int
    heads : int
        Divides `dim`.
    dropout : float
        Share of the hidden units zeroed while training.
    """

    def __init__(self, dim, heads, dropout=0.0):
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(dim)
        self.queries_keys_values = nn.Linear(dim, 3 * dim)
        self.attention_output = nn.Linear(dim, dim)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(dim),
            nn.Linear(dim, 4 * dim),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(4 * dim, dim),
        )

    def forward(self, tokens):
        """Map (n, n_tokens, dim) to the same shape."""
        joint = self.queries_keys_values(self.attention_norm(tokens))
        queries, keys, values = (
            part.unflatten(2, (self.heads, -1)).transpose(1, 2)
            for part in joint.chunk(3, dim=2)
        )
        # On a CPU, threads have scratch memory in proportion to the queries; unless it
        # is aligned, a row's last bits depend on the thread that it meets.
        queries = pad(queries, (0, 0, 0, -tokens.shape[1] % 16))
        attended = scaled_dot_product_attention(queries, keys, values)
        attended = attended[:, :, : tokens.shape[1]].transpose(1, 2).flatten(2)
        tokens = tokens + self.attention_output(attended)
        return tokens + self.feed_forward(tokens)


class Transformer(nn.Module):
    """Blocks and a last normalization (pre-norm: Xiong et al., 2020).

    Parameters
    ----------
    dim, depth, heads : int
    dropout : float
    """

    def __init__(self, dim, depth, heads, dropout=0.0):
        super().__init__()
        self.blocks = nn.ModuleList(Block(dim, heads, dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(dim)

    def forward(self, tokens):
        """Map (n, n_tokens, dim) to the same shape, for any number of tokens."""
        return self.norm(self.all_layers(tokens)[-1])

    def all_layers(self, tokens):
        """The output of each block, as a list."""
        outputs = []
        for block in self.blocks:
            tokens = block(tokens)
            outputs.append(tokens)
        return outputs


class TokenEncoder(nn.Module):
    """An encoder that reads a row as tokens, of which it may see some only.

    A subclass says what a row's parts are and how one becomes a token.

    Parameters
    ----------
    transformer : Transformer
    positions : tensor or nn.Parameter of shape (n_tokens, dim)
        Added to the tokens: where each is.

    Attributes
    ----------
    n_outputs : int
        Length of an embedding: twice the width of a token.
    rows_at_once : int
        Rows that are embedded at once: the hidden layers of all tokens take memory.
    """

    rows_at_once = 128

    def __init__(self, transformer, positions):
        super().__init__()
        self.transformer = transformer
        if isinstance(positions, nn.Parameter):
            self.positions = positions
        else:
            self.register_buffer("positions", positions, persistent=False)
        self.n_outputs = 2 * positions.shape[1]

    def parts(self, x):
        """What each token sees of the encoder's input: (n, n_tokens, n_values)."""
        raise NotImplementedError

    def project(self, parts):
        """Map parts to shape (n, n_tokens, dim), still without positions."""
        raise NotImplementedError

    def tokens(self, x):
        """The tokens of the encoder's input, positions added: (n, n_tokens, dim)."""
        parts = self.parts(x)
        if parts.shape[1] != len(self.positions):
            raise ValueError(
                f"The encoder was built for {len(self.positions)} tokens and was given "
                f"{parts.shape[1]}."
            )
        return self.project(parts) + self.positions

    def encode_tokens(self, tokens):
        """Encode any of a row's tokens: (n, some tokens, dim) to the same shape."""
        return self.transformer(tokens)

    def token_layers(self, tokens):
        """As `encode_tokens`, the output of each block, without the last norm."""
        return self.transformer.all_layers(tokens)

    def pool(self, encoded):
        """Embed encoded tokens: their mean and maximum, (n, n_outputs)."""
        return torch.cat([encoded.mean(dim=1), encoded.amax(dim=1)], dim=1)

    def forward(self, x):
        """Embed the encoder's input, (n, ...), as (n, n_outputs)."""
        return self._by_rows(lambda tokens: self.pool(self.encode_tokens(tokens)), x)

    def all_layers(self, x):
        """As `forward`, of each block, side by side: (n, depth * n_outputs)."""
        return self._by_rows(self._pool_layers, x)

    def _pool_layers(self, tokens):
        layers = self.token_layers(tokens)
        return torch.cat([self.pool(self.transformer.norm(x)) for x in layers], dim=1)

    def _by_rows(self, embed, x):
        return torch.cat([embed(self.tokens(p)) for p in x.split(self.rows_at_once)])
