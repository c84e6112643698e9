"""A folder of Parquet as on the Hugging Face hub: train and test, images and labels."""

from bench.datasets import Source
from bench.datasets.reading.examples import source
from bench.datasets.reading.images import Images

EXAMPLE = "./images (Parquet)"
COLUMNS = ("image", "img", "images")


def recognize(name: str, where: str) -> Source | None:
    """A Parquet file, or a folder of such, with a column of images."""
    return source(name, where, COLUMNS, Images())
