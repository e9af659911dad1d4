"""Rows that are much alike, for methods to which one is a view of the other."""

import torch

_TILE = 1024
# Among these the search looks: with more it would take longer than the training.
_MAX_CANDIDATES = 4096


def nearest_rows(task, n_neighbors):
    """Find the rows nearest to each row of ``task.source``, by a table's columns.

    Parameters
    ----------
    task : Task
        Its input layer says what the columns are.
    n_neighbors : int
        Of as many rows or fewer, all others are neighbours.

    Returns
    -------
    neighbors : int32 tensor of shape (n_rows, n_neighbors)
        On the device of the source, nearest first; never the row itself. They are
        among 4096 rows, evenly spaced, of more.
    """
    n_rows = len(next(iter(task.source.values())))
    n_candidates = min(n_rows, _MAX_CANDIDATES)
    candidates = torch.linspace(0, n_rows - 1, n_candidates, dtype=torch.float64).long()
    others = _columns(task, candidates)
    candidates = candidates.to(others.device)
    k = min(n_neighbors, n_candidates - 1)
    found = []
    for rows in torch.arange(n_rows).split(_TILE):
        distance = torch.cdist(_columns(task, rows), others)
        itself = rows.to(others.device)[:, None] == candidates
        distance.masked_fill_(itself, torch.inf)
        found.append(candidates[distance.topk(k, largest=False).indices].int())
    return torch.cat(found).to(next(iter(task.source.values())).device)


def with_neighbors(task, batch, rate):
    """The batch; in training, neighbours stand for some of its rows by chance.

    Parameters
    ----------
    task : Task
        Without ``task.neighbors`` the batch stays as it is.
    batch : dict of tensors
        The rows numbered ``task.rows``.
    rate : float
        The chance of each row.

    Returns
    -------
    batch : dict of tensors
    """
    if task.neighbors is None or not task.training:
        return batch
    own, generator = task.rows, task.generator
    shape = {"generator": generator, "device": generator.device}
    draws = torch.randint(task.neighbors.shape[1], (len(own), 1), **shape)
    replaced = (torch.rand(len(own), **shape) < rate).to(own.device)
    others = task.neighbors[own].gather(1, draws.to(own.device))[:, 0].long()
    return _rows(task, torch.where(replaced, others, own))


def _columns(task, rows):
    with torch.no_grad():
        return task.inputs.columns(_rows(task, rows))


def _rows(task, rows):
    """Rows of the source, wherever that is held, on the device of the task."""
    batch = {}
    for name, all_rows in task.source.items():
        batch[name] = all_rows[rows.to(all_rows.device)].to(task.shift.device)
    return task.inputs.prepare(batch)
