"""Nodes of two CPU types, on a real Ray whose last node has another /proc/cpuinfo."""

import os
from pathlib import Path

import pytest

from bench.runner import environment
from tests.cluster.conftest import ROOT, cells, driven, raylets
from tests.runner.pipeline import Faults

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(os.getuid() != 0, reason="only root mounts a file on /proc/cpuinfo"),
]

FIELDS = {"title": "types", "seeds": 12, "budgets": [1, 2], "arms": ["float", "ptq", "qat"]}


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """What a node is given as its processor."""
    folder = tmp_path / "other"
    folder.mkdir()
    info = "processor\t: 0\nmodel name\t: Another CPU\nflags\t\t: avx avx2\n"
    (folder / "cpuinfo").write_text(info)
    return folder


OTHER = "Another CPU (avx avx2)"


def types_by_seed(out):
    found = {}
    for row in cells(out).values():
        assert row["status"] == "ok"
        found.setdefault(row["seed"], set()).add(row["cpu"])
    return found


def test_a_seeds_arms_stay_on_one_type_and_require_same_leaves_the_others_out(
    other, ray_folder, tmp_path
):
    faults = Faults(str(tmp_path), seconds=0.1).environment
    out, same = tmp_path / "out", tmp_path / "same"
    required = FIELDS | {"require_same": "cpu"}
    with raylets(ray_folder, 0, ROOT, other, **faults) as address:
        done = driven(out, FIELDS, address, RAY_TMPDIR=str(ray_folder))
        refused = driven(out, required | {"seeds": 13}, address, RAY_TMPDIR=str(ray_folder))
        one = driven(same, required, address, RAY_TMPDIR=str(ray_folder))
    assert done.returncode == 0, done.stdout + done.stderr
    by_seed = types_by_seed(out)
    assert len(by_seed) == 12
    assert all(len(types) == 1 for types in by_seed.values())
    assert set.union(*by_seed.values()) == {OTHER, environment.cpu()}

    assert refused.returncode == 2
    assert "require_same: results on 2 CPU types are in" in refused.stdout
    assert types_by_seed(out) == by_seed

    assert one.returncode == 0, one.stdout + one.stderr
    assert "gets no cell: it has CPU type" in one.stdout
    assert len(set.union(*types_by_seed(same).values())) == 1


def test_where_a_type_has_gone_its_seeds_go_on_elsewhere_or_are_refused(
    other, ray_folder, tmp_path
):
    faults = Faults(str(tmp_path), seconds=0.05).environment
    (ours,) = {environment.cpu()}
    with raylets(ray_folder, 0, other, **faults) as address:
        first = driven(tmp_path / "out", FIELDS | {"seeds": 2}, address, RAY_TMPDIR=str(ray_folder))
    assert first.returncode == 0, first.stdout + first.stderr
    assert types_by_seed(tmp_path / "out") == {0: {OTHER}, 1: {OTHER}}
    with raylets(ray_folder, 0, ROOT, **faults) as address:
        wider = FIELDS | {"seeds": 3, "budgets": [1, 2, 3]}
        refused = driven(
            tmp_path / "out", wider | {"require_same": "cpu"}, address, RAY_TMPDIR=str(ray_folder)
        )
        moved = driven(tmp_path / "out", wider, address, RAY_TMPDIR=str(ray_folder))
    assert refused.returncode == 2, refused.stdout + refused.stderr
    assert f"no node with CPU type {OTHER} (require_same)" in refused.stdout
    assert moved.returncode == 0, moved.stdout + moved.stderr
    assert moved.stdout.count(f"no node has the CPU type {OTHER}: seeds that were begun") == 1
    assert types_by_seed(tmp_path / "out") == {0: {OTHER, ours}, 1: {OTHER, ours}, 2: {ours}}
