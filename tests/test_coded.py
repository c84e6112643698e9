"""Codes of a table's columns: by counting where they are dense, by sorting where they are not."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis import coded


@given(
    codes=st.lists(st.integers(0, 30), min_size=1, max_size=40),
    stretch=st.sampled_from([1, 1000]),  # of which the second is sparse
)
def test_codes_are_those_of_sorting(codes, stretch):
    codes = stretch * np.array(codes)
    values, first, place = np.unique(codes, return_index=True, return_inverse=True)
    assert coded.distinct(codes).tolist() == values.tolist()
    assert coded.numbered(codes).tolist() == place.tolist()
    assert coded.firsts(place).tolist() == first.tolist()
    once = codes[np.sort(first)]
    assert once[coded.sorted_by(once)].tolist() == values.tolist()


@given(st.lists(st.sampled_from([0.0, -0.0, 0.5, 1e300, float("nan"), None]), min_size=1))
def test_missing_and_no_number_are_one_code_and_signs_of_zero_too(values):
    codes = coded.codes_of_numbers(pa.chunked_array([pa.array(values, pa.float64())]))
    same = [None if v is None or v != v else v + 0.0 for v in values]
    order = list(dict.fromkeys(same))
    assert codes.tolist() == [order.index(v) for v in same]
