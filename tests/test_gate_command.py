"""`gate` on tables and folders: outcomes against scipy's intervals, exit codes, what is written."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bench.analysis import gating
from bench.analysis.gating import Asked
from bench.analysis.roles import Declared
from bench.cli import gated
from bench.cli.app import main
from bench.errors import InputError
from bench.store.folder import Store
from tests import oracles, synthetic

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


def run(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["ptq-vs-qat", "gate", *map(str, arguments)])
    with pytest.raises(SystemExit) as left:
        main()
    out, error = capsys.readouterr()
    return left.value.code, out, error


@pytest.mark.parametrize(
    ("margin", "code", "outcome"), [(0.8, 1, "failed"), (1.0, 3, "undecided"), (2.5, 0, "passed")]
)
def test_student_sleep(margin, code, outcome, tmp_path, monkeypatch, capsys):
    # 90% interval by R: t.test(extra ~ group, paired = TRUE, conf.level = 0.9)
    path = table(tmp_path / "sleep.csv", SLEEP, "hours")
    written = [tmp_path / "gate.json", tmp_path / "gate.md"]
    got, out, error = run(
        monkeypatch, capsys, path, "--contrast", "new - old", "--margin", margin,
        "--better", "higher", "--json", written[0], "--summary", written[1],
    )  # fmt: skip
    assert (got, error) == (code, "")
    assert out.count("\n") == 1
    assert out.startswith(f"{outcome}: ")
    said = json.loads(written[0].read_text())
    assert (said["outcome"], said["contrast"], said["margin"]) == (outcome, "new - old", margin)
    assert said["unit"] == "hours"
    (one,) = said["settings"]
    assert (one["mean"], one["low"], one["high"]) == pytest.approx(
        (-1.58, -2.2930053, -0.8669947), abs=1e-6
    )
    assert one["outcome"] == outcome
    text = written[1].read_text()
    assert f"{outcome.capitalize()}: `new - old`" in text
    assert "−2.29" in text


def asked(**fields):
    return Asked(**({"contrast": "new - old", "margin": 0.5, "better": "higher"} | fields))


settings_of_seeds = st.integers(1, 4).flatmap(
    lambda m: st.integers(4, 8).flatmap(
        lambda s: st.lists(
            st.lists(st.integers(-30, 30), min_size=s, max_size=s), min_size=m, max_size=m
        )
    )
)


@given(settings_of_seeds, st.booleans(), st.sampled_from((0.3, 0.9, 1.5)))
def test_outcomes_are_those_of_the_intervals(tmp_path_factory, tenths, lower, margin):
    d = np.array(tenths) / 10
    path = table(tmp_path_factory.mktemp("t") / "t.csv", d)
    found = gating.of_table(path, asked(margin=margin, better="lower" if lower else "higher"))
    better = -d if lower else d
    worse_by_less, worse_by_more = [], []
    for row in better:
        if len(row) < 5 or np.ptp(row) == 0:
            shown = row.mean() > -margin, row.mean() < -margin
            worse_by_less.append(1.0 if len(row) < 5 else 0.0 if shown[0] else 1.0)
            worse_by_more.append(1.0 if len(row) < 5 else 0.0 if shown[1] else 1.0)
            continue
        test = stats.ttest_1samp(row, -margin, alternative="greater")
        worse_by_less.append(test.pvalue)
        worse_by_more.append(1 - test.pvalue)
    holm = oracles.holm(worse_by_more)
    expected = [
        "passed" if less < 0.05 else "failed" if more <= 0.05 else "undecided"
        for less, more in zip(worse_by_less, holm, strict=True)
    ]
    assert [one.outcome for one in found.settings] == expected
    whole = "undecided"
    if "failed" in expected:
        whole = "failed"
    elif set(expected) == {"passed"}:
        whole = "passed"
    assert found.outcome == whole
    for one, row in zip(found.settings, d, strict=True):
        assert one.mean == pytest.approx(row.mean(), abs=1e-9)
        if one.interval is not None and np.ptp(row) > 0:
            ends = stats.t.interval(0.9, len(row) - 1, row.mean(), stats.sem(row))
            assert tuple(one.interval) == pytest.approx(ends, abs=1e-9)


def test_lower_is_better_where_the_column_says_so(tmp_path):
    d = np.linspace(0.9, 1.1, 8)  # the new one's loss is greater by 1
    path = table(tmp_path / "t.csv", d, "loss")
    assert gating.of_table(path, asked(better=None)).outcome == "failed"
    assert gating.of_table(path, asked(better=None, margin=2)).outcome == "passed"
    assert gating.of_table(path, asked(better="higher")).outcome == "passed"
    text = gated.line(gating.of_table(path, asked(better=None)))
    assert text.startswith("failed: new - old is shown to be worse by more than 0.5 loss (+1.00")


def test_a_direction_that_nobody_knows_is_asked_for(tmp_path):
    path = table(tmp_path / "t.csv", SLEEP, "hours")
    with pytest.raises(InputError, match=r"--better: missing, .*'hours' is better higher or lower"):
        gating.of_table(path, asked(better=None))


def test_one_that_fails_fails_the_gate_and_a_setting_can_be_chosen(tmp_path):
    d = np.array([np.linspace(-0.1, 0.1, 6), np.linspace(-5.1, -4.9, 6)])
    path = table(tmp_path / "t.csv", d)
    whole = gating.of_table(path, asked())
    assert whole.outcome == "failed"
    assert [(one.place, one.outcome) for one in whole.settings] == [
        ("budget 1", "passed"), ("budget 2", "failed")
    ]  # fmt: skip
    assert "at 1 of 2 settings (worst: −5.00 score" in gated.line(whole)
    assert gating.of_table(path, asked(settings={"budget": "1"})).outcome == "passed"
    for wrong, said in (
        ({"budget": "3"}, "no budget '3'; allowed: 1, 2"),
        ({"bugdet": "1"}, "did you mean 'budget'"),
    ):
        with pytest.raises(InputError, match=said):
            gating.of_table(path, asked(settings=wrong))


def test_four_seeds_decide_nothing(tmp_path):
    found = gating.of_table(table(tmp_path / "t.csv", [0.0, 0.1, 0.0, 0.1]), asked())
    (one,) = found.settings
    assert (found.outcome, one.interval) == ("undecided", None)
    assert "4 seeds that both have, and it takes 5" in gated.line(found)


def test_the_seeds_that_it_would_take(tmp_path):
    d = np.array([0.0, 2.0, -2.0, 1.0, -1.0, 0.5])
    found = gating.of_table(table(tmp_path / "t.csv", d), asked())
    n, sd = found.settings[0].needed, d.std(ddof=1)
    power = [
        stats.nct.sf(stats.t.ppf(0.95, m - 1), m - 1, 0.5 / sd * np.sqrt(m)) for m in (n - 1, n)
    ]
    assert power[0] < 0.8 <= power[1] + 1e-9
    assert f"{n:,} seeds would pass with 80% power" in gated.line(found)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two runs of one study: a released one, and a new one whose QAT lost a little."""
    top = tmp_path_factory.mktemp("runs")
    study = synthetic.study(seeds=8, budgets=[1, 8], arms=["float", "ptq", "qat"])
    synthetic.write(top / "released", study)
    worse = synthetic.DIGITS | {"qat": (40.0, 90.0)}
    synthetic.write(top / "new", study, means=worse)
    return top


def right(folder):
    """(arm, budget, seed) -> percent right."""
    from bench.store import folder as store

    cells = store.read(folder).cells
    rows = cells.select(["arm", "budget", "seed", "accuracy"]).to_pylist()
    return {(row["arm"], row["budget"], row["seed"]): 100 * row["accuracy"] for row in rows}


def test_a_folder_is_gated_by_its_seeds(folders):
    found = gating.of_folder(folders / "released", Asked("ptq - float", 0.5))
    values = right(folders / "released")
    for one, budget in zip(found.settings, (1, 8), strict=True):
        d = np.array([values["ptq", budget, s] - values["float", budget, s] for s in range(8)])
        ends = stats.t.interval(0.9, 7, d.mean(), stats.sem(d))
        assert tuple(one.interval) == pytest.approx(ends)
        assert one.place == f"budget {budget}"
    wide = gating.of_folder(
        folders / "released", Asked("ptq - float", 0.5, population="seeds+examples")
    )
    assert wide.settings[0].mean == pytest.approx(found.settings[0].mean)
    assert wide.settings[0].interval != found.settings[0].interval


def test_any_two_arms_can_be_gated(folders):
    assert (
        gating.of_folder(folders / "released", Asked("float - qat", 0.5)).contrast == "float - qat"
    )
    with pytest.raises(InputError, match="no arm 'qut'; did you mean 'qat'"):
        gating.of_folder(folders / "released", Asked("qut - float", 0.5))
    with pytest.raises(InputError, match="two different arms"):
        gating.of_folder(folders / "released", Asked("qat", 0.5))


def test_an_older_run_is_the_baseline_seed_by_seed(folders):
    found = gating.of_folder(folders / "new", Asked("", 0.5), folders / "released", "qat")
    new, old = right(folders / "new"), right(folders / "released")
    for one, budget in zip(found.settings, (1, 8), strict=True):
        d = np.array([new["qat", budget, s] - old["qat", budget, s] for s in range(8)])
        assert one.mean == pytest.approx(d.mean())
        assert tuple(one.interval) == pytest.approx(
            stats.t.interval(0.9, 7, d.mean(), stats.sem(d))
        )
    same = gating.of_folder(folders / "new", Asked("", 0.5), folders / "new", "qat")
    assert same.outcome == "passed"
    assert [one.mean for one in same.settings] == [0, 0]


def test_other_test_examples_are_no_baseline(folders, tmp_path):
    study = synthetic.study(seeds=8, budgets=[1], arms=["float", "ptq", "qat"])
    synthetic.write(tmp_path / "other", study, random_state=7)
    with pytest.raises(InputError, match="other test examples of 'digits'"):
        gating.of_folder(folders / "new", Asked("", 0.5), tmp_path / "other", "qat")


def test_a_check_withholds(tmp_path):
    def unlike(row):
        if row["arm"] == "float":
            row["disagreements"] = row["n"] // 2
        return row

    study = synthetic.study(seeds=6, budgets=[1], arms=["float", "ptq"])
    synthetic.write(tmp_path / "run", study, edit=unlike)
    found = gating.of_folder(tmp_path / "run", Asked("ptq - float", 5))
    assert found.outcome == "withheld"
    assert "no decision on ptq - float: the float file is unlike its Keras" in gated.line(found)
    assert json.loads(gated.as_json(found))["settings"][0]["low"] is None


def test_seeds_that_were_added_by_looks_are_judged_by_repeated_intervals(tmp_path):
    study = synthetic.study(
        seeds=12, budgets=[1], arms=["float", "ptq"], sequential={"looks": [8, 12]}
    )
    synthetic.write(tmp_path / "run", study, arm_sd=0.3)
    (one,) = gating.of_folder(tmp_path / "run", Asked("ptq - float", 0.5)).settings
    fixed = study.model_copy(update={"sequential": None})
    plain = tmp_path / "plain"
    shutil.copytree(tmp_path / "run", plain)
    Store(plain).write_text("study.toml", fixed.to_toml())
    (once,) = gating.of_folder(plain, Asked("ptq - float", 0.5)).settings
    assert one.mean == pytest.approx(once.mean)
    assert one.interval.low < once.interval.low < once.interval.high < one.interval.high
    with pytest.raises(InputError, match="--population"):
        gating.of_folder(tmp_path / "run", Asked("ptq - float", 0.5, population="seeds+examples"))


def with_loss(folder, gain, **infinite):
    """A folder whose rows hold a loss beside accuracy; QAT's is `gain` more than PTQ's."""
    made = synthetic.study(
        seeds=8, budgets=[1], arms=["float", "ptq", "qat"], metrics=["accuracy", "cross_entropy"]
    )

    def edit(row):
        loss = 1.0 + 0.01 * row["seed"] + (gain if row["arm"] == "qat" else 0.0)
        loss += 0.001 * ((row["seed"] * 7 + len(row["arm"])) % 5)
        if row["arm"] == infinite.get("arm") and row["seed"] == infinite.get("seed"):
            loss = float("inf")
        return row | {"metrics": {"accuracy": row["accuracy"], "cross_entropy": loss}}

    synthetic.write(folder, made, edit=edit)
    Store(folder).write_metrics(made.declared_metrics())
    return folder


def test_a_folders_metric_has_its_direction(tmp_path):
    folder = with_loss(tmp_path / "run", gain=0.5)

    def outcome(margin, **fields):
        return gating.of_folder(
            folder, Asked("qat - ptq", margin, metric="cross_entropy", **fields)
        )

    worse = outcome(0.2)
    assert (worse.outcome, worse.lower_is_better) == ("failed", True)
    assert worse.settings[0].mean == pytest.approx(0.5, abs=0.01)
    assert outcome(0.7).outcome == "passed"
    assert outcome(0.2, better="higher").outcome == "passed"
    assert gating.of_folder(folder, Asked("ptq - float", 5)).metric == "accuracy"  # the first one
    with pytest.raises(InputError, match="no 'crossentropy'; did you mean 'cross_entropy'"):
        gating.of_folder(folder, Asked("qat - ptq", 1, metric="crossentropy"))


def test_few_groups_of_test_examples_decide_nothing_about_new_ones(tmp_path):
    made = synthetic.study(seeds=8, budgets=[1], arms=["float", "ptq"])
    for groups, decided in ((3, False), (40, True)):
        folder = tmp_path / str(groups)
        synthetic.write(folder, made, groups=groups)
        ask = Asked("ptq - float", 5, population="seeds+examples")
        found = gating.of_folder(folder, ask)
        assert (found.outcome == "passed") == decided
        assert ("3 groups of test examples, and it takes 5" in gated.line(found)) != decided
        assert gating.of_folder(folder, Asked("ptq - float", 5)).outcome == "passed"


def test_what_is_not_finite_never_passes(tmp_path):
    folder = with_loss(tmp_path / "run", gain=-0.5, arm="qat", seed=3)
    found = gating.of_folder(folder, Asked("qat - ptq", 0.2, metric="cross_entropy"))
    assert found.outcome == "undecided"
    assert "1 seed has no finite value" in gated.line(found)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["missing", "--contrast", "a - b", "--margin", "1"], "RESULTS: no 'missing'"),
        (["t.csv", "--margin", "1"], "--contrast: missing"),
        (["t.csv", "--contrast", "new - odl", "--margin", "1"], "no arm 'odl'"),
        (["t.csv", "--contrast", "new - old", "--margin", "0"], "--margin: found 0"),
        (["t.csv", "--contrast", "new - old", "--margin", "nan"], "--margin: found nan"),
        (["t.csv", "--contrast", "new - old", "--margin", "1", "--alpha", "0.5"], "--alpha"),
        (["t.csv", "--contrast", "new - old", "--margin", "1", "--data", "x"], "--contrast: "),
        (["t.csv", "--contrast", "new - old", "--margin", "1", "--better", "up"], "--better"),
        (["t.csv", "--contrast", "new - old", "--margin", "1", "--arm", "x"], "--arm: does not"),
        (["t.csv", "--contrast", "new - old", "--margin", "1", "--setting", "x"], "--setting"),
        (["run", "--baseline", "run", "--margin", "1"], "--arm: missing"),
        (["run", "--contrast", "ptq - float", "--margin", "1", "--percent", "x"], "--percent"),
        (["run", "--contrast", "ptq - float", "--margin", "101"], "at most 100 pp"),
        (["a.tflite", "--margin", "1"], "NEW OLD: found 1 file"),
        (["a.tflite", "b.tflite", "--margin", "1"], "--data: missing"),
        (["a.tflite", "b.tflite", "--margin", "1", "--contrast", "a - b"], "--contrast: does not"),
    ],
)  # fmt: skip
def test_bad_input_is_exit_code_2_and_nothing_is_written(
    words, said, folders, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    os.symlink(folders / "released", "run")
    table(tmp_path / "t.csv", SLEEP)
    code, out, error = run(
        monkeypatch, capsys, *words, "--json", "gate.json", "--summary", "gate.md"
    )
    assert (code, out) == (2, "")
    assert error.startswith("error: ")
    assert said in error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "t.csv"]


def test_names_of_a_users_are_no_markup(tmp_path):
    d = np.linspace(-0.1, 0.1, 6)
    found = gating.of_table(table(tmp_path / "t.csv", d), asked())
    odd = replace(found, contrast="a|b - `c` <b>", notes=("<script> | *x*",))
    text = gated.as_markdown(odd)
    assert "<script>" not in text.replace("\\<", "")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in rows}) == 1


def test_an_end_beside_the_margin_is_shown_on_its_side(tmp_path):
    d = np.array([-0.4996, -0.4994, -0.4995, -0.49955, -0.49945, -0.4995])
    path = table(tmp_path / "t.csv", d, "accuracy")
    declared = Declared(metrics=["accuracy"], percent=["accuracy"])
    found = gating.of_table(path, asked(margin=0.49956, better=None), declared=declared)
    assert found.outcome == "passed"
    assert found.settings[0].interval.low > -0.49956
    shown = float(re.search(r"\[−([\d.]+),", gated.line(found))[1])
    assert shown < 0.49956


def steps():
    """The commands of the workflow, by step."""
    jobs = yaml.safe_load(WORKFLOW.read_text())["jobs"]
    return {
        step["name"]: step["run"]
        for job in jobs.values()
        for step in job["steps"]
        if "ptq-vs-qat gate" in step.get("run", "") or "ptq-vs-qat run" in step.get("run", "")
    }


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
