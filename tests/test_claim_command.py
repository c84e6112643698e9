"""`claim`: its numbers against slow sums, its sentences against its numbers, its table of SDs."""

import io
import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from scipy import stats

from bench.analysis import claims, priors
from bench.cli import claimed
from bench.cli.app import main
from bench.errors import InputError
from tests import oracles, synthetic

ROOT = Path(__file__).parents[1]
THREAD = [("float", "90.1"), ("ptq", "93.2"), ("qat", "87.0")]


def command(*arguments, cwd=ROOT):
    return subprocess.run(
        [sys.executable, "-m", "bench", "claim", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=cwd,
        env={"PATH": "", "COLUMNS": "80", "PYTHONPATH": str(ROOT)},
    )


def examined(given, known=(), **options):
    return claims.examine(given, known, **({"examples": 1000} | options))


def printed(claim):
    out = io.StringIO()
    claimed.print_claim(claim, Console(file=out, width=400))
    return out.getvalue()


def prior(contrast="ptq - float", mean=0.0, distribution=0.3, sampling=0.4, **fields):
    values = {
        "source": "results/x", "dataset": "d", "model": "m", "train_examples": "all",
        "setting": "", "budget": 1, "extra": 1, "seeds": 20, "examples": 1000, "churn": 0.01,
    }  # fmt: skip
    return priors.Prior(
        contrast=contrast, mean=mean, sd_distribution=distribution, sd_sampling=sampling,
        **(values | fields),
    )  # fmt: skip


def test_the_command_writes_what_it_says(tmp_path):
    path = tmp_path / "claim.json"
    words = [f"{arm}={text}" for arm, text in THREAD]
    done = command(*words, "--examples", 1000, "--json", path)
    assert done.returncode == 0, done.stderr
    said = json.loads(path.read_text())
    assert [pair["contrast"] for pair in said["pairs"]] == [
        "ptq - float",
        "qat - float",
        "qat - ptq",
    ]
    assert [pair["difference"] for pair in said["pairs"]] == [3.1, -3.1, -6.2]
    # 901, 932 and 870 right of 1,000; most discordant: all of the better one's errors are the
    # other's right answers
    for pair, (high, low) in zip(said["pairs"], ((932, 901), (901, 870), (932, 870)), strict=True):
        minority = 1000 - high
        p = stats.binomtest(minority, 2 * minority + high - low).pvalue
        assert pair["p_largest"] == pytest.approx(p)
        assert pair["p_smallest"] == 2.0 ** (1 - (high - low))
    raw = [pair["p_largest"] for pair in said["pairs"]]
    adjusted = [pair["p_largest_adjusted"] for pair in said["pairs"]]
    assert adjusted == pytest.approx(oracles.holm(raw))
    assert done.stdout.startswith("All 3 pairs of files are shown to differ")
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_of_means_of_runs_nothing_is_said_of_files(tmp_path):
    path = tmp_path / "claim.json"
    done = command("ptq=92.43", "qat=91.87", "--examples", 100, "--runs", 3, "--json", path)
    assert done.returncode == 0, done.stderr
    (pair,) = json.loads(path.read_text())["pairs"]
    assert pair["p_smallest"] is pair["p_largest"] is None
    assert "Of the files: nothing. A mean of 3 runs is no file's accuracy" in " ".join(
        done.stdout.split()
    )
    assert "McNemar" not in done.stdout
    assert "compare A.tflite" not in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["float=90.12", "ptq=91"], "accuracy 90.12: no single file on 1000 examples gives this"),
        (["float=0.901", "ptq=0.932"], "accuracy: found '0.901': a share, or less than"),
        (["float=90"], "ARM=ACCURACY: found 1; allowed: two or more"),
        (["float=90", "90"], "ARM=ACCURACY: found '90'; allowed: as in"),
        (["float=90", "float=91"], "ARM=ACCURACY: 'float' twice"),
        (["float=ninety", "ptq=91"], "accuracy: found 'ninety'"),
        (["float=90", "ptq=91", "--runs", "0"], "--runs: found 0"),
        (["float=90", "ptq=91", "--budget", "77"], "--budget: found 77: no study has it"),
        (["float=90", "ptq=91", "--alpha", "0.5"], "--alpha: found 0.5"),
        (["float=90", "ptq=91", "--delta", "0"], "--delta: found 0"),
        (["float=90", "ptq=91", "--like", "nowhere"], "nowhere"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_nothing_is_written(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments = ["claim", *words, "--examples", "1000", "--json", "out.json"]
    monkeypatch.setattr(sys, "argv", ["ptq-vs-qat", *arguments])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    out, error = capsys.readouterr()
    assert error.startswith("error: ")
    assert said in error
    assert out == ""
    assert not list(tmp_path.iterdir())


def test_examples_are_asked_for():
    with pytest.raises(InputError, match="allowed: 1 to"):
        examined(THREAD, examples=0)
    assert command("a=90", "b=91").returncode == 2


@given(
    st.integers(1, 40).flatmap(
        lambda n: st.tuples(st.just(n), st.lists(st.integers(0, n), min_size=2, max_size=3))
    )
)
def test_the_answer_counts_what_every_overlap_gives(case):
    n, right = case
    given_arms = [(f"arm{i}", f"{100 * c / n:.6f}%") for i, c in enumerate(right)]
    claim = examined(given_arms, examples=n)
    lows, highs = [], []
    for later in range(len(right)):
        for earlier in range(later):
            a, b = right[later], right[earlier]
            p = []
            for both in range(max(a + b - n, 0), min(a, b) + 1):
                changed = a + b - 2 * both
                p.append(stats.binomtest(a - both, changed).pvalue if changed else 1.0)
            lows.append(min(p))
            highs.append(max(p))
    low, high = oracles.holm(lows), oracles.holm(highs)
    differ = sum(p <= 0.05 for p in high)
    never = sum(p > 0.05 for p in low)
    text = claimed.answer(claim)[0]
    if len(lows) == 1:
        words = "are shown to differ" if differ else "cannot show" if never else "depends on which"
        assert words in text
        return
    found = {
        name: int(number)
        for number, name in re.findall(
            r"(\d+) (?:pairs of files )?(?:is|are) (shown|different|not to be)", text
        )
    }
    expected = {"shown": differ, "different": len(lows) - differ - never, "not to be": never}
    assert found == {name: count for name, count in expected.items() if count}


def test_a_rerun_is_held_against_the_studies_sds():
    known = [prior(distribution=0.3, sampling=0.4), prior(distribution=2.0, sampling=1.0)]
    (pair,) = examined([("float", "90.0"), ("ptq", "91.5")], known, examples=4000).pairs
    # on four times as many examples the sampling part halves
    sigmas = [np.hypot(0.3, 0.2), np.hypot(2.0, 0.5)]
    assert pair.recipes.sigmas == pytest.approx(sigmas)
    assert pair.recipes.turns == pytest.approx(
        [stats.norm.cdf(-1.5 / (sd * np.sqrt(2))) for sd in sigmas]
    )
    assert pair.recipes.proven_above == pytest.approx([1.959964 * sd for sd in sigmas])
    assert pair.recipes.beyond == 1
    assert "ptq - float is more than seeds alone give in 1 of 2 settings" in printed(
        examined([("float", "90.0"), ("ptq", "91.5")], known, examples=4000)
    )


def test_the_order_of_arms_turns_the_sign_and_nothing_else():
    known = [prior("qat - ptq", mean=11, distribution=3.0), prior("qat - ptq", mean=0.1)]
    one, other = (
        examined(arms, known).pairs[0]
        for arms in ([("ptq", "84.0"), ("qat", "95.0")], [("QAT", "95.0"), ("PTQ", "84.0")])
    )
    assert (one.contrast, other.contrast) == ("qat - ptq", "PTQ - QAT")
    assert one.numbers.difference == -other.numbers.difference == 11
    assert one.recipes == other.recipes
    assert one.recipes.usual == 1  # where such a lead was measured


def test_what_no_setting_gives_is_said():
    known = [prior(mean=0.05, distribution=0.2, sampling=0.2)]
    assert "No setting that was measured gives ptq - float = +3.1 pp: another kind" in printed(
        examined(THREAD[:2], known)
    )
    assert "No setting" not in printed(examined([("float", "90.1"), ("ptq", "90.3")], known))
    # by the predictive interval for one more run, from 20 seeds
    sd = np.hypot(0.2, 0.2)
    edge = 0.05 + stats.t.ppf(0.975, 19) * sd * np.sqrt(1 + 1 / 20)
    for difference, usual in ((edge - 0.001, 1), (edge + 0.001, 0)):
        arms = [("float", "90.0"), ("ptq", f"{90 + difference:.6f}")]
        claim = examined(arms, [known[0]], examples=10**9)
        sd_now = claim.pairs[0].recipes.sigmas[0]
        assert sd_now == pytest.approx(0.2, abs=1e-3)  # all sampling averaged out
        narrow = 0.05 + stats.t.ppf(0.975, 19) * sd_now * np.sqrt(1 + 1 / 20)
        assert claim.pairs[0].recipes.usual == (difference <= narrow)
        assert usual in (0, 1)


def test_a_study_of_ones_own_replaces_the_table(tmp_path):
    study = synthetic.study(seeds=8, budgets=[1], arms=["float", "ptq"])
    synthetic.write(tmp_path / "mine", study)
    (found,) = priors.of_folder(tmp_path / "mine", "mine")
    done = command("float=90", "ptq=91", "--examples", 797, "--like", tmp_path / "mine")
    assert f"as measured in your study: {tmp_path / 'mine'}." in done.stdout.replace("\n", "")
    from bench.store import folder as store

    results = store.read(tmp_path / "mine")
    labels = results.labels["digits"]
    right = {
        (row["arm"], row["seed"]): np.frombuffer(row["predictions"], np.uint8) == labels
        for row in results.cells.select(["arm", "seed", "predictions"]).to_pylist()
    }
    d = np.array([right["ptq", s].astype(int) - right["float", s] for s in study.seeds])
    assert found.mean == pytest.approx(100 * d.mean())
    assert found.churn == pytest.approx(abs(d).mean())
    ms_s, _, ms_e = oracles.mean_squares(d)
    assert found.sd_sampling == pytest.approx(100 * np.sqrt(ms_e / 797))
    assert found.sd_distribution == pytest.approx(100 * np.sqrt(max(ms_s - ms_e, 0) / 797))


def test_the_shipped_table_is_made_from_the_shipped_results():
    made = runpy.run_path(str(ROOT / "docs" / "priors.py"))["made"]()
    assert priors.SHIPPED.read_text() == made, "python docs/priors.py writes it anew"
    for row in priors.shipped():
        assert (ROOT / row.source / "study.toml").exists()
    pairs = {row.contrast for row in priors.shipped()}
    assert {"ptq - float", "qat - ptq", "qat - float", "qat - ptq+k"} <= pairs


def test_reading_gives_back_what_was_written():
    rows = (prior(), prior("a - b", setting="batch_norm_momentum 0.9, x", mean=-0.125))
    assert priors.read(priors.written(rows)) == rows


def test_the_figure_puts_a_claim_where_it_is():
    known = [prior(distribution=0.5, sampling=0.0), prior(distribution=1.0, sampling=0.0)]
    claim = examined([("float", "90.0"), ("ptq", "93.0")], known)
    scale, line, *_ = claimed.figure(claim)
    reach = float(re.search(r"\+([\d.]+) pp", scale)[1])
    assert reach == pytest.approx(3.9)
    shown = line.removeprefix("ptq - float  ")
    middle = shown.index("│")
    per_column = reach / middle
    assert (shown.index("●") - middle) * per_column == pytest.approx(3.0, abs=per_column)
    inner = sum(character == "▒" for character in shown[middle:]) * per_column
    outer = sum(character in "▒░" for character in shown[middle:]) * per_column
    assert inner == pytest.approx(1.96 * 0.5, abs=per_column)
    assert outer == pytest.approx(1.96 * 1.0, abs=per_column)


def test_a_claim_without_any_difference_is_drawn():
    text = printed(examined([("a", "90"), ("b", "90")]))
    assert "cannot show that the two files differ" not in text  # 90 is 89.5 to 90.5 of 1,000
    assert "depends on which errors they share" in text
    equal = printed(examined([("a", "90.0"), ("b", "90.0")]))
    assert "may" not in equal.splitlines()[0]
    assert "0 pp" in equal


def test_too_many_examples_are_refused():
    with pytest.raises(InputError, match="--examples"):
        examined(THREAD, examples=10**12)


def test_the_page_shows_what_the_command_prints():
    page = (ROOT / "docs" / "claims.md").read_text()
    assert page.count("$ ptq-vs-qat claim ") == 6
    made = runpy.run_path(str(ROOT / "docs" / "outputs.py"))["written"](page)
    assert page == made, "python docs/outputs.py docs/claims.md writes it anew"
