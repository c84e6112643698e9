"""What a study is: its fields, its factors, its arms. Nothing that runs."""

from bench.study.fields import Study
from bench.study.reading import load, shipped
from bench.study.sequential import Sequential
from bench.study.validation import validate

__all__ = ["Sequential", "Study", "load", "shipped", "validate"]
