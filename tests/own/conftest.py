"""Files of a user's own: what the tests of them write."""

from itertools import count

import pytest

_numbers = count()

MODEL = """
def model(shape, classes):
    import tf_keras
    return tf_keras.Sequential([tf_keras.layers.Input(shape), tf_keras.layers.Flatten(),
                                tf_keras.layers.Dense(classes)])
"""

DATA = """
import numpy as np

def data():
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (300, 4, 4, 1), dtype=np.uint8), np.arange(300) % 3
    return (x[:250], y[:250]), (x[250:], y[250:])
"""


def fresh():
    """A file's name that no test before had: modules and data are kept by their names."""
    return f"own{next(_numbers)}.py"


@pytest.fixture
def written(tmp_path):
    """Writes a file and gives its path; each has a name of its own, as in a process of a user's."""

    def write(text, name=None):
        path = tmp_path / (name or fresh())
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return str(path)

    return write


def returning(expression):
    """A file whose data() returns this; x and y are whole arrays of 20 examples, three classes."""
    return (
        "import numpy as np\nx = np.zeros((20, 4, 4, 1), np.uint8)\ny = np.arange(20) % 3\n"
        f"def data():\n    return {expression}\n"
    )
