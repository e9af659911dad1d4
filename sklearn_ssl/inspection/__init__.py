"""Displays: what pretraining did, what the views do, what the embedding holds."""

from sklearn_ssl.inspection.anomalies import AnomaliesDisplay
from sklearn_ssl.inspection.column_importance import ColumnImportanceDisplay
from sklearn_ssl.inspection.embedding import EmbeddingDisplay
from sklearn_ssl.inspection.label_efficiency import LabelEfficiencyDisplay
from sklearn_ssl.inspection.neighbors import NeighborsDisplay
from sklearn_ssl.inspection.pretraining import PretrainingDisplay
from sklearn_ssl.inspection.reconstruction import ReconstructionDisplay
from sklearn_ssl.inspection.representations import RepresentationDisplay
from sklearn_ssl.inspection.views import ViewsDisplay

__all__ = [
    "AnomaliesDisplay",
    "ColumnImportanceDisplay",
    "EmbeddingDisplay",
    "LabelEfficiencyDisplay",
    "NeighborsDisplay",
    "PretrainingDisplay",
    "ReconstructionDisplay",
    "RepresentationDisplay",
    "ViewsDisplay",
]
