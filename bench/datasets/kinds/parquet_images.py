"""A folder of Parquet as on the Hugging Face hub: train and test, images and labels."""

from bench.datasets import Source
from bench.datasets.reading.examples import source
from bench.datasets.reading.images import Images
from bench.datasets.reading.options import DEFAULT, Options

EXAMPLE = "./images (Parquet)"
COLUMNS = ("image", "img", "images")


def recognize(name: str, where: str, options: Options = DEFAULT) -> Source | None:
    """A Parquet file, or a folder of such, with a column of images."""
    images = Images(options.resize)
    return source(name, where, COLUMNS, images, options, version=images.version)
