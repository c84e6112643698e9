"""A study on a real Ray of three raylets, through the command: the same numbers as on one."""

import pytest

from tests.cluster.conftest import (
    CELLS,
    LOOPBACK,
    ROOT,
    STUDY,
    cells,
    predictions,
    ptq_vs_qat,
    raylets,
)


@pytest.mark.slow
def test_three_raylets_give_what_one_worker_gives(on_one_worker, ray_folder, tmp_path):
    out = tmp_path / "results"
    with raylets(ray_folder, 1, ROOT, ROOT) as address:
        assert address.startswith("127.0.0.1:")
        ended = ptq_vs_qat(
            "run", STUDY, "--address", address, "--out", out, RAY_TMPDIR=str(ray_folder), **LOOPBACK
        )

    assert ended.returncode == 0, ended.stderr
    rows = cells(out)
    assert len(rows) == CELLS
    assert predictions(rows) == predictions(on_one_worker)
    assert len({row["node"] for row in rows.values()}) > 1
    assert len({row["node"] for row in on_one_worker.values()}) == 1


def test_no_ray_at_an_address_is_an_error_that_names_it(tmp_path):
    out = tmp_path / "results"
    ended = ptq_vs_qat("run", STUDY, "--address", "127.0.0.1:1", "--out", out)
    assert ended.returncode == 2, ended.stderr
    assert "--address" in ended.stderr
    assert "127.0.0.1:1" in ended.stderr
    assert not list(out.glob("cells/*"))
