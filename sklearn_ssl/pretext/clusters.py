"""Clusters of an embedding: PCA whitening and k-means, on the device.

Those of scikit-learn would move the rows off a GPU, limit the threads of the whole
process while they run, and add up in an order that more than two threads make random.
"""

import torch
from torch import nn
from torch.nn import functional as F

from sklearn_ssl._arrays import count_rows

# Rows that are compared with all centroids at once.
_CHUNK = 8192


class Clusters(nn.Module):
    """Whitens an embedding, scales its rows to unit length and clusters them.

    Parameters
    ----------
    n_inputs : int
        Width of the embedding.
    n_components : int
        Principal components to cluster, at most.
    n_clusters : int
    """

    def __init__(self, n_inputs, n_components, n_clusters):
        super().__init__()
        n_components = min(n_components, n_inputs)
        self.register_buffer("center", torch.zeros(n_inputs))
        self.register_buffer("projection", torch.zeros(n_inputs, n_components))
        self.register_buffer("centroids", torch.zeros(n_clusters, n_components))
        # By which all clusters that have rows count equally; 0 before the first fit.
        self.register_buffer("weights", torch.zeros(n_clusters))

    @torch.no_grad()
    def fit(self, z, generator):
        """Cluster an embedding (n, n_inputs); return the clusters of its rows."""
        center, projection = whitening(z, self.projection.shape[1])
        self.center.copy_(center)
        self.projection.copy_(projection)
        n_clusters = len(self.centroids)
        self.centroids.copy_(kmeans(self._points(z), n_clusters, generator))
        labels = self(z)
        sizes = labels.bincount(minlength=n_clusters)
        n_occupied = (sizes > 0).sum()
        weights = len(labels) / (n_occupied * sizes.clamp(min=1))
        self.weights.copy_(weights * (sizes > 0))
        return labels

    def forward(self, z):
        """The cluster of each row, int64 of shape (n,)."""
        return nearest(self._points(z), self.centroids)

    def _points(self, z):
        return F.normalize((z - self.center) @ self.projection, dim=1)


def whitening(points, n_components):
    """The mean, and a projection to uncorrelated components of variance 1.

    Parameters
    ----------
    points : tensor of shape (n, d)
    n_components : int
        The components of largest variance are kept. Directions without any variance
        become 0.

    Returns
    -------
    center : tensor of shape (d,)
    projection : tensor of shape (d, n_components)
    """
    center = points.mean(dim=0)
    covariance = (points - center).T @ (points - center) / len(points)
    # In float64, which not every device has, for the sake of small eigenvalues.
    values, vectors = torch.linalg.eigh(covariance.cpu().double())
    values, vectors = values[-n_components:], vectors[:, -n_components:]
    scale = values.clamp(min=values[-1] * 1e-6).rsqrt()
    scale = torch.where(values > values[-1] * 1e-6, scale, 0.0)
    return center, (vectors * scale).to(points)


def kmeans(points, n_clusters, generator, n_iterations=20):
    """Centroids of clusters by Lloyd's algorithm, from random rows on.

    A cluster that becomes empty begins anew at a random row.

    Parameters
    ----------
    points : tensor of shape (n, d)
    n_clusters : int
        With fewer distinct rows than that some clusters stay empty.
    generator : torch.Generator
    n_iterations : int

    Returns
    -------
    centroids : tensor of shape (n_clusters, d)
    """
    n = len(points)
    device = points.device
    rows = torch.randperm(n, generator=generator, device=device)
    centroids = points[rows.repeat(-(-n_clusters // n))[:n_clusters]]
    for _ in range(n_iterations):
        sums, sizes = torch.zeros_like(centroids), centroids.new_zeros(n_clusters)
        for part in points.split(max(_CHUNK * 64 // n_clusters, 1)):
            # A product, since adding by index is not repeatable on a GPU.
            members = F.one_hot(nearest(part, centroids), n_clusters).to(part)
            sums += members.T @ part
            sizes += members.sum(dim=0)
        rows = torch.randint(n, (n_clusters,), generator=generator, device=device)
        means = sums / sizes.clamp(min=1)[:, None]
        centroids = torch.where((sizes > 0)[:, None], means, points[rows])
    return centroids


def nearest(points, centroids):
    """The number of each point's nearest centroid: int64 of shape (n,)."""
    lengths = centroids.square().sum(dim=1) / 2
    parts = points.split(_CHUNK)
    return torch.cat([(part @ centroids.T - lengths).argmax(dim=1) for part in parts])


@torch.no_grad()
def embed_all(task):
    """The embedding of all rows, in evaluation mode, on the task's device."""
    training, tile = task.training, task.tile
    task.eval()
    parts = []
    for start in range(0, count_rows(task.source), tile):
        batch = {
            name: rows[start : start + tile].to(task.shift.device)
            for name, rows in task.source.items()
        }
        parts.append(task.embed(task.inputs.prepare(batch)))
    task.train(training)
    return torch.cat(parts)
