"""Copies of the package with models of a test's own: today a model is a file of the package."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]

HEADER = '''"""{name}."""


def build(shape, classes):
    import tf_keras as k
    L = k.layers
'''


def with_models(folder: Path, bodies: Mapping[str, str]) -> dict[str, Any]:
    """Copy the package into `folder`, with a model file for each body of `build(shape, classes)`,
    which sees tf_keras as k and its layers as L. Returns options of subprocess.run with which
    that package is imported."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "bench", folder / "bench", ignore=ignored)
    for name, body in bodies.items():
        lines = "\n".join(f"    {line}" if line else "" for line in body.strip().splitlines())
        text = HEADER.format(name=name) + lines + "\n"
        (folder / "bench" / "models" / f"{name}.py").write_text(text)
    return {"cwd": folder, "env": os.environ | {"PYTHONPATH": str(folder)}}
