"""labels() of a regression, and parameters of what runs once for all cells."""

import numpy as np
import pytest

from bench import datasets, study
from bench.datasets.kinds import own_labels
from bench.errors import InputError
from bench.plan.data import check_data
from tests.own.conftest import DATA, MODEL
from tests.own.test_run import command, rows

ARMS = "\ndef arm_a(train_examples=5, noise=0): ...\ndef arm_b(): ...\n"

REGRESSION = '''
"""Numbers that are rounded"""
import numpy as np
y = np.linspace(-1, 1, 40)
study = dict(seeds=4, metrics=["mae", "mse"], step=[0.25, 0.5])

def labels(): return y
def start(seed): return y + np.random.default_rng(seed).normal(size=40) * 0.1
def arm_float(net): return net
def arm_ptq(net, step=0.25): return np.round(net / step) * step
'''


@pytest.mark.slow
def test_a_pipeline_of_a_regression_is_judged_by_its_numbers(tmp_path):
    (tmp_path / "mine.py").write_text(REGRESSION)
    done = command("run", "mine.py", "--workers", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = rows(tmp_path / "results" / "mine")
    assert len(found) == 4 + 4 * 2
    y = np.linspace(-1, 1, 40).astype(np.float32)
    for row in found:
        net = np.linspace(-1, 1, 40) + np.random.default_rng(row["seed"]).normal(size=40) * 0.1
        if row["arm"] == "ptq":
            step = 0.25 if "0.25" in row["own_factors"] else 0.5
            net = np.round(net / step) * step
        assert row["status"] == "ok", row["error"]
        assert dict(row["metrics"])["mae"] == pytest.approx(np.abs(net - y).mean(), rel=1e-6)
        assert dict(row["metrics"])["mse"] == pytest.approx(((net - y) ** 2).mean(), rel=1e-6)
        assert row["accuracy"] is None
    report = (tmp_path / "results" / "mine" / "report.md").read_text("utf-8")
    assert "lower is better" in report
    assert command("check", "mine.py", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("labels", "more", "said"),
    [
        ("[0.5, 1.5]", "", "are numbers, such as 0.5, no classes"),
        ("[0.5, float('inf')]", "metrics = ['mae']", "NaN or infinity, such as in example 1"),
        ("[1e300, 0.5]", "metrics = ['mae']", "NaN or infinity, such as in example 0"),
        ("['a', 'b']", "metrics = ['mae']", "are classes, such as 'a'"),
        ("[0, 1, 2]", "study = dict(metrics=['auc'], task='reconstruction')", "are 3 classes"),
    ],
)
def test_labels_that_do_not_fit_the_task_are_refused_by_plan(written, labels, more, said):
    with pytest.raises(InputError) as caught:
        check_data(study.load(written(f"{more}\ndef labels(): return {labels}\ndef arm_a(): ...")))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("labels", "task", "kind"),
    [
        ("[3, 1, 2]", "metrics = ['mae']", "f"),
        ("[0.5, 1]", "metrics = ['mae']", "f"),
        ("[0, 1, 1]", "study = dict(metrics=['auc'], task='reconstruction')", "i"),
    ],
)
def test_labels_that_fit_it_are_taken(written, labels, task, kind):
    made = study.load(written(f"{task}\ndef labels(): return {labels}\ndef arm_a(): ..."))
    check_data(made)
    loaded = datasets.load(made.datasets[0], task=made.objective.task)
    assert (loaded.y_test.dtype.kind, len(loaded.y_train)) == (kind, 0)


VARIED = {
    "a factor": ("train_examples=9", "study = dict(train_examples=[5, 9])", "'train_examples', a"),
    "one's own factor": ("noise=0", "study = dict(noise=[0, 1])", "'noise', a field that the"),
    "one's own of one level": ("noise=0", "study = dict(noise=1)", "'noise', a field that the"),
    "a field": ("alpha=0.1", "study = dict(alpha=0.1)", "'alpha', a field that the study sets"),
    "the seed": ("seed=0", "", "'seed', which differs between cells"),
    "nothing": ("size", "", "parameter 'size'; allowed: none without a default"),
}


@pytest.mark.parametrize("kind", VARIED)
def test_what_runs_once_gets_no_field_that_could_vary(written, kind):
    parameter, more, said = VARIED[kind]
    network = MODEL + DATA.replace("data()", f"data({parameter})")
    pipeline = f"def labels({parameter}): return [0, 1]" + ARMS
    for text in (network, pipeline):
        with pytest.raises(InputError) as caught:
            study.load(written(f"{text}\n{more}\n"))
        assert said in str(caught.value)
        assert "once" in str(caught.value)


def test_a_default_that_the_study_does_not_set_holds(written):
    made = study.load(written(MODEL + DATA.replace("data()", "data(train_examples=9, path='x')")))
    assert check_data(made)[made.datasets[0]].train == 250
    made = study.load(written("def labels(noise=0): return [noise, 1]\ndef arm_a(): ...\n"))
    assert check_data(made)[made.datasets[0]].test == 2


@pytest.mark.parametrize(
    ("returned", "expected", "classes"),
    [
        ([2, 0], [2, 0], ("0", "1", "2")),
        ([[1], [0]], [1, 0], ("0", "1")),  # as Keras gives its own data sets' labels
        ([True, False], [1, 0], ("0", "1")),
        (["b", "a"], [1, 0], ("a", "b")),
        (np.array(["b", "ä"]), [0, 1], ("b", "ä")),
        (np.array([b"b", b"\xe4"]), [0, 1], ("b", "\N{REPLACEMENT CHARACTER}")),
        ([0.5, 2], [0.5, 2], ()),
    ],
)
def test_labels_are_read_as_those_of_data_are(returned, expected, classes):
    y, names = own_labels.read_labels(returned, "mine.py, labels()")
    assert y.tolist() == expected
    assert names == classes
