"""Decimal numbers are whole multiples of a power of ten, and are restored as such exactly."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.statistics import decimals


def exactly(texts: list[str]) -> tuple[np.ndarray, int]:
    values = np.array([float(text) for text in texts])
    places = decimals.places(values)
    assert places is not None
    whole, exact = decimals.multiples_of(values, places)
    assert exact.all()
    return whole, places


def test_four_digit_accuracies():
    whole, places = exactly(["0.9027", "0.9002", "0.4912", "0.4887", "1", "0"])
    assert places == 4
    assert whole.tolist() == [9027, 9002, 4912, 4887, 10000, 0]
    assert whole[0] - whole[1] == whole[2] - whole[3]  # as floats they are unlike
    assert 0.9027 - 0.9002 != 0.4912 - 0.4887


@given(
    st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=20),
    st.integers(0, 6),
)
def test_equals_fractions_of_the_text(wholes, digits):
    texts = [f"{w / 10**digits:.{digits}f}" for w in wholes]
    whole, places = exactly(texts)
    assert places <= digits
    for text, found in zip(texts, whole.tolist(), strict=True):
        assert Fraction(text) == Fraction(found, 10**places)
    back = decimals.in_unit(whole, float(f"1e-{places}"))
    assert back.tolist() == [float(text) for text in texts]


@pytest.mark.parametrize("values", [[1 / 3, 2 / 3], [13 / 22, 12 / 22], [2**0.5]])
def test_what_is_no_decimal_of_15_digits_is_said_to_be_none(values):
    assert decimals.places(np.array(values)) is None


def test_a_value_too_large_for_the_step_spoils_no_other():
    values = np.array([0.9027, 1e30, 0.9002])
    places = decimals.places(values)
    assert places == 4
    whole, exact = decimals.multiples_of(values, places)
    assert exact.tolist() == [True, False, True]
    assert whole.tolist() == [9027, 0, 9002]


def test_what_is_missing_is_not_exact():
    _, exact = decimals.multiples_of(np.array([0.5, np.nan]), 1)
    assert exact.tolist() == [True, False]
