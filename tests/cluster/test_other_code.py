"""Nodes with another package than the driver's, on a real Ray: they get no cell, and it is said."""

import shutil
from pathlib import Path

import pytest

from tests.cluster.conftest import CELLS, LOOPBACK, ROOT, STUDY, cells, ptq_vs_qat, raylets


@pytest.fixture
def other_package(tmp_path: Path) -> Path:
    """A folder with a copy of the package in which a source differs by a comment."""
    folder = tmp_path / "other"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "bench", folder / "bench", ignore=ignored)
    with (folder / "bench" / "pipelines" / "convert.py").open("a") as source:
        source.write("\n# changed\n")
    return folder


def run(address: str, ray_folder: Path, out: Path):
    return ptq_vs_qat(
        "run",
        STUDY,
        "--address",
        address,
        "--out",
        out,
        cwd=out.parent,  # Ray puts this folder first in its workers' paths
        RAY_TMPDIR=str(ray_folder),
        **LOOPBACK,
    )


@pytest.mark.faults
def test_a_node_with_another_package_gets_no_cell(ray_folder, other_package, tmp_path):
    with raylets(ray_folder, 0, ROOT, other_package) as address:
        ended = run(address, ray_folder, tmp_path / "results")

    assert ended.returncode == 0, ended.stderr
    assert "gets no cell: it has package" in ended.stderr
    rows = cells(tmp_path / "results")
    assert len(rows) == CELLS
    assert {row["status"] for row in rows.values()} == {"ok"}
    assert len({(row["node"], row["package"]) for row in rows.values()}) == 1


def test_it_is_one_error_if_every_node_has_another_package(ray_folder, other_package, tmp_path):
    with raylets(ray_folder, 0, other_package, other_package) as address:
        ended = run(address, ray_folder, tmp_path / "results")

    assert ended.returncode == 2, ended.stderr
    (error,) = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    assert "--address: no node with package" in error
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "results").exists()
