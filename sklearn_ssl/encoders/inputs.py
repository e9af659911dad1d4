"""Input layers: from a batch (dict of tensors) to the tensor that an encoder sees."""

from itertools import accumulate, pairwise

import numpy as np
import torch
from torch import nn

from sklearn_ssl import objectives
from sklearn_ssl._parameters import unless_auto
from sklearn_ssl.encoders.mlp import projection_head


class TabularInput(nn.Module):
    """Numbers, missing indicators and embedded categories side by side.

    Parameters
    ----------
    n_numbers : int
    missing_columns : sequence of int
        The number column that each missing indicator speaks of.
    cardinalities : list of int
        Codes of each category column. Codes 0 (missing) and 1 (unseen) may never occur
        in training; they start, and then stay, at the zero vector.
    embedding_dim : int or "auto"
        Width of a category's embedding; "auto" follows the number of levels.
    bin_edges : list of lists of float or None
        For encoders that bin numbers: the bounds of the bins of each number column.
    quantiles : dict of int to ndarray of shape (n_quantiles,), or None
        By number column that is scaled by quantiles: these, standardized.

    Attributes
    ----------
    columns_of_output : list of lists of int
        The outputs that each column of the table became: numbers, then categories.
    """

    tile = 1024
    # Columns tell less of one another than patches of an image do: hide fewer.
    mask_ratio = 0.5

    def __init__(
        self,
        n_numbers,
        missing_columns,
        cardinalities,
        embedding_dim=8,
        bin_edges=None,
        quantiles=None,
    ):
        super().__init__()
        self.n_numbers = n_numbers
        self.bin_edges = [[]] * n_numbers if bin_edges is None else bin_edges
        self.missing_columns = [int(i) for i in missing_columns]
        self.n_missing = n_missing = len(self.missing_columns)
        self.cardinalities = tuple(cardinalities)
        self.quantile_columns = list(quantiles or ())
        if quantiles:
            table = torch.from_numpy(np.stack([*quantiles.values()])).float()
            self.register_buffer("quantiles", table, persistent=False)
        sizes = self.cardinalities
        widths = [unless_auto(embedding_dim, _width_by_levels(n - 2)) for n in sizes]
        bounds = [*accumulate(widths, initial=n_numbers + n_missing)]
        self.output_shape = (bounds[-1],)
        self.columns_of_output = [[j] for j in range(n_numbers)]
        for k, j in enumerate(self.missing_columns):
            self.columns_of_output[j].append(n_numbers + k)
        self.columns_of_output += [[*range(*ends)] for ends in pairwise(bounds)]
        if sizes:
            starts = torch.tensor((0, *sizes)).cumsum(0)
            self.register_buffer("starts", starts[:-1], persistent=False)
            self.embedding = nn.Embedding(int(starts[-1]), max(widths))
            # A column of categories enters with the norm of a column of numbers.
            norms = torch.tensor([width**-0.5 for width in widths])
            norms = norms.repeat_interleave(torch.tensor(sizes))
            with torch.no_grad():
                self.embedding.weight.mul_(norms[:, None])
                self.embedding.weight[torch.cat([starts[:-1], starts[:-1] + 1])] = 0
            # All embeddings are as wide as the widest; these places of them are used.
            places = torch.arange(max(widths)) < torch.tensor(widths)[:, None]
            used = None if places.all() else places.flatten().nonzero()[:, 0]
            self.register_buffer("used", used, persistent=False)

    def prepare(self, batch):
        """Return the batch: tables need nothing before their views.

        One of rows to score may hold "gaps", which tell of every number whether it is
        missing, in place of "missing", which does of columns with gaps in training.
        """
        if self.n_missing and "gaps" in batch:
            return batch | {"missing": batch["gaps"][:, self.missing_columns]}
        return batch

    def example(self, n):
        """An empty batch of n rows."""
        batch = {}
        if self.n_numbers:
            batch["numbers"] = torch.zeros(n, self.n_numbers)
        if self.n_missing:
            batch["missing"] = torch.zeros(n, self.n_missing)
        if self.cardinalities:
            batch["categories"] = torch.zeros(
                n, len(self.cardinalities), dtype=torch.int64
            )
        return batch

    def forward(self, batch):
        """Map a batch to shape (n, width)."""
        parts = [batch[name] for name in ("numbers", "missing") if name in batch]
        if "categories" in batch:
            embedded = self.embedding(batch["categories"] + self.starts).flatten(1)
            if self.used is not None:
                embedded = embedded.index_select(1, self.used)
            parts.append(embedded)
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)

    def columns(self, batch):
        """The table's columns as numbers, categories one-hot: shape (n, n_columns)."""
        parts = [batch[name] for name in ("numbers", "missing") if name in batch]
        if "categories" in batch:
            codes = batch["categories"] + self.starts
            one_hot = codes.new_zeros(len(codes), sum(self.cardinalities)).float()
            parts.append(one_hot.scatter_(1, codes, 1.0))
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)

    def columns_beside(self, batch):
        """The columns that stand beside an embedding: shape (n, n_columns or more).

        Those of `columns`, but a number that is scaled by quantiles comes standardized
        too, each halved in variance: a linear model then has both forms to choose from,
        and the column weighs no more than others.
        """
        columns = self.columns(batch)
        if not self.quantile_columns:
            return columns
        half = 0.5**0.5
        columns = columns.clone()  # it may be a part of the batch
        scores = columns[:, self.quantile_columns]
        columns[:, self.quantile_columns] = half * scores
        standardized = half * self._standardize(scores)
        if self.n_missing:
            standardized *= self.present(batch)[:, self.quantile_columns]
        return torch.cat([columns, standardized], dim=1)

    def _standardize(self, scores):
        """Standardized numbers of normal scores, between the extremes of training."""
        n = self.quantiles.shape[1]
        place = (1 + torch.erf(scores / 2**0.5)) / 2 * (n - 1)
        left = place.floor().clamp(max=n - 2)
        low, high = (self.quantiles.gather(1, (left + i).long().T).T for i in (0, 1))
        # Clipped like other numbers, but last: between two quantiles a line is true.
        return torch.lerp(low, high, place - left).clamp(-10, 10)

    def present(self, batch):
        """Which numbers are not missing: boolean, shape (n, n_numbers)."""
        if "gaps" in batch:
            return batch["gaps"] == 0
        present = torch.ones_like(batch["numbers"], dtype=torch.bool)
        if self.n_missing:
            present[:, self.missing_columns] = batch["missing"] == 0
        return present

    def present_numbers(self, source):
        """The numbers that are not missing, column by column: tensors of shape (n_j,).

        Of rows that are read when they are asked for it takes a column at a time.
        """
        for j in range(self.n_numbers):
            column = source["numbers"][:, j]
            if j in self.missing_columns:
                indicator = source["missing"][:, self.missing_columns.index(j)]
                column = column[indicator == 0]
            yield column

    def changed(self, batch, view):
        """Which cells of a batch its view changed: boolean, shape (n, n_columns).

        Columns of numbers, then of categories, as in `columns_of_output`. A number and
        its being missing are one cell.
        """
        parts = []
        if self.n_numbers:
            numbers = batch["numbers"] != view["numbers"]
            if self.n_missing:
                missing = batch["missing"] != view["missing"]
                numbers[:, self.missing_columns] |= missing
            parts.append(numbers)
        if self.cardinalities:
            parts.append(batch["categories"] != view["categories"])
        return torch.cat(parts, dim=1)

    def change_head(self, n_inputs, hidden):
        """A network from an embedding to what `change_loss` takes: a logit a column."""
        n_columns = len(self.columns_of_output)
        return projection_head(n_inputs, hidden, n_columns, batch_norm=False)

    def change_loss(self, output, batch, view):
        """Mean over columns of the cross-entropy of which cells a view changed."""
        changed = self.changed(batch, view).float()
        return objectives.binary_cross_entropy(output, changed) / changed.shape[1]

    def decoder(self, n_inputs, hidden):
        """A network from an embedding to what `reconstruction_loss` takes."""
        width = self.n_numbers + self.n_missing + sum(self.cardinalities)
        return nn.Sequential(
            nn.Linear(n_inputs, hidden), nn.ReLU(), nn.Linear(hidden, width)
        )

    def reconstruction_loss(self, output, batch):
        """Mean over columns of squared error (numbers) and cross-entropy (the rest)."""
        n_columns = self.n_numbers + self.n_missing + len(self.cardinalities)
        return sum(self._losses(output, batch, "mean")) / n_columns

    def reconstruction_errors(self, output, batch):
        """The same of each cell: of numbers, missing indicators, then categories."""
        return torch.cat(self._losses(output, batch, "none"), dim=1)

    def _losses(self, output, batch, reduction):
        sizes = [self.n_numbers, self.n_missing]
        sizes.append(output.shape[1] - sum(sizes))
        numbers, missing, categories = output.split(sizes, dim=1)
        losses = []
        if self.n_numbers:
            # What stands for a missing number is no value to restore.
            present = self.present(batch)
            target = torch.where(present, batch["numbers"], numbers.detach())
            losses.append(objectives.squared_error(numbers, target, reduction))
        if self.n_missing:
            target = batch["missing"]
            losses.append(objectives.binary_cross_entropy(missing, target, reduction))
        if self.cardinalities:
            losses.append(
                objectives.categorical_cross_entropy(
                    categories, batch["categories"], self.cardinalities, reduction
                )
            )
        return losses

    def token_head(self, n_inputs, n_values):
        """A network from decoded tokens to what `token_loss` takes."""
        from sklearn_ssl.encoders.ft_transformer import ColumnLinear

        width = max(1 + bool(self.n_missing), *self.cardinalities, 0)
        return ColumnLinear(len(self.columns_of_output), n_inputs, width)

    def token_loss(self, output, batch, parts, hidden):
        """Mean error of the hidden cells."""
        return objectives.masked_cells(
            output, batch, hidden, self.missing_columns, self.cardinalities
        )


def _width_by_levels(n_levels):
    """The rule of thumb of fastai's tabular models, found by trial and error."""
    return min(600, round(1.6 * n_levels**0.56))


class ImageInput(nn.Module):
    """Pixels standardized by the statistics of the training images.

    Parameters
    ----------
    shape : tuple of int
        (channels, height, width).
    low, high : float
        Pixel values that stand for 0 and 1.
    mean, std : array-like of shape (channels,)
        Statistics of the pixels once they lie in [0, 1].
    """

    tile = 128
    mask_ratio = 0.75

    def __init__(self, shape, low, high, mean, std):
        super().__init__()
        self.output_shape = tuple(shape)
        self.low = float(low)
        self.span = float(high - low)
        for name, value in (("mean", mean), ("std", std)):
            value = torch.as_tensor(value, dtype=torch.float32).view(1, -1, 1, 1)
            self.register_buffer(name, value, persistent=False)

    def prepare(self, batch):
        """Bring the pixels to float32 in [0, 1], where views work."""
        return {"pixels": (batch["pixels"].float() - self.low) / self.span}

    def example(self, n):
        """A batch of n empty images."""
        return {"pixels": torch.zeros(n, *self.output_shape)}

    def forward(self, batch):
        """Standardize, shape (n, channels, height, width)."""
        return (batch["pixels"] - self.mean) / self.std

    def decoder(self, n_inputs, hidden):
        """A network from an embedding to what `reconstruction_loss` takes."""
        from sklearn_ssl.encoders.decoder import ImageDecoder

        # An eighth: an image has many places, each of which has all the channels.
        return ImageDecoder(n_inputs, self.output_shape, hidden // 8)

    def reconstruction_loss(self, output, batch):
        """Mean over pixels of the squared error of standardized pixels."""
        pixels = self(batch).flatten(1)
        return objectives.squared_error(output.flatten(1), pixels) / pixels.shape[1]

    def reconstruction_errors(self, output, batch):
        """The same of each pixel, in the order of their channels."""
        pixels = self(batch).flatten(1)
        return objectives.squared_error(output.flatten(1), pixels, reduction="none")

    def token_head(self, n_inputs, n_values):
        """A network from decoded tokens to what `token_loss` takes."""
        if n_values < 2:
            raise ValueError(
                "The encoder's patches hold one value each, which normalized by patch "
                "is 0 whatever it was. Pass encoder=ViT(patch_size=2) or more."
            )
        return nn.Linear(n_inputs, n_values)

    def token_loss(self, output, batch, parts, hidden):
        """Mean squared error of the hidden patches."""
        return objectives.masked_patches(output, parts, hidden)
