"""What a study is: its fields, its factors, its arms. Nothing that runs."""

from bench.study.fields import Sequential, Study, validate
from bench.study.reading import load, shipped

__all__ = ["Sequential", "Study", "load", "shipped", "validate"]
