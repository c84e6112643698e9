"""What a study reserves, on a Ray that is merely told of a GPU: nothing computes on one."""

import json

import pytest

from bench import runner
from bench.errors import InputError
from bench.study import validate
from tests.cluster.conftest import cells, driven, raylets
from tests.runner.pipeline import Faults
from tests.runner.watching import Recorder

FIELDS = {"seeds": 6, "budgets": [1], "arms": ["float"]}


def at_most_at_once(ran):
    return max(sum(began <= at < ended for _, began, ended, *_ in ran) for _, at, *_ in ran)


def test_two_tasks_share_a_gpu_and_one_of_two_cpus_has_them_for_itself(ray_folder, tmp_path):
    faults = Faults(str(tmp_path), seconds=1).environment
    with raylets(ray_folder, "4,1", **faults) as address:
        half = FIELDS | {"gpus": 0.5}
        done = driven(tmp_path / "out", half, address, RAY_TMPDIR=str(ray_folder))
        none = FIELDS | {"cpus": 2}
        more = driven(tmp_path / "more", none, address, RAY_TMPDIR=str(ray_folder))
    assert done.returncode == 0, done.stdout + done.stderr
    assert more.returncode == 0, more.stdout + more.stderr
    ran = [json.loads(line) for line in (tmp_path / "ran").read_text().splitlines()]
    with_gpu, without = ran[:6], ran[6:]
    assert {gpus for *_, gpus in with_gpu} == {"0"}
    assert {gpus for *_, gpus in without} == {""}
    assert at_most_at_once(with_gpu) == 2
    assert at_most_at_once(without) <= 2  # of four CPUs; it takes processes a while to start
    assert {row["status"] for row in cells(tmp_path / "out").values()} == {"ok"}


def test_more_cpus_than_this_machine_s_ray_gets_are_an_error_before_it_starts(tmp_path):
    study = validate({"title": "wide", "seeds": 2, "cpus": 2}, "test")
    with pytest.raises(InputError, match="found 2, and the workers have 1 together"):
        runner.run(study, tmp_path / "out", Recorder(), workers=1)
    assert not (tmp_path / "out").exists()
