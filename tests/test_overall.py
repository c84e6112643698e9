"""One contrast over all its settings: shared seeds, shared test examples, or seeds of their own."""

import io
import re

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from scipy import stats

from bench.analysis import analyze, analyze_samples
from bench.analysis.records import Sample, Setting
from bench.analysis.table import analyze_table
from bench.report import build, markdown, terminal
from bench.store import folder as store
from bench.study.arms import CONTRASTS
from tests import oracles, synthetic


def table(path, settings, seeds_of, gain=lambda at: 0.004 * at):
    """A CSV of two arms at `settings` data sets; seeds_of: setting -> its seeds."""
    rng = np.random.default_rng(5)
    rows = []
    for at in range(settings):
        for seed in seeds_of(at):
            base = 0.8 + rng.normal(0, 0.01)
            for arm in ("old", "new"):
                value = base + (arm == "new") * gain(at) + rng.normal(0, 0.003)
                rows.append((seed, arm, f"task{at:02}", round(value, 4)))
    frame = pd.DataFrame(rows, columns=["seed", "arm", "dataset", "accuracy"])
    frame.to_csv(path, index=False)
    wide = frame.pivot_table(index=["dataset", "seed"], columns="arm", values="accuracy")
    return 100 * (wide["new"] - wide["old"])


def whole(analysis, population="seeds"):
    (found,) = analysis.select(population, "overall")
    return found


def text_of(analysis):
    return markdown.render(build.build(analysis), "seeds").replace("\N{NO-BREAK SPACE}", " ")


def test_settings_with_seeds_of_their_own_have_the_mean_of_their_means(tmp_path):
    """By the protocol's formula: se = sqrt(sum se_c^2) / C, Satterthwaite's df."""
    d = table(tmp_path / "t.csv", 3, lambda at: range(10 * at, 10 * at + 5 + at))
    found = whole(analyze_table(tmp_path / "t.csv"))
    by = d.groupby("dataset")
    squares = by.var(ddof=1) / by.count()
    se = np.sqrt(squares.sum()) / 3
    df = squares.sum() ** 2 / (squares**2 / (by.count() - 1)).sum()
    assert found.mean == pytest.approx(by.mean().mean())
    assert found.estimate.df == pytest.approx(df)
    half = stats.t.ppf(0.975, df) * se
    assert tuple(found.simultaneous) == pytest.approx((found.mean - half, found.mean + half))
    assert found.p_adjusted == pytest.approx(2 * stats.t.sf(abs(found.mean / se), df))
    assert found.n_seeds == 5 + 6 + 7
    row = found.row()
    assert (row["n_seeds"], row["sd"], row["dz"], row["p_signflip"]) == (18, None, None, None)


def test_shared_seeds_are_a_contrast_of_means_per_seed(tmp_path):
    d = table(tmp_path / "t.csv", 4, lambda at: range(8))
    found = whole(analyze_table(tmp_path / "t.csv"))
    means = d.unstack("seed").mean()
    expected = stats.ttest_1samp(means, 0)
    assert found.p == pytest.approx(expected.pvalue)
    assert (found.n_seeds, found.mean) == (8, pytest.approx(means.mean()))


def test_new_examples_are_the_crossed_formula_on_means_over_settings():
    rng = np.random.default_rng(2)
    right = {
        (budget, arm): rng.random((5, 30)) < 0.7 for budget in (1, 8) for arm in ("float", "ptq")
    }
    samples = [
        Sample(
            Setting("d", "m", (), budget, None), arm, "accuracy", "pp", tuple(range(5)),
            {"ok": 5}, tuple(range(5)), 100 * cells.mean(axis=1), cells,
        )
        for (budget, arm), cells in right.items()
    ]  # fmt: skip
    made = analyze_samples(
        samples, [CONTRASTS["ptq - float"]], primary=["ptq - float"], title="", alpha=0.05,
        deltas={"accuracy": 0.5},
    )  # fmt: skip
    found = whole(made, "seeds+examples")
    cells = sum(right[b, "ptq"].astype(float) - right[b, "float"] for b in (1, 8)) / 2
    ms_s, ms_i, ms_e = oracles.mean_squares(cells)
    se = 100 * np.sqrt((ms_s + max(ms_i - ms_e, 0)) / cells.size)
    assert found.mean == pytest.approx(100 * cells.mean())
    assert found.estimate.se == pytest.approx(se)


def test_settings_that_share_some_seeds_have_no_overall_effect(tmp_path):
    """Not independent, and no seed has all of them: counts, with the lowest and the highest."""
    table(tmp_path / "t.csv", 5, lambda at: range(4 * at, 4 * at + 8))
    made = analyze_table(tmp_path / "t.csv")
    assert whole(made).mean is None
    text = text_of(made)
    assert re.search(r"`new` against `old`, of 5 settings: .*; from .* \(task0", text)
    assert "Over all" not in text
    assert "No seed has a value in both arms" not in text  # each setting has


def test_of_many_settings_the_whole_stands_between_its_ends(tmp_path):
    d = table(tmp_path / "t.csv", 16, lambda at: range(100 * at, 100 * at + 8))
    made = analyze_table(tmp_path / "t.csv")
    text = text_of(made)
    assert "Over all 16 settings together, each on seeds of its own, `new` is better" in text
    assert "mean of their means, with the standard error of independent ones" in text
    assert "No seed has a value in both arms" not in text
    means = d.groupby("dataset").mean()
    rows = [line for line in text.partition("The answer, row by row")[2].splitlines()
            if line.startswith("| `new - old`")]  # fmt: skip
    assert "all 16 together" in rows[0]
    assert f"lowest of 16: {means.idxmin()}" in rows[1]
    assert f"highest of 16: {means.idxmax()}" in rows[2]
    assert rows[3].count("figure") == 0  # the next is of the table of differences
    out = io.StringIO()
    terminal.print_verdicts(made, Console(file=out, width=200))
    shown = out.getvalue()
    assert "Over all 16 settings together" in shown
    assert f"highest of 16: {means.idxmax()}" in shown
    assert len(shown.splitlines()) < 12  # the rest is in the report


def test_two_settings_are_both(tmp_path):
    table(tmp_path / "t.csv", 2, lambda at: range(8))
    text = text_of(analyze_table(tmp_path / "t.csv"))
    assert "Over both settings together" in text
    assert "Corrected over both settings alone" in text
    assert "partial conjunction (Benjamini & Heller, 2008)" in text
    assert not re.search(r"\ball 2\b", text)


def test_a_contrast_beyond_the_primary_ones_is_said_of_all_its_settings(tmp_path):
    """With factors at their baseline primary, the lowest and the highest are those of these."""
    study = synthetic.study(
        seeds=8, budgets=[1, 2, 4, 8], batch_norm_momentum=[0.9, 0.99], primary_over=[]
    )
    made = analyze(store.read(synthetic.write(tmp_path, study)))
    found = made.select("seeds", name="ptq - float")
    assert {c.family for c in found} == {"primary", "exploratory"}
    assert "lowest of 4 primary ones: " in text_of(made)
