"""The real command in a process of its own, and the same study on one worker to compare with."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).parents[2]
LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_AUTH_MODE": "disabled"}
STUDY = Path(__file__).with_name("small.toml")
CELLS = 18  # three seeds, two budgets, three arms


def ptq_vs_qat(
    *arguments: str | Path, cwd: Path = ROOT, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the command of this checkout and wait for its end."""
    return subprocess.run(
        [sys.executable, "-m", "bench", *map(str, arguments)],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        timeout=280,
    )


class Address(str):
    """Of a Ray of several raylets. tell: what is to happen to its nodes, see `raylets`."""

    tell: Callable[[str], None]


@contextmanager
def raylets(
    ray_folder: Path, cpus: int | str, *packages: Path, **environment: str
) -> Iterator[Address]:
    """The address of a Ray whose head has `cpus` CPUs (`"4,1"`: and a GPU), with a node of one CPU
    for each folder of packages."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.cluster.raylets", str(cpus), *map(str, packages)],
        env=os.environ
        | LOOPBACK
        | {"RAY_TMPDIR": str(ray_folder), "PYTHONPATH": str(ROOT)}
        | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        address = Address(running.stdout.readline().strip())
        address.tell = lambda what: print(what, file=running.stdin, flush=True)
        try:
            yield address
        finally:
            running.stdin.close()
            running.wait(timeout=60)


def driven(
    out: Path, fields: Mapping[str, Any], address: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """A run with the pipeline that trains nothing, on the Ray at `address`."""
    return subprocess.run(
        [sys.executable, "-m", "tests.runner.drive", str(out), json.dumps(fields), address],
        cwd=ROOT,
        env=os.environ | LOOPBACK | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        timeout=280,
    )


def cells(folder: Path) -> dict[str, dict[str, Any]]:
    """All rows of a result folder by cell; each stands there once."""
    rows = pq.read_table(folder / "cells").to_pylist()
    by_cell = {row["cell"]: row for row in rows}
    assert len(by_cell) == len(rows)
    return by_cell


def predictions(rows: dict[str, dict[str, Any]]) -> dict[str, bytes]:
    """Cell -> the bytes of its predictions; every cell must have some."""
    errors = {cell: row["error"] for cell, row in rows.items() if row["status"] != "ok"}
    assert errors == {}
    assert all(row["predictions"] for row in rows.values())
    return {cell: row["predictions"] for cell, row in rows.items()}


@pytest.fixture(scope="session")
def ray_folder() -> Iterator[Path]:
    """Where Ray keeps its sessions, apart from any other Ray's of this machine.

    Not below tmp_path: a socket's path may have 107 characters.
    """
    with TemporaryDirectory(prefix="ray", dir="/tmp", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def on_one_worker(
    tmp_path_factory: pytest.TempPathFactory, ray_folder: Path
) -> dict[str, dict[str, Any]]:
    """The rows of the small study from one worker on this machine, without a cluster."""
    out = tmp_path_factory.mktemp("local") / "results"
    ended = ptq_vs_qat("run", STUDY, "--workers", "1", "--out", out, RAY_TMPDIR=str(ray_folder))
    assert ended.returncode == 0, ended.stderr
    rows = cells(out)
    assert len(rows) == CELLS
    return rows
