"""Paths in a study's file start from that file, wherever the command is run."""

import numpy as np
import pytest

from bench import datasets, study
from bench.errors import InputError
from bench.store.folder import Store
from tests.datasets.build import npz, parquet_images


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A working directory beside studies/ and data/."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "studies").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    parquet_images(tmp_path / "data" / "mine")
    npz(tmp_path / "studies" / "inner")
    return tmp_path


def written(home, named):
    path = home / "studies" / "my.toml"
    path.write_text(f"datasets = {named!r}\n")
    return str(path)


@pytest.mark.parametrize("given", ["../studies/my.toml", "absolute"])
@pytest.mark.parametrize("named", ["../data/mine", "./inner/mine.npz", "inner/mine.npz"])
def test_a_studys_paths_start_from_its_file(home, given, named):
    path = written(home, [named])
    loaded = study.load(path if given == "absolute" else given)
    assert datasets.load(loaded.datasets[0]).name == "mine"


def test_names_and_absolute_paths_stay(home):
    absolute = str(home / "data" / "mine")
    loaded = study.load(written(home, ["digits", absolute]))
    assert loaded.datasets == ("digits", absolute)


def test_a_path_on_the_command_line_starts_from_the_working_directory(home):
    path = written(home, ["digits"])
    loaded = study.load(path, ["datasets=../data/mine"])
    assert datasets.load(loaded.datasets[0]).name == "mine"


def test_a_single_name_is_taken_as_a_list_of_one(home):
    path = home / "studies" / "my.toml"
    path.write_text('datasets = "inner/mine.npz"\n')
    assert datasets.load(study.load(str(path)).datasets[0]).name == "mine"


@pytest.mark.parametrize("out", ["results/x", "../studies/deep/down", "."])
def test_the_study_in_a_result_folder_is_a_study_that_runs_from_there(home, out):
    loaded = study.load(written(home, ["../data/mine", "digits"]))
    store = Store(home / "elsewhere" / out)
    store.write_study(loaded)
    text = (store.folder / "study.toml").read_text()
    assert str(home) not in text  # no path of this machine
    again = study.load(str(store.folder / "study.toml"))
    assert datasets.identity(again.datasets[0]) == datasets.identity(loaded.datasets[0])
    assert again.datasets[1] == "digits"


def test_a_result_folder_is_read_where_the_data_are_not(home):
    store = Store(home / "elsewhere" / "results")
    store.write_study(study.load(written(home, ["../data/mine"])))
    (home / "data").rename(home / "gone")
    read = store.study()
    assert [datasets.label(name) for name in read.datasets] == ["mine"]


def test_the_label_is_the_last_part_without_a_files_ending(home):
    labels = {
        "digits": "digits",
        "./mnist": "mnist",
        "../a/v1.0/": "v1.0",
        "mine.npz": "mine",
        "a/B.ZIP": "B",
        "x.csv": "x",
        "./": "elsewhere",
    }
    assert {name: datasets.label(name) for name in labels} == labels


@pytest.mark.parametrize("name", ["mine.npz", "./mine", "a/mine.zip"])
def test_what_is_not_there_is_one_message(home, name):
    with pytest.raises(InputError, match="datasets: no f"):
        datasets.check_source(name, "datasets")


def test_a_base_is_where_relative_paths_start():
    assert datasets.resolve("digits").label == "digits"


def test_resolve_takes_the_base(home):
    source = datasets.resolve("inner/mine.npz", home / "studies")
    assert source.label == "mine"
    assert np.array_equal(source.load().x_test, source.test().x)
