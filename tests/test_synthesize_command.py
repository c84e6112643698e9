"""`synthesize`: its numbers against a slow meta-analysis of raw predictions, what is one study,
and what the report says against synthesis.json."""

import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import optimize, stats

from bench import report
from bench.analysis.studies import studies_of
from bench.analysis.synthesis import synthesize
from bench.cli.app import main
from bench.errors import InputError
from bench.report.content import Details, Paragraph
from bench.store import folder as store
from bench.store.folder import Store
from tests import oracles, synthetic
from tests.report.pages import Page

ARMS = ["float", "ptq", "float+k", "ptq+k", "qat"]
KEYS = {
    "contrast", "k", "mean", "ci_low", "ci_high", "tau", "i2", "prediction_low", "prediction_high",
    "holds_in", "p_partial",
}  # fmt: skip


def study(top, data, **fields):
    """On data of its own: what a result folder is of is read from there."""
    file = top / f"{data}.npz"
    if not file.exists():
        x, y = np.zeros((4, 4, 4), np.uint8), np.arange(4) % 2
        np.savez(file, x_train=x, y_train=y, x_test=x, y_test=y)
    options = {"seeds": 8, "budgets": [1], "arms": ARMS, "datasets": [str(file)]}
    return synthetic.study(**(options | fields))


def written(top, data, gain, random_state, **fields):
    """A folder in which QAT is about `gain` pp better than PTQ."""
    means = dict.fromkeys(synthetic.DIGITS, (90.0,)) | {"qat": (90.0 + gain,)}
    return synthetic.write(
        top / data, study(top, data, **fields), means=means, n=300, random_state=random_state
    )


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Six studies; QAT's lead differs between them."""
    top = tmp_path_factory.mktemp("studies")
    gains = (0.5, 3.0, 1.0, 4.0, 2.0, 2.5)
    return [written(top, f"data{i}", gain, i) for i, gain in enumerate(gains)]


def cells(folder, a, b, budget=1):
    """D of two arms, (seeds, examples), from the predictions."""
    results = store.read(folder)
    (labels,) = results.labels.values()
    columns = ["arm", "seed", "budget", "predictions"]
    right = {
        (row["arm"], row["budget"], row["seed"]): np.frombuffer(row["predictions"], np.uint8)
        == labels
        for row in results.cells.select(columns).to_pylist()
    }
    seeds = sorted(seed for arm, e, seed in right if (arm, e) == (a, budget))
    return np.array([right[a, budget, s].astype(int) - right[b, budget, s] for s in seeds])


def estimate(d):
    """Mean and squared standard error for new seeds and examples, pp, at least step^2 / (12 S)."""
    ms_s, ms_i, ms_e = oracles.mean_squares(d)
    s, n = d.shape
    return 100 * d.mean(), max(
        1e4 * (ms_s + max(ms_i - ms_e, 0)) / (s * n), (100 / n) ** 2 / (12 * s)
    )


def slow(y, v):
    """REML by a general optimizer, and what follows: mean, se, tau^2."""

    def lost(tau2):
        w = 1 / (v + tau2)
        mean = (w * y).sum() / w.sum()
        return -(np.log(w).sum() - np.log(w.sum()) - (w * (y - mean) ** 2).sum()) / 2

    grid = np.concatenate([[0], np.geomspace(1e-6, 1e3, 400)])
    best = int(np.argmin([lost(t) for t in grid]))
    ends = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    tau2 = optimize.minimize_scalar(lost, bounds=ends, method="bounded", options={"xatol": 1e-12}).x
    tau2 = 0.0 if lost(0.0) <= lost(tau2) else tau2
    w = 1 / (v + tau2)
    mean = (w * y).sum() / w.sum()
    q = (w * (y - mean) ** 2).sum() / (len(y) - 1)
    return mean, np.sqrt(max(q, 1) / w.sum()), tau2


def run(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["ptq-vs-qat", "synthesize", *map(str, arguments)])
    try:
        main()
        code = 0
    except SystemExit as left:
        code = left.code
    return (code or 0, *capsys.readouterr())


def test_the_numbers_are_those_of_a_slow_meta_analysis(folders, tmp_path, monkeypatch, capsys):
    code, out, error = run(monkeypatch, capsys, *folders, "--out", tmp_path)
    assert (code, error) == (0, "")
    said = json.loads((tmp_path / "synthesis.json").read_text())
    found = {one["contrast"]: one for one in said["contrasts"]}
    assert {"ptq - float", "qat - ptq", "qat - ptq+k"} <= set(found)
    p = {}
    for name, one in found.items():
        assert set(one) >= KEYS
        a, b = name.split(" - ")
        y, v = np.array([estimate(cells(folder, a, b)) for folder in folders]).T
        mean, se, tau2 = slow(y, v)
        t = stats.t.ppf(0.975, 5)
        assert one["k"] == 6
        assert one["mean"] == pytest.approx(mean, abs=1e-5)
        assert one["tau"] == pytest.approx(np.sqrt(tau2), abs=1e-4)
        assert (one["ci_low"], one["ci_high"]) == pytest.approx(
            (mean - t * se, mean + t * se), abs=1e-4
        )
        wide = t * np.sqrt(se**2 + tau2)
        assert (one["prediction_low"], one["prediction_high"]) == pytest.approx(
            (mean - wide, mean + wide), abs=1e-4
        )
        p[name] = 2 * stats.t.sf(abs(mean) / se, 5)
        assert [part["seeds"] for part in one["studies"]] == [8] * 6
        assert sum(part["weight"] for part in one["studies"]) == pytest.approx(1)
    adjusted = oracles.holm(list(p.values()))
    assert [found[name]["p_adjusted"] for name in p] == pytest.approx(adjusted, abs=1e-4)
    assert found["qat - ptq"]["mean"] > 0.5
    assert "report: " in out


def test_in_how_many_it_holds_is_one_sided_holm(folders):
    (found,) = synthesize(folders, contrasts=["qat - ptq"]).syntheses
    p = []
    for folder in folders:
        d = cells(folder, "qat", "ptq")
        ms_s, ms_i, ms_e = oracles.mean_squares(d)
        s, n = d.shape
        df = s - 1.0
        if ms_i > ms_e:
            below = ms_s**2 / (s - 1) + ms_i**2 / (n - 1) + ms_e**2 / ((s - 1) * (n - 1))
            df = max(min(s, n) - 1, (ms_s + ms_i - ms_e) ** 2 / below)
        y, v = estimate(d)
        p.append(stats.t.sf(y / np.sqrt(v), df))
    holm = np.sort(oracles.holm(p))
    u = int((2 * holm <= 0.05).sum())
    assert 1 <= u < 6
    assert found.holds.u == u
    assert found.holds.p_partial == pytest.approx(2 * holm[u - 1])


def test_two_studies_stand_side_by_side_and_four_predict_nothing(folders):
    (two,) = synthesize(folders[:2], contrasts=["qat - ptq"]).syntheses
    assert two.pooled.k == 2
    assert two.interval is two.prediction is two.p_adjusted is None
    (four,) = synthesize(folders[:4], contrasts=["qat - ptq"]).syntheses
    assert four.interval is not None
    assert four.prediction is None


def test_folders_of_the_same_data_model_and_recipe_are_one_study(tmp_path):
    whole = written(tmp_path, "data", 1.0, 3)
    halves = []
    for name, keep in (("low", range(5)), ("high", range(3, 8))):  # seeds 3 and 4 are in both
        halves.append(shutil.copytree(whole, tmp_path / name))
        only_seeds(halves[-1], keep)
    other = written(tmp_path, "other", 2.0, 4)
    together = synthesize([*halves, other], contrasts=["qat - ptq"]).syntheses[0]
    alone = synthesize([whole, other], contrasts=["qat - ptq"]).syntheses[0]
    assert together.parts == alone.parts
    assert [part.seeds for part in together.parts] == [8, 8]
    assert len(studies_of([*halves, other])) == 2


def only_seeds(folder, keep):
    """Leave these seeds in a folder."""
    results = store.read(folder)
    shutil.rmtree(folder / "cells")
    there = Store(folder)
    there.append([row for row in results.cells.to_pylist() if row["seed"] in keep])
    there.write_plan([row for row in results.plan.to_pylist() if row["seed"] in keep])


def test_a_model_with_two_predictions_counts_once_and_is_said(tmp_path):
    first = written(tmp_path, "data", 1.0, 3)
    again = shutil.copytree(first, tmp_path / "again")
    rows = store.read(again).cells.to_pylist()
    (labels,) = store.read(again).labels.values()
    row = next(r for r in rows if r["arm"] == "qat" and r["seed"] == 0)
    row["predictions"] = labels.astype(np.uint8).tobytes()  # all right
    row |= {"correct": len(labels), "accuracy": 1.0}
    shutil.rmtree(again / "cells")
    Store(again).append(rows)
    other = written(tmp_path, "other", 2.0, 4)
    made = synthesize([first, again, other], contrasts=["qat - ptq"])
    assert (
        "data, bncnn: models with other predictions in another of its folders, 1" in made.notes[0]
    )
    assert made.syntheses[0].parts == synthesize([first, other]).syntheses[1].parts


def test_another_recipe_is_another_study_and_a_shared_test_set_is_said(tmp_path):
    one = written(tmp_path, "data", 1.0, 3)
    two = shutil.copytree(one, tmp_path / "two")
    shutil.rmtree(two)
    means = dict.fromkeys(synthetic.DIGITS, (90.0,))
    of_two = study(tmp_path, "data", batch_size=64)
    synthetic.write(two, of_two, means=means, n=300, random_state=3)
    made = synthesize([one, two], contrasts=["qat - ptq"])
    assert [part.study for part in made.syntheses[0].parts] == [
        "data, bncnn, batch_size 32", "data, bncnn, batch_size 64"
    ]  # fmt: skip
    assert any("share a test set: they are no independent studies" in note for note in made.notes)


def test_several_settings_of_a_study_are_named_and_chosen(tmp_path, monkeypatch, capsys):
    many = written(tmp_path, "many", 1.0, 3, budgets=[1, 4])
    other = written(tmp_path, "other", 2.0, 4)
    out = tmp_path / "out"
    code, printed, error = run(monkeypatch, capsys, many, other, "--out", out)
    assert (code, printed) == (2, "")
    assert "2 settings of ptq - float in one study (many, bncnn): budget 1; budget 4" in error
    assert not out.exists()
    (found,) = synthesize(
        [many, other], settings={"budget": "1"}, contrasts=["qat - ptq"]
    ).syntheses
    expected = [estimate(cells(folder, "qat", "ptq"))[0] for folder in (many, other)]
    assert [part.mean for part in found.parts] == pytest.approx(expected)
    (whole,) = synthesize([many, other], overall=True, contrasts=["qat - ptq"]).syntheses
    both = [cells(many, "qat", "ptq", budget).mean() for budget in (1, 4)]
    assert whole.parts[0].mean == pytest.approx(100 * np.mean(both))
    assert whole.parts[0].place == "mean of 2 settings"


def test_unlike_deltas_are_named_and_nothing_is_said_of_equivalence(tmp_path):
    one = written(tmp_path, "one", 1.0, 3)
    two = written(tmp_path, "two", 1.0, 4, delta=1.0)
    made = synthesize([one, two], contrasts=["qat - ptq"])
    assert made.syntheses[0].alike is None
    assert any("0.5 pp in one, bncnn; 1 pp in two, bncnn" in note for note in made.notes)


def test_a_withheld_contrast_is_left_out_and_said(tmp_path, folders):
    def unlike(row):
        return row | ({"disagreements": 150} if row["arm"] == "float" else {})

    bad = synthetic.write(tmp_path / "bad", study(tmp_path, "bad"), n=300, edit=unlike)
    made = synthesize([bad, *folders[:2]], contrasts=["qat - ptq"])
    assert made.syntheses[0].pooled.k == 2
    assert any("bad, bncnn: qat - ptq is left out: the float file" in n for n in made.notes)


def test_another_metric_is_pooled_by_its_values(tmp_path):
    folders = []
    for i, lead in enumerate((-0.2, -0.3, -0.4)):
        losses = {"ptq": 1.0, "qat": 1.0 + lead}

        def edit(row, losses=losses):
            odd = 3 * (row["arm"] == "qat")
            loss = losses.get(row["arm"], 1.1) + 0.01 * ((row["seed"] * 5 + odd) % 7)
            return row | {"metrics": {"accuracy": row["accuracy"], "cross_entropy": loss}}

        made = study(tmp_path, f"d{i}", metrics=["accuracy", "cross_entropy"])
        folders.append(synthetic.write(tmp_path / f"d{i}", made, n=300, edit=edit))
        Store(folders[-1]).write_metrics(made.declared_metrics())
    together = synthesize(folders, contrasts=["qat - ptq"], metric="cross_entropy")
    (found,) = together.syntheses
    assert [part.mean for part in found.parts] == pytest.approx([-0.2, -0.3, -0.4], abs=0.02)
    assert found.parts[0].examples is None  # no values per example: for new seeds alone
    out = tmp_path / "out"
    report.write_synthesis(folders, out, metric="cross_entropy")
    assert "By `cross_entropy`: lower is better." in (out / "report.md").read_text()
    with pytest.raises(InputError, match="no 'auc' in d0, bncnn"):
        synthesize(folders, metric="auc")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"settings": {"budget": "7"}}, "no budget '7'"),
        ({"contrasts": ["qat - flaot"]}, "no 'qat - flaot'"),
        ({"alpha": 0.5}, "--alpha"),
    ],
)
def test_what_is_not_there_is_refused(folders, options, said):
    with pytest.raises(InputError, match=re.escape(said)):
        synthesize(folders[:2], **options)


def test_one_study_is_not_several(folders):
    with pytest.raises(InputError, match="1 study"):
        synthesize(folders[:1])
    with pytest.raises(InputError, match="twice"):
        synthesize([folders[0], folders[0]])
    with pytest.raises(InputError, match="holds a run's results"):
        report.write_synthesis(folders[:2], folders[0])


@pytest.fixture(scope="module")
def made(folders, tmp_path_factory):
    out = tmp_path_factory.mktemp("report")
    return out, report.write_synthesis(folders, out)


def test_the_report_says_what_the_json_says(made):
    out, _ = made
    text = (out / "report.md").read_text()
    said = {
        one["contrast"]: one
        for one in json.loads((out / "synthesis.json").read_text())["contrasts"]
    }
    lines = re.findall(r"^`([^`]+)`: (.*)$", text, re.M)
    assert [name for name, _ in lines][:3] == ["ptq - float", "qat - ptq", "qat - ptq+k"]
    for name, sentence in lines:
        if name not in said:
            continue
        one = said[name]
        assert f"over {one['k']} studies" in sentence
        a, b = (f"`{arm}`" for arm in name.split(" - "))
        if one["p_adjusted"] <= 0.05:
            side = "above" if one["mean"] > 0 else "below"
            assert f"{a} is {side} {b} (" in sentence
        else:
            assert f"it is undecided whether {a} differs from {b} on average" in sentence
        mean, low, high = map(number, re.search(
            r"\(([+−]?[\d.]+) pp \[([+−]?[\d.]+), ([+−]?[\d.]+)\]", sentence).groups())  # fmt: skip
        assert (mean, low, high) == pytest.approx(
            (one["mean"], one["ci_low"], one["ci_high"]), abs=0.051
        )
        if one["tau"] == 0:
            assert "vary no more than by chance" in sentence
        else:
            assert number(re.search(r"τ = ([\d.]+) pp", sentence)[1]) == pytest.approx(
                one["tau"], abs=0.051
            )
        assert "A new study's would lie in about [" in sentence
        for direction, key in (("above", "positive_in"), ("below", "negative_in")):
            u = one[key]
            words = "in none" if not u else "in all 6" if u == 6 else f"in at least {u}"
            assert f"{direction} {words}" in sentence
        both = one["positive_in"] > 0 and one["negative_in"] > 0
        assert sentence.startswith("the studies differ in direction") == both


def number(text):
    return float(text.replace("−", "-"))


def test_the_report_is_a_whole_page_with_a_figure_per_contrast(made):
    out, content = made
    page = Page.of((out / "report.html").read_text())
    assert len(set(page.ids)) == len(page.ids)
    names = {figure.id for figure in content.figures()}
    assert len(names) == len(json.loads((out / "synthesis.json").read_text())["contrasts"])
    assert {path.stem for path in (out / "figures").glob("*.svg")} == names
    for figure in content.figures():
        assert "nan" not in figure.svg
        assert "a new study" in figure.alt
    answer = content.parts[0].variants[None].blocks
    assert all(isinstance(block, Paragraph) for block in answer)
    assert any(
        isinstance(block, Details) for part in content.parts for block in part.variants[None].blocks
    )


def test_names_of_folders_are_no_markup(tmp_path):
    for i, name in enumerate(("<b>x</b>", "a|b")):
        written(tmp_path, f"d{i}", 1.0, i)
        (tmp_path / f"d{i}").rename(tmp_path / name.replace("/", ""))
    out = tmp_path / "out"
    report.write_synthesis([tmp_path / "<b>x<b>", tmp_path / "a|b"], out)
    assert "<b>x" not in (out / "report.html").read_text()


def test_the_shipped_studies_are_synthesized(tmp_path, monkeypatch, capsys):
    results = Path(__file__).parents[1] / "results"
    folders = [results / name for name in ("digits", "mnist", "cifar10", "spoken-digits")]
    code, out, error = run(
        monkeypatch, capsys, *folders, "--out", tmp_path, "--setting", "budget=4",
        "--setting", "batch_norm_momentum=0.9",
    )  # fmt: skip
    assert (code, error) == (0, "")
    assert "over 4 studies" in out.replace("\n", " ")
