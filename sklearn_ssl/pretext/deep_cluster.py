"""DeepCluster (Caron et al., 2018)."""

from dataclasses import dataclass
from numbers import Integral

from sklearn_ssl._parameters import check_number, unless_auto
from sklearn_ssl.base import SSLTransformer

# Rows of a cluster, as on ImageNet in the paper, and bounds on the number of clusters.
_ROWS_PER_CLUSTER = 128
_CLUSTER_BOUNDS = 10, 10_000
# Principal components that are clustered.
_MAX_COMPONENTS = 64
# Steps between clusterings at least: in fewer no classifier learns.
_MIN_STEPS = 10
# Share of the training after which clusters and classifier stay: the learning rate is
# then too low for another classifier to learn.
_LAST_CLUSTERING = 0.7


@dataclass(kw_only=True, eq=False, repr=False)
class DeepCluster(SSLTransformer):
    """Cluster the embedding, then learn to tell a row's cluster from a view of it [1]_.

    Before each epoch all rows are embedded, and their whitened principal components are
    clustered by k-means. During the epoch a linear classifier, which begins anew as the
    clusters do, predicts them. Each cluster weighs the same, however many rows it has.

    Parameters
    ----------
    n_clusters : int or "auto", default="auto"
        Number of clusters, at most the number of rows. "auto" is one for 128 rows, but
        10 to 10,000.
    {training_parameters}

    Attributes
    ----------
    n_clusters_ : int
        Number of clusters.
    {fitted_attributes}

    Notes
    -----
    Where the paper draws rows so that all clusters come equally often, here the loss of
    a row is divided by the size of its cluster, which is the same in expectation. In
    the last 30% of the training, whose learning rate is too low for a new classifier,
    and where an epoch has fewer than 10 steps, the clusters stay for further epochs.
    ``score`` takes the last ones: a row belongs to the nearest. The embedding of all
    rows is held in memory, also that of large tables, which themselves are not copied.

    References
    ----------
    .. [1] M. Caron, P. Bojanowski, A. Joulin, M. Douze, "Deep Clustering for
       Unsupervised Learning of Visual Features", ECCV 2018.
       https://arxiv.org/abs/1807.05520

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_ssl import DeepCluster
    >>> X, y = load_digits(return_X_y=True)
    >>> images = X.reshape(-1, 8, 8)[:500]
    >>> deep = DeepCluster(modality="image", max_epochs=1, random_state=0).fit(images)
    >>> deep.transform(images).shape
    (500, 512)
    >>> deep.n_clusters_
    10
    """

    n_clusters: int | str = "auto"

    def _check_parameters(self):
        super()._check_parameters()
        check_number("n_clusters", self.n_clusters, Integral, 1, words=("auto",))

    def _build_task(self, task):
        from torch import nn, tensor

        from sklearn_ssl.pretext.clusters import Clusters

        low, high = _CLUSTER_BOUNDS
        auto = min(max(task.n_rows // _ROWS_PER_CLUSTER, low), high)
        n_clusters = min(unless_auto(self.n_clusters, auto), task.n_rows)
        task.adapted["n_clusters"] = n_clusters
        task.clusters = Clusters(task.n_outputs, _MAX_COMPONENTS, n_clusters)
        task.head = nn.Linear(task.n_outputs, n_clusters)
        # Since the clusters were made: as a buffer, a failed fit takes it back.
        task.register_buffer("n_steps", tensor(0))

    def _begin_fit(self, task):
        # Here, since `score` needs clusters even after no epoch.
        if task.n_steps == 0 or task.n_steps >= _MIN_STEPS:
            self._cluster(task)
        else:  # `partial_fit` with few batches: other rows, the same clusters
            self._label(task)

    def _begin_epoch(self, task):
        if task.n_steps >= _MIN_STEPS and task.progress <= _LAST_CLUSTERING:
            self._cluster(task)

    def _after_step(self, task):
        task.n_steps += 1

    def _label(self, task):
        from sklearn_ssl.pretext.clusters import embed_all

        task.labels = task.clusters(embed_all(task))

    def _cluster(self, task):
        from torch import no_grad

        from sklearn_ssl.pretext.clusters import embed_all

        task.labels = task.clusters.fit(embed_all(task), task.generator)
        with no_grad():
            task.head.weight.normal_(0, 0.01, generator=task.generator)
            task.head.bias.zero_()
        task.restarted += task.head.parameters()
        task.n_steps.zero_()

    def _loss(self, task, batch):
        from torch import no_grad
        from torch.nn.functional import cross_entropy

        if task.training:
            labels = task.labels[task.rows.to(task.labels.device)]
        else:
            with no_grad():
                labels = task.clusters(task.embed(batch))
        logits = task.head(task.embed(task.view(batch)))
        losses = cross_entropy(logits, labels, reduction="none")
        return (losses * task.clusters.weights[labels]).mean()
