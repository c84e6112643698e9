"""A result folder from Python: frames and arrays that agree with the report's own numbers."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench import results
from bench.analysis import analyze
from bench.errors import InputError
from bench.store.folder import read

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "results" / "digits"
AT = {"budget": 4, "batch_norm_momentum": 0.9}


@pytest.fixture(scope="module")
def digits():
    return results.load(FOLDER)


def test_the_example_of_the_docs_runs(monkeypatch):
    monkeypatch.chdir(ROOT)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/results.md").read_text(), re.DOTALL)
    assert len(blocks) == 3
    names = {}
    exec("\n".join(blocks), names)
    found = names["verdict"].iloc[0]
    assert found["n_seeds"] == 20
    assert found["ci_low"] <= found["mean"] <= found["ci_high"]


def test_cells_are_those_of_the_plan_and_their_accuracies_the_predictions(digits):
    study = digits.study
    settings = len(study.budgets) * len(study.levels("batch_norm_momentum"))
    assert len(digits.cells) == len(study.seeds) * settings * len(study.arms)
    assert digits.cells["cell"].is_unique
    labels = digits.labels["label"].to_numpy()
    at = digits.predictions("qat-cal", **AT)
    rows = digits.cells.query("arm == 'qat-cal' and budget == 4 and batch_norm_momentum == 0.9")
    assert at.seeds.tolist() == sorted(rows["seed"])
    expected = rows.set_index("seed")["accuracy"].loc[at.seeds]
    assert (at.array == labels).mean(axis=1) == pytest.approx(expected.to_numpy())
    assert at.setting["budget"] == 4
    assert at.array.shape == (len(study.seeds), len(labels))


def test_contrasts_are_those_of_the_analysis(digits):
    made = analyze(read(FOLDER))
    assert digits.contrasts["verdict"].tolist() == [str(c.verdict) for c in made.comparisons]
    assert digits.contrasts["p_adjusted"].notna().sum() > 0


def test_a_frame_of_the_cells_gives_the_differences_of_the_folder(digits):
    frame = digits.cells[["seed", "arm", "budget", "batch_norm_momentum", "accuracy"]]
    made = results.analyze(frame, contrasts=["ptq - float"])
    made = made[made["kind"] == "contrast"].set_index(["budget", "batch_norm_momentum"])
    ours = digits.contrasts.query("contrast == 'ptq - float' and population == 'seeds'")
    ours = ours[ours["kind"] == "contrast"].set_index(["budget", "batch_norm_momentum"])
    assert len(made) == len(ours) == 8
    for column in ("mean", "sd", "ci_low", "ci_high", "p"):
        assert made[column].to_numpy() == pytest.approx(ours[column].loc[made.index].to_numpy())


@pytest.mark.parametrize(
    ("arm", "setting", "said"),
    [
        ("qat", {"batch_norm_momentum": 0.9}, "budget: 4 values at which qat is; allowed: 1, 2"),
        ("qat", {"budget": 4}, "batch_norm_momentum: 2 values"),
        ("qat", {"budget": 3}, "budget: found 3; allowed: 1, 2, 4, 8"),
        ("qat", {"buget": 4}, "buget: no field of qat; did you mean 'budget'"),
        ("qatt", {}, "arm: no arm 'qatt'; did you mean 'qat'"),
    ],
)
def test_what_has_to_be_said_is_named(digits, arm, setting, said):
    with pytest.raises(InputError) as caught:
        digits.predictions(arm, **setting)
    assert said in str(caught.value)


def frame(n=8):
    rng = np.random.default_rng(0)
    rows = [(s, a, rng.normal(90 + (a == "b"))) for s in range(n) for a in "ab"]
    return pd.DataFrame(rows, columns=["seed", "arm", "accuracy"])


def test_whatever_pandas_has_is_the_same_table():
    plain = results.analyze(frame())
    assert plain["contrast"].tolist() == ["b - a"]
    for other in (
        frame().astype({"arm": "category"}),
        frame().set_index(["seed", "arm"]),
        frame().convert_dtypes(),
        frame().sample(frac=1, random_state=0),
        frame().rename(columns={"seed": " seed "}),
    ):
        pd.testing.assert_frame_equal(results.analyze(other, contrasts=["b - a"]), plain)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f.drop(columns="seed"), "frame: no column 'seed'"),
        (lambda f: f.head(0), "frame: no rows"),
        (lambda f: pd.concat([f, f.assign(accuracy=1.0)]), "frame"),
        (lambda f: f.assign(accuracy=[object()] * len(f)), "frame: "),
        (lambda f: f.assign(accuracy=[1, "two"] * (len(f) // 2)), "frame: "),
        (lambda f: [1, 2], "frame: "),
    ],
)
def test_a_frame_that_is_no_table_is_one_message(change, said):
    with pytest.raises(InputError) as caught:
        results.analyze(change(frame()))
    assert str(caught.value).startswith(said)


def test_a_folder_that_is_none_is_named(tmp_path):
    with pytest.raises(InputError, match=r"no study\.toml"):
        results.load(tmp_path)
