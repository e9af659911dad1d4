from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from sklearn_ssl.modalities.tabular import Tabular


def test_gaps_do_not_excuse_what_is_of_another_kind():
    modality = Tabular().fit(pd.DataFrame({"since": [1.0, 2.0]}))
    dates = pd.DataFrame({"since": pd.to_datetime(["2020-01-01", None])})
    with pytest.raises(ValueError, match="held numbers in fit, but holds dates now"):
        modality.to_arrays(dates)


def test_rows_as_tuples():
    """As databases return them; numpy would make all cells text."""
    rows = [("a" if i % 2 else "b", float(i), None) for i in range(20)]
    expected = Tabular().fit(rows)
    table = Tabular().fit(tuple(rows))
    assert table.number_columns_ == expected.number_columns_ == [1, 2]
    for name, array in table.to_arrays(tuple(rows)).items():
        assert_array_equal(array, expected.to_arrays(rows)[name])


def test_numbers_beyond_floats():
    column = np.array([10**400, 1, 2], dtype=object)[:, None]
    for X in column, -column:
        with pytest.raises(ValueError, match=r"infinity.*Row 0 of column 0"):
            Tabular().fit(X)
    levels = np.array(["a", Decimal("1E+30"), 10**20, Decimal("1.5"), np.inf, True])
    (found,) = Tabular().fit(levels.astype(object)[:, None]).categories_
    assert found == sorted(["a", str(10**30), str(10**20), "1.5", "inf", "1"])
