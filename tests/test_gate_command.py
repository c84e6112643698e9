"""`gate` on tables: outcomes against scipy's intervals, exit codes, what is written."""

import json
import os
import re
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bench.analysis import gating
from bench.analysis.roles import Declared
from bench.cli import gated
from bench.cli.app import main
from bench.errors import InputError
from tests import oracles
from tests.gates import SLEEP, asked, table


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


def test_a_table_of_predictions_is_gated_for_new_examples_too(tmp_path, monkeypatch, capsys):
    """By the crossed formula; with 10 speakers for new ones of these; other tables cannot."""
    rng = np.random.default_rng(4)
    hard = rng.normal(0, 1.5, 100)
    lines = ["seed,arm,example,prediction,label,speaker"]
    d = np.zeros((6, 100))
    for seed in range(6):
        for sign, (arm, level) in zip((-1, 1), (("old", 1.0), ("new", 1.3)), strict=True):
            right = rng.random(100) < 1 / (1 + np.exp(-(level + hard)))
            d[seed] += sign * right
            lines += [f"{seed},{arm},e{i},{ok:d},1,s{i % 10}" for i, ok in enumerate(right)]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(lines) + "\n")
    ask = asked(margin=9, better=None, population="seeds+examples")
    ms_s, ms_i, ms_e = oracles.mean_squares(d)
    (one,) = gating.of_table(path, ask).settings
    assert one.mean == pytest.approx(100 * d.mean())
    surplus = max(ms_i - ms_e, 0)
    se = 100 * np.sqrt((ms_s + surplus) / d.size)
    below = ms_s**2 / 5 + ms_i**2 / 99 + ms_e**2 / (5 * 99)
    df = max(5, (ms_s + surplus) ** 2 / below) if surplus else 5
    half = stats.t.ppf(0.95, df) * se
    assert tuple(one.interval) == pytest.approx((one.mean - half, one.mean + half))
    (of_groups,) = gating.of_table(path, ask, columns={"speaker": "group"}).settings
    assert of_groups.mean == pytest.approx(one.mean)
    assert of_groups.interval != one.interval
    plain = table(tmp_path / "plain.csv", SLEEP)
    code, _, error = run(
        monkeypatch, capsys, plain, "--contrast", "new - old", "--margin", 1,
        "--population", "seeds+examples",
    )  # fmt: skip
    assert code == 2
    assert "a table without predictions per test example" in error


def test_a_wide_table_is_gated_as_it_is_analyzed(tmp_path, monkeypatch, capsys):
    path = tmp_path / "wide.csv"
    rows = [f"{seed},{0.9 + seed / 1000},{0.91 + seed / 900}" for seed in range(8)]
    path.write_text("\n".join(["run,old,new", *rows]) + "\n")
    code, out, error = run(
        monkeypatch, capsys, path, "--wide", "--columns", "run=seed", "--metric", "accuracy",
        "--contrast", "new - old", "--margin", 0.5,
    )  # fmt: skip
    assert (code, error) == (0, "")
    assert out.startswith("passed: new - old is shown not to be worse by 0.5 pp (+1.0")
