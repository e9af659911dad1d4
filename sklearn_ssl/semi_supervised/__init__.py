"""What labels are for: step two on pretrained features, and choosing these."""

from sklearn_ssl.semi_supervised.auto import AutoSSL
from sklearn_ssl.semi_supervised.classifier import SSLClassifier
from sklearn_ssl.semi_supervised.fine_tuning import FineTuning
from sklearn_ssl.semi_supervised.regressor import SSLRegressor

__all__ = ["AutoSSL", "FineTuning", "SSLClassifier", "SSLRegressor"]
