"""The commands of the worked CI example are run."""

import shutil

import pytest
import yaml

from tests.gates import WORKFLOW, shell, steps


def test_the_workflow_is_one():
    made = yaml.safe_load(WORKFLOW.read_text())
    assert set(made) == {"name", True, "jobs"}  # YAML 1.1 reads `on` as true, as GitHub's does not
    assert set(made[True]) == {"pull_request", "schedule"}
    for job in made["jobs"].values():
        assert job["runs-on"]
        assert all(("uses" in step) != ("run" in step) for step in job["steps"])
    assert len(steps()) == 4


@pytest.mark.parametrize(
    ("name", "code", "outcome"),
    [
        ("QAT against the released run's, seed by seed", 1, "failed: qat - baseline"),
        ("Quantized against float, where it is trained longest", 0, "passed: qat - float"),
    ],
)
def test_the_commands_of_the_workflow_run(name, code, outcome, folders, tmp_path):
    shutil.copytree(folders, tmp_path / "results")
    summary = tmp_path / "step.md"
    done = shell(steps()[name], tmp_path, summary)
    assert done.returncode == code, done.stderr
    assert done.stdout.startswith(f"{outcome} is shown")
    assert outcome.partition(": ")[2] in summary.read_text().splitlines()[0]
