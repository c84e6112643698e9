"""Cells -> rows on Ray: the only part that knows it."""

from bench.runner.driver import run

__all__ = ["run"]
