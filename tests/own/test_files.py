"""A network and data of one's own in a file: what is taken from it, and what identifies it."""

import os
import pickle
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from bench import datasets, models, plugins, study
from bench.errors import InputError
from bench.plan.cells import cells
from bench.plan.data import check_data
from tests.own.conftest import DATA, MODEL, returning

# What a file gives.


def test_a_file_with_both_is_a_study_of_both(written):
    path = written(MODEL + DATA)
    made = study.load(path)
    stem = Path(path).stem
    assert (made.models, made.datasets) == ((stem,), (stem,))
    assert check_data(made)[stem] == datasets.Size(250, 50, 16)
    loaded = datasets.load(stem)
    assert (loaded.scale, loaded.classes, loaded.x_train.dtype) == (255.0, ("0", "1", "2"), "uint8")


def test_the_missing_part_is_built_in_and_said(written):
    from bench.plan.forecast import describe, forecast

    only_model, only_data = study.load(written(MODEL)), study.load(written(DATA))
    assert only_model.datasets == ("digits",)
    assert only_data.models == ("bncnn",)
    assert "data: digits (built in)" in describe(
        only_model, forecast(only_model, (), (1.0,), 2), "assumed"
    )
    assert "models: bncnn (built in)" in describe(
        only_data, forecast(only_data, (), (1.0,), 2), "assumed"
    )


def test_fields_come_from_set_then_toml_then_the_file_then_the_defaults(written, tmp_path):
    path = written(MODEL + "study = dict(seeds=3, budgets=[2], alpha=0.1)\n")
    toml = tmp_path / "study.toml"
    toml.write_text(f'source = "{Path(path).name}"\nbudgets = [4]\nextra = [2]\n')
    made = study.load(str(toml), ["extra=3"])
    assert (made.seeds, made.budgets, made.extra, made.alpha) == ((0, 1, 2), (4,), (3,), 0.1)
    assert made.delta == study.validate({}, "test").delta
    assert study.load(path, ["alpha=0.2"]).alpha == 0.2


def test_fields_that_are_no_literals_are_computed_by_running_the_file(written):
    made = study.load(
        written(MODEL + "N = 2\nstudy = dict(seeds=range(N, N + 3), alpha=N / 100)\n")
    )
    assert (made.seeds, made.alpha) == ((2, 3, 4), 0.02)


def test_contrasts_are_the_primary_family(written):
    assert study.load(written(MODEL + 'contrasts = ["qat - ptq"]\n')).primary == ("qat - ptq",)


def test_files_are_found_from_the_studys_folder(written, tmp_path):
    written(MODEL, "deep/nets.py")
    toml = tmp_path / "deep" / "study.toml"
    toml.write_text('models = ["nets.py:model", "tutorial_cnn"]\n')
    assert study.load(str(toml)).models == ("nets", "tutorial_cnn")


def test_a_function_of_another_name_carries_it(written):
    path = written(MODEL.replace("model(", "small("), "nets_of_mine.py")
    toml = Path(path).with_name("study.toml")
    toml.write_text('models = ["nets_of_mine.py:small"]')
    made = study.load(str(toml))
    assert made.models == ("nets_of_mine.small",)
    assert made.own["nets_of_mine.small"].model == "small"


def test_model_gets_fields_of_the_study_by_their_name(written):
    text = "def model(classes, learning_rate, width=3):\n    return classes, learning_rate, width\n"
    path = written(text)
    study.load(path)
    stem = Path(path).stem
    assert models.parameters(stem) == {"classes", "learning_rate", "width"}
    assert models.get(stem).build((8, 8, 1), 10, learning_rate=0.5) == (10, 0.5, 3)


def test_text_labels_are_classes_in_sorted_order(written):
    path = written(returning("(x, np.array(['b', 'a'] * 10)), (x[:2], ['a', 'b'])"))
    study.load(path)
    loaded = datasets.load(Path(path).stem)
    assert loaded.classes == ("a", "b")
    assert loaded.y_train[:3].tolist() == [1, 0, 1]
    assert loaded.y_test.tolist() == [0, 1]


@pytest.mark.parametrize("kind", ["float16", "float32", "float64"])
def test_floats_are_taken_as_they_are(written, kind):
    path = written(returning(f"(x.astype('{kind}') + 0.5, y), (x.astype('{kind}'), y)"))
    study.load(path)
    loaded = datasets.load(Path(path).stem)
    assert (loaded.scale, loaded.x_train.dtype) == (1.0, "float32")
    assert np.all(loaded.x_train == 0.5)


def test_labels_in_a_column_are_labels(written):
    path = written(returning("(x, y[:, None]), (x, y.astype(np.uint8))"))
    study.load(path)
    assert datasets.load(Path(path).stem).y_train.shape == (20,)


def test_data_runs_once_in_its_folder_and_what_it_prints_is_no_output(written, capsys, tmp_path):
    np.savez(tmp_path / "mine.npz", x=np.zeros((30, 4, 4, 1), np.uint8), y=np.arange(30) % 2)
    path = written(
        "import numpy as np\nfrom pathlib import Path\ndef data():\n    print('hello')\n"
        "    with open('calls', 'a') as f: f.write('x')\n"
        "    d = np.load('mine.npz')\n    return (d['x'], d['y']), (d['x'], d['y'])\n"
    )
    before = Path.cwd()
    made = study.load(path, ["calibration_examples=5"])
    check_data(made)
    cells(made)
    assert (tmp_path / "calls").read_text() == "x"
    assert capsys.readouterr().out == ""
    assert Path.cwd() == before


# Siblings and files.


def test_siblings_are_found_by_the_syntax_tree_and_run_from_text(written, tmp_path):
    written("from layers_of_mine import SIZE\nfrom pack.part import more\n", "helper_of_mine.py")
    written("SIZE = 5\n", "layers_of_mine.py")
    written("", "pack/__init__.py")
    written("from .deep import more\n", "pack/part.py")
    written("def more():\n    import lazy_of_mine\n    return lazy_of_mine.X\n", "pack/deep.py")
    written("X = 7\n", "lazy_of_mine.py")
    written("raise SystemError\n", "not_imported.py")
    path = written("import helper_of_mine as h\ndef size():\n    return h.SIZE + h.more()\n")
    own = plugins.load(path)
    assert {name for name, _ in own.texts[1:]} == {
        "helper_of_mine.py", "layers_of_mine.py", "lazy_of_mine.py",
        "pack/__init__.py", "pack/part.py", "pack/deep.py",
    }  # fmt: skip
    assert own.call("size") == 12
    sent = pickle.loads(pickle.dumps(own))
    for each in tmp_path.rglob("*.py"):
        each.unlink()
    assert sent.folder is None
    assert sent.call("size") == 12


def test_two_files_may_have_siblings_of_one_name(written, tmp_path):
    owns = []
    for folder, value in (("a", 1), ("b", 2)):
        written(f"VALUE = {value}\n", f"{folder}/shared_name.py")
        path = written(
            "import shared_name\ndef early():\n    return shared_name.VALUE\n"
            "def late():\n    import shared_name\n    return shared_name.VALUE\n",
            f"{folder}/own_{folder}.py",
        )
        owns.append(plugins.load(path))
    for _ in range(2):
        assert [own.call("early") for own in owns] == [1, 2]
        assert [own.call("late") for own in owns] == [1, 2]


def test_files_travel_with_the_text(written, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "w.txt").write_text("weights")
    path = written(
        'from pathlib import Path\nfiles = ["sub"]\ndef read():\n'
        '    return open("sub/w.txt").read(), (Path(__file__).parent / "sub/w.txt").read_text()\n'
    )
    own = plugins.load(path)
    sent = pickle.loads(pickle.dumps(own))
    (tmp_path / "sub" / "w.txt").unlink()
    assert sent.call("read") == ("weights", "weights")
    assert sent == own
    assert sent.identity == own.identity


def test_the_text_can_run_in_a_process_that_shares_nothing(written, tmp_path):
    """A pickle, read where the file is no more: what a worker on another machine does."""
    written("FACTOR = 3\n", "sibling_far.py")
    own = plugins.load(
        written("from sibling_far import FACTOR\ndef f(x):\n    return FACTOR * x\n")
    )
    far = tmp_path / "far"
    far.mkdir()
    (far / "own.pickle").write_bytes(pickle.dumps(own))
    for each in tmp_path.glob("*.py"):
        each.unlink()
    program = "import pickle; print(pickle.load(open('own.pickle', 'rb')).call('f', 4))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=far, env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.strip() == "12", done.stderr


# Identity.

SAME = {
    "a comment": MODEL + "# more\n",
    "a docstring": '"""What it is."""\n' + MODEL,
    "the study": MODEL + "study = dict(seeds=3)\n",
    "the contrasts": MODEL + 'contrasts = ["qat - ptq"]\n',
    "layout": MODEL.replace("(classes)", "( classes )"),
}
OTHER = {
    "a layer": MODEL.replace("Flatten()", "GlobalAveragePooling2D()"),
    "a constant": MODEL + "WIDTH = 3\n",
    "a function that nothing calls yet": MODEL + "def helper(): return 3\n",
}


@pytest.mark.parametrize("change", SAME)
def test_what_asks_or_explains_does_not_identify(written, change):
    assert plugins.load(written(SAME[change])).identity == plugins.load(written(MODEL)).identity


@pytest.mark.parametrize("change", OTHER)
def test_what_computes_identifies(written, change):
    assert plugins.load(written(OTHER[change])).identity != plugins.load(written(MODEL)).identity


def test_siblings_and_files_identify(written, tmp_path):
    (tmp_path / "w.bin").write_bytes(b"1")
    path = written('import sibling_id\nfiles = ["w.bin"]\n' + MODEL)
    seen = set()
    for sibling, weights in (("X = 1", b"1"), ("X = 2", b"1"), ("X = 2", b"2")):
        written(sibling, "sibling_id.py")
        (tmp_path / "w.bin").write_bytes(weights)
        seen.add(plugins.load(path).identity)
    assert len(seen) == 3


def test_an_edited_model_gets_other_cells_and_a_renamed_file_the_same(written):
    def ids(text, name):
        return {cell.id for cell in cells(study.load(written(text, name), ["seeds=1"]))}

    assert ids(MODEL, "first_name.py") == ids(MODEL, "second_name.py")
    assert not ids(MODEL, "third_name.py") & ids(OTHER["a layer"], "fourth_name.py")


def test_data_are_identified_by_content(written):
    def key(text):
        path = written(text)
        study.load(path)
        return datasets.identity(Path(path).stem)

    assert key(DATA) == key(DATA + "# the same arrays\nUNUSED = 1\n")
    assert key(DATA) != key(DATA.replace("default_rng(0)", "default_rng(1)"))


# BatchNormalization, without TensorFlow.

WITH = "import tf_keras\ndef model(shape, classes):\n    return {}\n"


@pytest.mark.parametrize(
    ("expression", "may"),
    [
        ("tf_keras.layers.BatchNormalization()", True),
        ("tf_keras.layers.LayerNormalization()", False),
        ("tf_keras.applications.MobileNetV2()", True),
        ("tf_keras.models.load_model('x')", True),
        ("tf_keras.layers.Dense(3)", False),
    ],
)
def test_batch_norm_is_read_from_the_source(written, expression, may):
    path = written(WITH.format(expression))
    made = study.load(path)
    assert models.normalizes(Path(path).stem) == may
    assert ("batch_norm_momentum" in made.reaching("float", model=made.models[0])) == may


def test_batch_norm_of_a_sibling_and_of_an_unknown_package_count(written):
    written("from tf_keras.layers import BatchNormalization as BN\n", "bn_sibling.py")
    for text in ("import bn_sibling\n", "import a_package_of_networks\n"):
        path = written(text + WITH.format("1"))
        study.load(path)
        assert models.normalizes(Path(path).stem)


def test_a_momentum_that_no_layer_takes_is_an_error(written):
    with pytest.raises(InputError, match=r"batch_norm_momentum: set, but own\d+\.py has no Batch"):
        study.load(written(MODEL), ["batch_norm_momentum=[0.9]"])
    assert len(cells(study.load("digits", [f"models=[{written(MODEL)}:model, bncnn]", "seeds=1"])))


# Results without the file.


def test_a_folders_study_is_read_without_the_file(written, tmp_path):
    path = written(MODEL + DATA)
    made = study.load(path)
    Path(path).unlink()
    program = (
        "import sys, tomllib\nfrom bench import study\n"
        "made = study.validate(tomllib.load(open('s.toml', 'rb')), 's')\n"
        "print(made.models[0], made.reaching('float', model=made.models[0]))\n"
    )
    (tmp_path / "s.toml").write_text(made.to_toml())
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    stem = Path(path).stem
    assert done.stdout.startswith(f"{stem} ('train_examples', "), done.stderr
    assert "batch_norm_momentum" not in done.stdout
    assert study.validate(tomllib.loads(made.to_toml()), "test") == made
    assert str(tmp_path) not in made.to_toml()


def test_what_stands_under_main_is_no_part_of_it(written):
    path = written(MODEL + "if __name__ == '__main__':\n    study = dict(seeds=2)\n    exit(1)\n")
    assert "study" not in plugins.load(path).names
    assert study.load(path).seeds == study.validate({}, "test").seeds


def test_a_file_that_is_not_named_is_missed_where_the_text_was_sent(written, tmp_path, monkeypatch):
    (tmp_path / "w.txt").write_text("weights")
    own = plugins.load(written("def read():\n    return open('w.txt').read()\n"))
    assert own.call("read") == "weights"
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError):
        pickle.loads(pickle.dumps(own)).call("read")
