"""Quality of an embedding, without labels and with them.

Which of them put an encoder that has collapsed to a point below others, and a trained
one above the same one untrained?

=================  ===================  ===================
scorer             collapsed is last    trained > untrained
=================  ===================  ===================
`embedding_std`    yes                  yes
`uniformity`       yes                  yes
`knn` (labels)     yes                  mostly
`effective_rank`   yes                  not always
`lidar`            exact collapse only  not always
`clid`             exact collapse only  not always
`alpha_req`        exact collapse only  not always
`alignment`        no, it is first      not always
=================  ===================  ===================

Noise around the point is a collapse as bad, but to "exact collapse only" it looks as
healthy as a good embedding, since they ignore its scale: look at `embedding_std` first.
A network with random weights spreads rows over many directions, so that measures of the
spectrum may prefer it to a trained one. `benchmarks/label_free_metrics.py` measures how
well each predicts a linear classifier, among settings of one method and among methods.

`column_importance` and `reconstruction_r2` say which columns of a table an embedding
listens to, and which can be restored from it.
"""

from sklearn_ssl.metrics.columns import column_importance, reconstruction_r2
from sklearn_ssl.metrics.geometry import alignment, embedding_std, uniformity
from sklearn_ssl.metrics.neighbors import (
    clid,
    cluster_learnability,
    intrinsic_dimension,
    knn_score,
)
from sklearn_ssl.metrics.scorers import (
    alignment_scorer,
    alpha_req_scorer,
    clid_scorer,
    effective_rank_scorer,
    embedding_std_scorer,
    knn_scorer,
    lidar_scorer,
    make_embedding_scorer,
    uniformity_scorer,
)
from sklearn_ssl.metrics.spectrum import alpha_req, effective_rank, lidar

__all__ = [
    "alignment",
    "alignment_scorer",
    "alpha_req",
    "alpha_req_scorer",
    "clid",
    "clid_scorer",
    "cluster_learnability",
    "column_importance",
    "effective_rank",
    "effective_rank_scorer",
    "embedding_std",
    "embedding_std_scorer",
    "intrinsic_dimension",
    "knn_score",
    "knn_scorer",
    "lidar",
    "lidar_scorer",
    "make_embedding_scorer",
    "reconstruction_r2",
    "uniformity",
    "uniformity_scorer",
]
