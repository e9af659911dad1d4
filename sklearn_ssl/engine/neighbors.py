"""Rows that are much alike, for methods to which one is a view of the other."""

import torch

# Bounds on the rows among which the search looks, so that it stays short beside the
# training and small beside the table: rows, distances from all rows, and cells.
_MAX_CANDIDATES, _MAX_DISTANCES, _MAX_CELLS = 4096, 2**26, 2**24
_ENOUGH_CANDIDATES = 1024


class Neighbors:
    """The rows nearest to each row that is trained on, by the columns of a table.

    They are looked for when a row is first asked about, so that the search ends with a
    training that ends early.

    Parameters
    ----------
    task : Task
        As it is in ``_begin_fit``: its rows are those to be trained on.
    n_neighbors : int
        For each row, but at most half of the others: were all rows neighbours, nothing
        could be told apart.

    Attributes
    ----------
    n_neighbors : int
        For each row; may be 0.
    candidates : int64 tensor
        The rows that can be neighbours: all, or evenly spaced ones of many.
    batch : dict of tensors
        These rows.
    """

    def __init__(self, task, n_neighbors):
        first = next(iter(task.source.values()))
        trained_on = task.rows.to(first.device)
        n_rows = len(trained_on)
        width = task.inputs.columns(_rows(task, trained_on[:1])).shape[1]
        n_candidates = min(
            *(n_rows, _MAX_CANDIDATES, _MAX_CELLS // width),
            max(_MAX_DISTANCES // n_rows, _ENOUGH_CANDIDATES),
        )
        places = torch.linspace(0, n_rows - 1, n_candidates, dtype=torch.float64).long()
        self.candidates = trained_on[places.to(trained_on.device)]
        self.batch = _rows(task, self.candidates)
        self.columns = task.inputs.columns(self.batch)
        # Row i has the places i, i + 1, ... of the candidates, then those before it.
        twice = torch.arange(n_candidates, device=first.device).repeat(2)
        self.orders = twice.unfold(0, n_candidates, 1)
        self.n_neighbors = min(n_neighbors, max(n_candidates - 1, 0) // 2)
        shape = len(first), self.n_neighbors
        self.found = torch.full(shape, -1, dtype=torch.int32, device=first.device)
        self.n_unknown = n_rows if self.n_neighbors else 0

    @torch.no_grad()
    def of(self, rows, columns):
        """The nearest other rows of some rows, nearest first.

        Parameters
        ----------
        rows : int64 tensor of shape (n,)
        columns : tensor of shape (n, n_columns)
            Their cells, as numbers.

        Returns
        -------
        neighbors : int64 tensor of shape (n, n_neighbors)
            Their places among the candidates.
        """
        if self.n_unknown:
            unknown = (self.found[rows, 0] < 0).nonzero()[:, 0]
            if len(unknown):
                columns = columns[unknown.to(columns.device)]
                self.found[rows[unknown]] = self._search(rows[unknown], columns).int()
                self.n_unknown -= len(unknown)
        return self.found[rows].long()

    def _search(self, rows, columns):
        distance = torch.cdist(columns, self.columns).to(rows.device)
        # Among two more are the row itself, if it is a candidate, and what tells a tie.
        nearest = distance.topk(self.n_neighbors + 2, largest=False)
        is_itself = self.candidates[nearest.indices] == rows[:, None]
        itself_last = is_itself.int().argsort(dim=1, stable=True)
        found = nearest.indices.gather(1, itself_last[:, : self.n_neighbors])
        tied = (nearest.values[:, 1:] == nearest.values[:, :-1]).any(dim=1)
        if tied.any():
            found[tied] = self._search_ties(rows[tied], distance[tied])
        return found

    def _search_ties(self, rows, distance):
        """Of equally near rows each prefers others, lest a few be all rows' nearest."""
        distance.masked_fill_(rows[:, None] == self.candidates, torch.inf)
        order = self.orders[rows % len(self.candidates)]
        nearest = distance.gather(1, order).topk(self.n_neighbors, largest=False)
        return order.gather(1, nearest.indices)


def with_neighbors(task, batch, rate=0.5):
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
    neighbors, rows = task.neighbors, task.rows
    if neighbors is None or not neighbors.n_neighbors or not task.training:
        return batch
    draws = {"generator": task.generator, "device": task.generator.device}
    chosen = torch.randint(neighbors.n_neighbors, (len(rows), 1), **draws)
    replaced = (torch.rand(len(rows), **draws) < rate).nonzero()[:, 0]
    columns = task.inputs.columns(batch)[replaced]
    near = neighbors.of(rows[replaced.to(rows.device)], columns).to(replaced.device)
    near = near.gather(1, chosen[replaced])[:, 0]
    return {
        name: cells.index_copy(0, replaced, neighbors.batch[name][near])
        for name, cells in batch.items()
    }


def _rows(task, rows):
    """Rows of the source, wherever that is held, on the device of the task."""
    batch = {}
    for name, all_rows in task.source.items():
        batch[name] = all_rows[rows.to(all_rows.device)].to(task.shift.device)
    return task.inputs.prepare(batch)
