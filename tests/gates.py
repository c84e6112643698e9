"""Tables, folders and the workflow that tests of `gate` share."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import yaml

from bench.analysis.gating import Asked
from tests import synthetic

ROOT = Path(__file__).parents[1]
WORKFLOW = ROOT / "docs" / "ci" / "gate.yml"
# Student (1908), R's `sleep`: extra hours of 10 patients under two drugs
SLEEP = np.array([-1.2, -2.4, -1.3, -1.3, 0.0, -1.0, -1.8, -0.8, -4.6, -1.4])


def table(path, d, metric="score", **columns):
    """A table of two arms at one or several settings; d: (settings, seeds) or (seeds,)."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["seed", "arm", "budget", metric])
        for budget, row in enumerate(np.atleast_2d(d), 1):
            for seed, value in enumerate(row):
                old = 5 + 0.1 * seed  # an arm that is the same for all seeds would be no arm
                writer.writerow([seed, "new", budget, f"{old + value:.6f}"])
                writer.writerow([seed, "old", budget, f"{old:.6f}"])
    return path


def asked(**fields):
    return Asked(**({"contrast": "new - old", "margin": 0.5, "better": "higher"} | fields))


def two_runs(top):
    """Two runs of one study: a released one, and a new one whose QAT lost a little."""
    study = synthetic.study(seeds=8, budgets=[1, 8], arms=["float", "ptq", "qat"])
    synthetic.write(top / "released", study)
    worse = synthetic.DIGITS | {"qat": (40.0, 90.0)}
    synthetic.write(top / "new", study, means=worse)
    return top


def steps():
    """The commands of the workflow, by step."""
    jobs = yaml.safe_load(WORKFLOW.read_text())["jobs"]
    return {
        step["name"]: step["run"]
        for job in jobs.values()
        for step in job["steps"]
        if "ptq-vs-qat gate" in step.get("run", "") or "ptq-vs-qat run" in step.get("run", "")
    }


def shell(script, cwd, summary):
    """As a runner runs a step: bash -e."""
    script = script.replace("ptq-vs-qat ", f"{sys.executable} -m bench ")
    environment = {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "GITHUB_STEP_SUMMARY": str(summary)
    }  # fmt: skip
    return subprocess.run(
        ["bash", "-e", "-c", script], cwd=cwd, env=environment, capture_output=True, text=True,
        timeout=120,
    )  # fmt: skip
