import pandas as pd
import pytest

from sklearn_ssl.modalities.tabular import Tabular


def test_gaps_do_not_excuse_what_is_of_another_kind():
    modality = Tabular().fit(pd.DataFrame({"since": [1.0, 2.0]}))
    dates = pd.DataFrame({"since": pd.to_datetime(["2020-01-01", None])})
    with pytest.raises(ValueError, match="held numbers in fit, but holds dates now"):
        modality.to_arrays(dates)
