"""Corruption of tables."""

import torch


def corrupt(batch, source, generator, rate, exact, missing_columns=(), donors="cell"):
    """Replace random cells by the same column's cell of random rows of `source`.

    Parameters
    ----------
    batch, source : dict of tensors
        ``numbers`` (n, p), ``missing`` (n, m), ``categories`` (n, c), each optional.
    generator : torch.Generator
    rate : float
        Share of cells to replace.
    exact : bool
        The same number of cells in each row, or a chance for each cell.
    missing_columns : sequence of int
        The number column that each column of ``missing`` speaks of.
    donors : {"cell", "row"}
        A random row for each cell, or for all cells of a row.

    Returns
    -------
    corrupted : dict of tensors
    """
    names = [name for name in ("numbers", "categories") if name in batch]
    widths = [batch[name].shape[1] for name in names]
    first = batch[names[0]]
    make_mask = exact_mask if exact else bernoulli_mask
    mask = make_mask(len(first), sum(widths), rate, generator, first.device)
    n_source = len(source[names[0]])
    shape = mask.shape if donors == "cell" else (len(first), 1)
    rows = torch.randint(n_source, shape, generator=generator, device=first.device)
    rows = rows.expand_as(mask)
    corrupted = dict(batch)
    for name, m, d in zip(
        names, mask.split(widths, dim=1), rows.split(widths, dim=1), strict=True
    ):
        corrupted[name] = _borrow(batch[name], source[name], m, d)
        if name == "numbers" and "missing" in batch:
            m, d = m[:, missing_columns], d[:, missing_columns]
            corrupted["missing"] = _borrow(batch["missing"], source["missing"], m, d)
    return corrupted


def exact_mask(n, width, rate, generator, device):
    """Boolean (n, width): ``floor(rate * width)``, at least one, true in each row."""
    k = max(int(rate * width + 1e-9), 1)
    order = torch.rand(n, width, generator=generator, device=device)
    chosen = order.topk(k, dim=1, sorted=False).indices
    mask = torch.zeros(n, width, dtype=torch.bool, device=device)
    return mask.scatter_(1, chosen, True)


def bernoulli_mask(n, width, rate, generator, device):
    """Boolean (n, width): each true with probability `rate`."""
    return torch.rand(n, width, generator=generator, device=device) < rate


def _borrow(cells, source, mask, donors):
    """Cells of which those in the mask are replaced, by those of other rows."""
    n_columns = source.shape[1]
    places = donors * n_columns + torch.arange(n_columns, device=donors.device)
    # The source may have stayed in the CPU's memory while the batch is on the GPU.
    places = places.flatten().to(source.device)
    # Of as many random places index_select reads in half the time of gather.
    borrowed = source.flatten().index_select(0, places).view(cells.shape)
    return torch.where(mask, borrowed.to(cells.device), cells)
