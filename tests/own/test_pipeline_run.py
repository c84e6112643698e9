"""Whole pipelines of one's own through the command, on a real local Ray, by what they return."""

import json
from pathlib import Path

import numpy as np
import pytest

from bench.store.folder import Store
from tests.own.test_run import command, rows

pytestmark = pytest.mark.slow

EVERY_KIND = '''
"""Every kind of return value"""
import numpy as np
rng = np.random.default_rng(0)
files = ["model.tflite"]
study = dict(seeds=3, shift=[0.0, 0.5])

class Uncopied:
    def __init__(self, order): self.order = order
    def __deepcopy__(self, memo): raise TypeError("not to be copied")

def data():
    x = rng.normal(size=(60, 4)).astype(np.float32)
    y = x[:, :3].argmax(1)
    return (x[:20], y[:20]), (x[20:], y[20:])

def start(seed, data, shift=0.25):
    (x, y), (x_test, _) = data
    noise = np.random.normal(size=(3,))  # of the global generator, which the cell seeds
    return Uncopied(x_test[:, :3] + noise * 0.3 + shift * np.arange(3))

def arm_scores(net): return net.order
def arm_classes(net):
    net.order *= 1  # in place
    return net.order.argmax(1)
def arm_file(net): return open("model.tflite", "rb").read()
def arm_path(net): return "model.tflite"
def arm_metrics(net, data, extra, seed):
    return {"accuracy": float((net.order.argmax(1) == data[1][1]).mean()), "latency_ms": 1 + seed}
contrasts = ["classes - scores", "file - scores", "metrics - classes"]
'''


@pytest.fixture(scope="module")
def every_kind(tmp_path_factory):
    """A run of all kinds of return value; what each file of the tests holds."""
    import tf_keras

    from bench.pipelines.convert import Converter

    folder = tmp_path_factory.mktemp("kinds")
    model = tf_keras.Sequential([tf_keras.layers.Input((4,)), tf_keras.layers.Dense(3)])
    weights = np.eye(4, 3, dtype=np.float32)
    weights[0, 1] = 0.7
    model.set_weights([weights, np.zeros(3, np.float32)])
    (folder / "model.tflite").write_bytes(Converter(model, 1.0).float32())
    (folder / "mine.py").write_text(EVERY_KIND)
    done = command("run", "mine.py", "--workers", "2", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder, done


def test_each_is_judged_by_what_it_is(every_kind):
    folder, _ = every_kind
    found = rows(folder / "results" / "mine")
    assert len(found) == 3 * 2 * 5
    assert {row["status"] for row in found} == {"ok"}, [row["error"] for row in found]
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 4)).astype(np.float32)
    y = x[20:, :3].argmax(1)
    weights = np.eye(4, 3, dtype=np.float32)
    weights[0, 1] = 0.7
    of_file = ((x[20:] @ weights).argmax(1) == y).mean()
    for row in found:
        shift = json.loads(row["own_factors"])["shift"]
        noise = np.random.RandomState(row["seed"]).normal(size=(3,))
        order = x[20:, :3] + noise * 0.3 + shift * np.arange(3)
        expected = of_file if row["arm"] in ("file", "path") else (order.argmax(1) == y).mean()
        assert dict(row["metrics"])["accuracy"] == expected, row["arm"]
        assert row["extra"] == (1 if row["arm"] == "metrics" else None)
        assert row["number_format"] == ("float32" if row["arm"] in ("file", "path") else None)
        if row["arm"] == "metrics":
            assert (row["predictions"], dict(row["metrics"])["latency_ms"]) == (
                None,
                1 + row["seed"],
            )
        else:
            assert (row["n"], row["accuracy"]) == (40, expected)


def test_the_rest_is_as_for_built_in_pipelines(every_kind):
    folder, _ = every_kind
    out = folder / "results" / "mine"
    report = (out / "report.md").read_text("utf-8")
    assert report.startswith("# Every kind of return value\n")
    assert "`shift` `0.5` instead of `0`" in report
    assert "QAT" not in report.replace("QAT.", "").split("## ")[0]
    again = command("run", "mine.py", "--workers", "2", cwd=folder)
    assert "30 of 30 cells are there already" in again.stderr
    (folder / "mine.py").rename(folder / "gone.py")
    assert command("analyze", "results/mine", cwd=folder).returncode == 0
    (folder / "gone.py").rename(folder / "mine.py")
    (folder / "mine.py").write_text(EVERY_KIND.replace("* 0.3", "* 0.2"))
    edited = command("run", "mine.py", "--workers", "2", "--set", "seeds=1", cwd=folder)
    assert "30 results in this folder are of no cell of this study" in edited.stderr
    assert len(rows(out)) == 30 + 10


REFUSED = {
    "unequal in reverse order": (
        "def start(seed): return [0]\ndef arm_a(net): net[0] += 1; return [net[0]] * 4\n"
        "COUNT = []\ndef arm_b(net): COUNT.append(1); return [len(COUNT)] * 4\n",
        "mine.py, arm_b(): gives something else when the arms run in reverse order (seed 0): 4 of",
    ),
    "another length for one arm": (
        "def arm_a(): return [0, 1, 2, 0]\ndef arm_b(): return [0, 1, 2]\n",
        "mine.py, arm_b(): 3 predictions for 4 test examples (shape (3,)); allowed: one for each",
    ),
    "a start that raises": (
        "def start(seed):\n    return 1 / 0\ndef arm_a(net): return [0] * 4\n",
        'mine.py: start() failed\n  File "mine.py", line 3, in start',
    ),
    "arms that all raise": (
        "def arm_a():\n    return {}['x']\ndef arm_b(): raise ValueError('no')\n",
        "mine.py: every arm failed",
    ),
    "an arm that ends the process": (
        "import sys\ndef arm_a(): sys.exit(3)\n",
        "it ended the process: sys.exit(3)",
    ),
    "nothing": ("def arm_a(): print('hello')\n", "mine.py, arm_a(): it returned None; allowed:"),
}


QUICK = ("unequal in reverse order", "arms that all raise")
"""What every test run tries; the others are faults of the same kind."""


def test_metrics_by_name_need_no_labels(tmp_path):
    """Each arm is the seed's number and a constant, so that every difference is that constant."""
    (tmp_path / "mine.py").write_text(
        "def start(seed): return 0.7 + seed / 100\n"
        "def arm_float(net): return {'accuracy': net}\n"
        "def arm_ptq(net): return {'accuracy': net - 0.02}\n"
        "study = dict(seeds=6)\n"
    )
    done = command("run", "mine.py", "--workers", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "results" / "mine"
    assert not (folder / "labels.parquet").exists()
    (contrast,) = json.loads((folder / "verdicts.json").read_text())["verdicts"]
    assert contrast["mean"] == pytest.approx(-2)
    assert contrast["verdict"] == "different and it matters"


@pytest.mark.parametrize(
    "kind",
    [k if k in QUICK else pytest.param(k, marks=pytest.mark.faults) for k in REFUSED],
)
def test_what_no_seed_will_mend_ends_the_run_before_anything_is_written(tmp_path, kind):
    text, said = REFUSED[kind]
    (tmp_path / "mine.py").write_text("def labels(): return [0, 1, 2, 0]\n" + text)
    done = command("run", "mine.py", "--workers", "1", "--set", "seeds=2", cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "site-packages" not in done.stderr
    assert "hello" not in done.stdout
    assert not (tmp_path / "results" / "mine" / "study.toml").exists()


@pytest.mark.faults
def test_what_fails_here_and_there_is_a_failed_cell_and_the_rest_goes_on(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import os, signal\nstudy = dict(seeds=4)\ndef labels(): return [0, 1, 2, 0]\n"
        "def start(seed): return seed\n"
        "def arm_a(net): return [0, 1, 2, 0]\n"
        "def arm_b(net):\n    if net == 1: raise ValueError('not this one')\n"
        "    if net == 2: return [0]\n"
        "    if net == 3: os.kill(os.getpid(), signal.SIGSEGV)\n    return [0, 1, 2, 1]\n"
    )
    done = command("run", "mine.py", "--workers", "1", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    found = {(row["arm"], row["seed"]): row for row in rows(tmp_path / "results" / "mine")}
    assert {found["a", seed]["status"] for seed in range(4)} == {"ok"}
    assert found["b", 0]["status"] == "ok"
    assert {found["b", seed]["status"] for seed in (1, 2, 3)} == {"failed"}
    assert found["b", 1]["error"] == "ValueError: not this one (mine.py:7)"
    assert found["b", 2]["error"].startswith("mine.py, arm_b(): 1 predictions for 4 test examples")
    assert found["b", 3]["error"] == "crashed: SIGSEGV"


@pytest.mark.faults
def test_its_workers_import_no_tensorflow(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import sys\ndef labels(): return [0, 1, 2, 0]\n"
        "def arm_a():\n    assert 'tensorflow' not in sys.modules\n    return [0, 1, 2, 0]\n"
    )
    done = command("run", "mine.py", "--workers", "1", "--set", "seeds=2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_check_passes_a_good_pipeline_and_names_what_is_wrong(every_kind, tmp_path):
    folder, _ = every_kind
    done = command("check", "mine.py", "--workers", "2", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "✓ arms in reverse order: equal, what start returned cannot be copied" in done.stdout
    assert "✓ one seed twice: the same bits" in done.stdout
    assert "✓ arm file: a .tflite of " in done.stdout
    assert "✓ time and memory: 6 times" in done.stdout
    (tmp_path / "bad.py").write_text(
        "import os\ndef labels(): return [0, 1, 2, 0]\ndef start(seed): return os.urandom(1)[0]\n"
        "def arm_a(net): return [[net, 1, 2]] * 4\n"
        "def arm_b(net): return [0, 1]\n"
        "def arm_c(net): raise KeyError('x')\n"
        "def arm_d(net): return [1] * 4\n"
    )
    bad = command("check", "bad.py", cwd=tmp_path)
    assert bad.returncode == 1
    assert "✗ arm a: bad.py, arm_a(): integers of shape (4, 3)" in bad.stdout
    assert "✗ arm b: bad.py, arm_b(): 2 predictions for 4 test examples" in bad.stdout
    assert "✗ arm c: KeyError: 'x' (bad.py:6)" in bad.stdout
    assert "✗ arm d: " in bad.stdout
    assert "is it trained at all?" in bad.stdout
    assert "Traceback" not in bad.stderr


def test_the_log_of_every_command_is_kept_and_its_exit_code_decides(tmp_path):
    (tmp_path / "helper.py").write_text("WORD = 'helped'\n")
    (tmp_path / "table.txt").write_text("1 2 0")
    (tmp_path / "train.py").write_text(
        "import sys, numpy as np, helper\nseed, arm, out, units = sys.argv[1:]\n"
        "print(helper.WORD, arm, seed)\nprint('careful', file=sys.stderr)\n"
        "if arm == 'bad': sys.exit('no memory left')\n"
        "y = np.array([0] + list(map(int, open('table.txt').read().split())))\n"
        "if arm == 'scores': np.save(out + '/scores.npy', np.eye(3)[y])\n"
        "if arm == 'classes': np.save(out + '/predictions.npy', np.where(y == int(seed), 1, y))\n"
        "if arm == 'metrics':\n    import json\n"
        "    json.dump({'accuracy': 0.5, 'units': int(units)}, open(out + '/metrics.json', 'w'))\n"
        "if arm == 'both':\n    np.save(out + '/scores.npy', y)\n"
        "    np.save(out + '/predictions.npy', y)\n"
        "if arm == 'other': open(out + '/result.txt', 'w')\n"
        "if arm == 'broken': open(out + '/scores.npy', 'w').write('no array')\n"
    )
    (tmp_path / "mine.py").write_text(
        "command = '{python} train.py {seed} {arm} {out} {units}'\nfiles = ['table.txt']\n"
        "arms = ['scores', 'classes', 'metrics', 'bad', 'both', 'other', 'broken', 'none']\n"
        "def labels(): return [0, 1, 2, 0]\nstudy = dict(seeds=2, units=8)\n"
        "contrasts = ['classes - scores']\n"
    )
    done = command("run", "mine.py", "--workers", "2", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    out = tmp_path / "results" / "mine"
    found = {(row["arm"], row["seed"]): row for row in rows(out)}
    assert found["scores", 0]["accuracy"] == 1.0
    assert found["classes", 0]["accuracy"] == 0.5
    assert dict(found["metrics", 0]["metrics"]) == {"accuracy": 0.5, "units": 8.0}
    errors = {arm: row["error"] for (arm, seed), row in found.items() if seed == 0}
    assert errors["bad"] == "exit code 1: helped bad 0 / careful / no memory left"
    assert "it left predictions.npy, scores.npy in {out}; allowed: one of" in errors["both"]
    assert "it left result.txt in {out}; allowed: one of predictions.npy" in errors["other"]
    assert "it left nothing in {out}" in errors["none"]
    assert "scores.npy cannot be read" in errors["broken"]
    for (arm, seed), row in found.items():
        log = (out / "logs" / f"{row['cell']}.txt").read_text("utf-8")
        assert log.startswith(f"helped {arm} {seed}\ncareful\n"), log
    assert Store(out).study().pipeline.kind == "command"
    assert str(Path(tmp_path)) not in (out / "study.toml").read_text("utf-8")


def test_a_program_that_no_node_has_is_named(tmp_path):
    (tmp_path / "mine.py").write_text(
        "command = 'no-such-program {arm} {out}'\narms = ['a', 'b']\n"
        "def labels(): return [0, 1, 2, 0]\n"
    )
    done = command("check", "mine.py", cwd=tmp_path)
    assert done.returncode == 1
    assert "'no-such-program' cannot be run on node " in done.stdout
