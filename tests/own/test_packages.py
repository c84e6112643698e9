"""Functions of a package, `mypackage.nets:small`: beside the study, or of the environment."""

import os
import pickle
import shutil
import subprocess
import sys
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from bench import datasets, models, plugins, study
from bench.errors import InputError
from bench.plan.cells import cells
from tests.own.conftest import DATA, MODEL

_numbers = count()
ROOT = Path(__file__).parents[2]


def package(folder, **changed):
    """A package of a name of its own, in a folder; its name."""
    name = f"pack{next(_numbers)}"
    texts = {
        "__init__": "",
        "nets": "from .sizes import SIZE\nmetrics = SIZE\ndef loss(whatever): ...\n"
        + MODEL.replace("model(", "small(").replace("Dense(classes", "Dense(classes * SIZE"),
        "sizes": "SIZE = 1\n",
        "data": DATA.replace("data()", "load()"),
        "unused": "X = 1\n",
    } | changed
    for module, text in texts.items():
        path = folder / name / f"{module}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return name


def toml(folder, name):
    path = folder / "study.toml"
    path.write_text(f'models = ["{name}.nets:small"]\ndatasets = ["{name}.data:load"]\nseeds = 1\n')
    return str(path)


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A folder of packages of the environment, and a study of one of them elsewhere."""
    site = tmp_path / "site"
    monkeypatch.syspath_prepend(str(site))
    name = package(site)
    (tmp_path / "study").mkdir()
    return site / name, toml(tmp_path / "study", name)


def test_a_package_beside_the_study_travels_as_text(tmp_path, monkeypatch):
    name = package(tmp_path)
    monkeypatch.chdir(ROOT)
    made = study.load(toml(tmp_path, name))
    assert (made.models, made.datasets) == ((f"{name}.nets.small",), (f"{name}.data.load",))
    assert made.own[made.models[0]].file == f"{name}.nets"
    assert datasets.load(made.datasets[0]).x_train.shape == (250, 4, 4, 1)
    own = models.own(made.models)[made.models[0]].own
    assert {path for path, _ in own.texts} == {
        f"{name}/{each}.py" for each in ("__init__", "nets", "sizes", "data", "unused")
    }
    sent = pickle.dumps(models.own(made.models)[made.models[0]])
    shutil.rmtree(tmp_path / name)
    program = "import pickle, sys; print(pickle.load(sys.stdin.buffer)((4, 4, 1), 3).output_shape)"
    done = subprocess.run(
        [sys.executable, "-c", program], input=sent, capture_output=True, cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TF_USE_LEGACY_KERAS": "1"},
    )  # fmt: skip
    assert done.stdout.decode().strip() == "(None, 3)", done.stderr.decode()


def test_names_of_a_module_mean_nothing_but_themselves(tmp_path):
    """`metrics` and loss() are its own: neither read as a study's, nor left out of the identity."""
    name = package(tmp_path)
    made = study.load(toml(tmp_path, name))
    assert models.hook(made.models[0], "loss") is None
    assert made.metrics == ("accuracy",)


def test_a_package_of_the_environment_is_sent_by_its_name(installed):
    folder, path = installed
    made = study.load(path)
    part = models.own(made.models)[made.models[0]]
    assert part.own.installed
    (first, *others) = [path.split("/")[1] for path, _ in part.own.texts]
    assert (first, sorted(others)) == ("nets.py", ["__init__.py", "sizes.py"])
    assert folder.name not in sys.modules  # found and read without being imported
    x, y = datasets.load(made.datasets[0]).x_train, np.arange(250) % 3
    assert (len(x), list(y[:2])) == (250, [0, 1])
    again = pickle.loads(pickle.dumps(part))
    assert again == part
    assert again.own.call("small", (4, 4, 1), 3).output_shape == (None, 3)


def test_where_it_is_missing_the_package_is_named_and_where_it_is_unlike_the_node(installed):
    folder, path = installed
    made = study.load(path)
    sent = pickle.dumps(models.own(made.models)[made.models[0]])
    (folder / "sizes.py").write_text("SIZE = 2\n")
    with pytest.raises(RuntimeError, match=f"package '{folder.name}' on node .*sizes.py is unlike"):
        pickle.loads(sent).own.module  # noqa: B018
    shutil.rmtree(folder)
    with pytest.raises(ModuleNotFoundError, match=f"no package '{folder.name}' on node") as caught:
        pickle.loads(sent).own.module  # noqa: B018
    assert caught.value.name == folder.name


EDITS = {
    "a comment": ("nets", "# more\n", {"beside": True, "installed": True}),
    "the module": ("nets", "WIDTH = 3\n", {"beside": False, "installed": False}),
    "what it imports": ("sizes", "SIZE = 2\n", {"beside": False, "installed": False}),
    "what it calls metrics": ("nets", "metrics = 4\n", {"beside": False, "installed": False}),
    "another module": ("unused", "X = 2\n", {"beside": False, "installed": True}),
}


@pytest.mark.parametrize("where", ["beside", "installed"])
@pytest.mark.parametrize("edit", EDITS)
def test_its_source_identifies_its_cells(tmp_path, monkeypatch, where, edit):
    site = tmp_path / "site" if where == "installed" else tmp_path
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    name = package(site)
    path = toml(tmp_path, name)

    def identities():
        return {cell.id for cell in cells(study.load(path))}

    before = identities()
    module, text, same = EDITS[edit]
    with (site / name / f"{module}.py").open("a") as file:
        file.write(text)
    assert (identities() == before) == same[where]


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("no_such_package.nets:small", "no_such_package.nets: no module 'no_such_package.nets'"),
        ("{name}.other:small", "{name}.other: no such module in"),
        ("{name}.nets:large", "{name}.nets: no function 'large'; allowed: one of loss, small"),
        ("{name}.broken:small", "broken.py line 1"),
        ("itertools:count", "no Python source of the module 'itertools'"),
    ],
)
def test_what_is_not_there_is_named(tmp_path, reference, said):
    name = package(tmp_path)
    (tmp_path / "study.toml").write_text(f'models = ["{reference.format(name=name)}"]\n')
    if "broken" in reference:
        (tmp_path / name / "broken.py").write_text("def (")
    with pytest.raises(InputError) as caught:
        study.load(str(tmp_path / "study.toml"))
    assert said.format(name=name) in str(caught.value)


def test_modules_of_one_name_in_two_packages_and_in_a_file_stand_side_by_side(tmp_path):
    one, two = package(tmp_path), package(tmp_path)
    (tmp_path / "nets.py").write_text(MODEL)
    (tmp_path / "study.toml").write_text(
        f'models = ["{one}.nets:small", "{two}.nets:small", "nets.py:model"]\n'
    )
    made = study.load(str(tmp_path / "study.toml"))
    assert made.models == (f"{one}.nets.small", f"{two}.nets.small", "nets")
    assert plugins.lies_in(tmp_path, f"{one}.nets")


@pytest.mark.slow
def test_a_package_beside_the_study_runs_on_workers(tmp_path):
    from tests.own.test_run import command, rows

    brighter = "    x[:] = y[:, None, None, None] * 80\n    return (x[:250]"
    learnable = DATA.replace("data()", "load()").replace("    return (x[:250]", brighter)
    name = package(tmp_path, data=learnable)
    toml(tmp_path, name)
    few = ("--set", "budgets=[4]", "--set", "arms=[float,ptq]", "--set", "calibration_examples=20")
    done = command("run", "study.toml", "--workers", "1", "--out", "out", *few, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {(row["model"], row["status"]) for row in rows(tmp_path / "out")} == {
        (f"{name}.nets.small", "ok")
    }
