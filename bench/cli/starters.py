"""What `new` writes: a file of each kind, which runs as it is.

NAME stands for the path, STEM for its last part without the ending.
"""

NETWORK = '''"""STEM: a network of my own on handwritten digits

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

PIPELINE = '''"""STEM: a whole pipeline of my own, here nearest centroids of handwritten digits

ptq-vs-qat check NAME    runs one seed: are the arms reproducible and what do they return?
ptq-vs-qat plan NAME     what would run, what it can detect
ptq-vs-qat run NAME      runs it and writes results/STEM/report.html
"""

import numpy as np
from sklearn.datasets import load_digits

# Any field of a study (docs/your-own-study.md); `bits` is a parameter of an arm below: each of
# its levels runs.
study = dict(seeds=10, bits=[1, 2])

# By default: of arms called float, ptq, qat and the like the usual contrasts, else every pair.
# contrasts = ["ptq - float"]

# Files beside this one that it reads where it runs.
# files = ["weights.pt"]

x, y = load_digits(return_X_y=True)
x_train, y_train, x_test, y_test = x[:1000], y[:1000], x[1000:], y[1000:]


def labels():
    """The classes of the test examples, integers from 0 or text. Leave it out if your arms return
    metrics; data() in its place also gives inputs, on which a .tflite is evaluated."""
    return y_test


def start(seed, budget):
    """What all arms of a seed start from, such as a trained float network: each gets a copy."""
    drawn = np.random.default_rng(seed).permutation(len(x_train))[: 100 * budget]
    return np.stack([x_train[drawn][y_train[drawn] == c].mean(axis=0) for c in range(10)])


def arm_float(centers):
    """An arm returns classes (n,), scores (n, classes), a .tflite (bytes or path), or a dict of
    metrics such as {"accuracy": 0.9}."""
    return -((x_test[:, None] - centers) ** 2).sum(axis=2)


def arm_ptq(centers, bits=4):
    """Beside what start returned it may ask for seed, budget, extra (epochs more: then the arm runs
    for each of them), factors of the study, and parameters of its own with a default."""
    step = 16 / 2**bits
    return arm_float(np.round(centers / step) * step)
'''

COMMAND = '''"""STEM: a program of my own, in whatever language, run once for each seed and arm

ptq-vs-qat check NAME    runs each arm twice: is it reproducible, and what does it leave?
ptq-vs-qat run NAME      runs it and writes results/STEM/report.html
"""

from sklearn.datasets import load_digits

# No shell reads it. In braces: seed, budget, extra, arm, out, python (this environment's), and
# fields that `study` sets. Files that it names travel; list others in files = [...].
command = "{python} STEM_program.py {seed} {arm} {out}"
arms = ["float", "ptq"]

study = dict(seeds=10)


def labels():
    """Classes of the test examples; leave it out if the program leaves metrics.json."""
    return load_digits().target[1000:]
'''

PROGRAM = '''"""The program: it leaves predictions.npy, scores.npy, model.tflite or
metrics.json in the folder that it is given. Its exit code decides; what it prints is kept."""

import sys

import numpy as np
from sklearn.datasets import load_digits

seed, arm, out = sys.argv[1:]
x, y = load_digits(return_X_y=True)
drawn = np.random.default_rng(int(seed)).permutation(1000)[:200]
centers = np.stack([x[drawn][y[drawn] == c].mean(axis=0) for c in range(10)])
if arm == "ptq":
    centers = np.round(centers / 4) * 4
np.save(f"{out}/scores.npy", -((x[1000:, None] - centers) ** 2).sum(axis=2))
print(f"{arm} of seed {seed}: {len(drawn)} examples")
'''
