"""`new`: a file to put a network and data of one's own into."""

from pathlib import Path
from typing import Annotated

import typer

from bench.console import visible
from bench.errors import InputError

EXAMPLES = ("ptq-vs-qat new mine.py",)

TEMPLATE = '''"""STEM: a network of my own on handwritten digits

ptq-vs-qat check NAME    under a minute: does all of it fit together?
ptq-vs-qat plan NAME     what would run, how long it takes, what it can detect
ptq-vs-qat run NAME      runs it and writes results/STEM/report.html
"""

import tf_keras  # Keras 2: TFMOT, by which QAT is done, knows no other

# Any field of a study (docs/your-own-study.md); each combination of what stands in lists is run.
study = dict(seeds=10, budgets=[1, 4], extra=[1], train_examples="all")

# Files beside this one that model() reads; what data() reads need not stand here.
# files = ["weights.h5"]

# Without data() the network is trained on scikit-learn's digits (8x8 pixels, ten classes), so that
# this file runs as it is. For data of your own take the # signs away. Inputs in uint8 are divided
# by 255, floats are taken as they are; labels are integers from 0, or text.
# def data():
#     import numpy as np
#
#     d = np.load("STEM.npz")  # relative to this file
#     return (d["x_train"], d["y_train"]), (d["x_test"], d["y_test"])


# Beside these there may be inputs(x), augment(x, y, rng), optimizer(learning_rate),
# annotate(model) and representative(): docs/your-own-study.md says what each of them is given.


def model(shape, classes):
    """A new network for inputs of this shape that ends in logits: no softmax at the end."""
    layers = tf_keras.layers
    return tf_keras.Sequential(
        [
            layers.Input(shape),
            layers.Conv2D(8, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(classes),
        ]
    )
'''


def new(
    file: Annotated[Path, typer.Argument(metavar="FILE.py", help="Where to write it.")],
) -> None:
    """Write a commented file to put a network and data of your own into. It runs as it is."""
    if file.suffix != ".py" or not file.stem.isidentifier():
        raise InputError("FILE.py", f"found {str(file)!r}", "allowed: a name such as mine.py")
    text = TEMPLATE.replace("STEM", file.stem).replace("NAME", str(file))
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        raise InputError(
            "FILE.py", f"{str(file)!r} is there already", "allowed: a new file"
        ) from None
    except OSError as error:
        raise InputError(
            "FILE.py", f"cannot write {str(file)!r} ({error.strerror})", "allowed: a new file"
        ) from None
    typer.echo(f"{visible(str(file))} is written; next: ptq-vs-qat check {file}")
