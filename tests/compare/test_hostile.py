"""Damaged and hostile files: a result or one message, and the command goes on living."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

from bench.errors import InputError
from bench.pipelines import files as compare
from bench.pipelines.isolated import Job, Processes
from bench.pipelines.testset import load_test
from tests.compare.conftest import edited, spec, traced, written
from tests.compare.test_command import command

MUTATIONS = 40


def a_loop_that_runs_itself():
    """The inner loop's body is made the graph that it stands in: the interpreter's stack ends."""

    def times(h, n):
        return tf.while_loop(lambda i, h: i < n, lambda i, h: (i + 1, h * 2.0), (0, h))[1]

    def nested(x):
        x = tf.reshape(x, (-1, 64))[:, :10]
        return tf.while_loop(lambda i, h: i < 3, lambda i, h: (i + 1, times(h, 3)), (0, x))[1]

    def recurse(model):
        for at, graph in enumerate(model.subgraphs):
            for operator in graph.operators:
                if at and isinstance(operator.builtinOptions, schema.WhileOptionsT):
                    operator.builtinOptions.bodySubgraphIndex = at

    return edited(traced(nested, spec(1, 8, 8, 1)), recurse)


def test_a_file_that_crashes_the_interpreter_is_named_with_its_signal(files, tmp_path):
    path = written(tmp_path, "crash", a_loop_that_runs_itself())
    said = f"{path}: ended the interpreter (SIGSEGV); allowed: a whole TFLite file, as a "
    for pair in ((path, files["int8"]), (files["int8"], path)):
        with pytest.raises(InputError) as caught:
            compare.compare(*pair, "digits")
        assert str(caught.value).startswith(said)
    done = command(files["float"], path, "--data", "digits")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {said}")
    assert "Traceback" not in done.stderr


def test_a_file_that_wants_more_memory_than_there_is_is_refused(files, tmp_path):
    """35 TB between two operators."""
    blob = traced(
        lambda x: tf.reshape(tf.tile(x, (1, 1024, 1024, 2**17))[:, :8, :8, :1], (-1, 64))[:, :10],
        spec(1, 8, 8, 1),
    )
    path = written(tmp_path, "large", blob)
    with pytest.raises(InputError) as caught:
        compare.compare(path, files["int8"], "digits")
    assert str(caught.value).startswith(f"{path}: ")


def mutated(good, rng):
    """One byte another one, or one word among those that lengths and offsets stumble over."""
    blob = bytearray(good)
    at = int(rng.integers(len(blob)))
    if rng.random() < 0.5:
        blob[at] = int(rng.integers(256))
    else:
        word = int(rng.choice([0, 1, 2**31 - 1, 2**31, 2**32 - 1, 0x7FC00000, len(blob)]))
        blob[at // 4 * 4 : at // 4 * 4 + 4] = word.to_bytes(4, "little")
    return bytes(blob)


def test_any_damage_ends_in_a_result_or_in_one_message(files):
    whole = load_test("digits")
    test = replace(whole, x=whole.x[:20], y=whole.y[:20])
    rng = np.random.default_rng(0)
    good = Path(files["int8"]).read_bytes()
    blobs = [mutated(good, rng) for _ in range(MUTATIONS)]

    def outcome(blob):
        try:
            with Processes(1) as processes:
                ((result, predicted),) = processes.evaluate([Job("x", blob, None, None)], test)
        except InputError as error:
            return str(error)
        assert result.correct == sum(predicted == test.y)
        return None

    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(outcome, blobs))
    assert 0 < said.count(None) < MUTATIONS
    for message in filter(None, said):
        assert message.startswith("x: ")
        assert "; allowed: " in message
        assert "\n" not in message


def test_processes_that_get_no_job_are_ended():
    """A data set that cannot be read comes to light after they were started."""
    with pytest.raises(InputError), Processes(2) as processes:
        load_test("./nowhere")
    assert all(process.returncode is not None for process in processes._running)
