"""In a fresh process: what each part brings along. import-linter reads code, this runs it."""

import subprocess
import sys

import pytest

HEAVY = (
    "tensorflow",
    "tf_keras",
    "ray",
    "pandas",
    "scipy.stats",
    "matplotlib",
    "pyarrow",
    "sklearn",
)

BRINGS = {
    "bench.cli.app": (),
    "bench.study": (),
    "bench.plan.cells": (),
    "bench.statistics": (),
    "bench.plan.forecast": (),
    "bench.datasets.digits": (),
    "bench.models.resnet8": (),
    "bench.runner": ("pyarrow",),
    "bench.store.folder": ("pyarrow",),
    "bench.analysis": ("pyarrow",),
    "bench.report": ("pyarrow",),
    "bench.pipelines.convert": (),
}


@pytest.mark.parametrize("module", BRINGS)
def test_a_part_brings_along_only_what_it_needs(module):
    probe = f"import sys, {module}\nprint(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == set(BRINGS[module])


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["--version"]])
def test_help_needs_no_numbers(arguments):
    probe = (
        f"import sys; sys.argv[1:] = {arguments!r}\n"
        "from bench.cli.app import main\n"
        "try: main()\n"
        "except SystemExit as stop: assert not stop.code\n"
        f"heavy = {('numpy', *HEAVY)!r}\n"
        "loaded = [name for name in heavy if name in sys.modules]\n"
        "assert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", probe], check=True, capture_output=True)
