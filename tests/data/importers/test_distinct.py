"""Values that stand in runs, or come again in one order, are told apart as any others."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import example, given
from hypothesis import strategies as st

from stepwatt.data.tables.table import distinct


@given(
    values=st.lists(st.sampled_from(["a", "b", "c", "", None]), min_size=1, max_size=6),
    runs=st.integers(1, 4),
    times=st.integers(1, 4),
    more=st.lists(st.sampled_from("ab"), max_size=3),
)
@example(values=["a", "b"], runs=1, times=3, more=[])
@example(values=["a", "b"], runs=3, times=2, more=[])
def test_distinct_values_are_those_of_pandas(
    values: list[str | None], runs: int, times: int, more: list[str]
) -> None:
    column = pd.Series(
        [*np.repeat(np.array(values, dtype=object), runs).tolist() * times, *more], dtype=object
    )
    codes, found = distinct(column)
    expected, names = pd.factorize(column.to_numpy(dtype=object), use_na_sentinel=False)
    assert codes.tolist() == expected.tolist()
    assert pd.Index(found).equals(pd.Index(names))
