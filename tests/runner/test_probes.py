"""What is tried before anything trains: every arm, and every level that may not be possible."""

import pytest

from bench import study
from bench.errors import InputError
from bench.plan.cells import cells
from bench.runner import probes
from bench.runner.worker import Probed

FORMATS = ["seeds=2", "budgets=1", "batch_norm_momentum=0.9", "arms=[float,ptq]",
           "ptq_format=[int8,int16]", "learning_rate=[0.001,0.01]"]  # fmt: skip


def tried(*overrides):
    return probes.probes(cells(study.load("digits", [*FORMATS, *overrides])))


def found(said, *overrides):
    return [(probe, Probed(None, said, {}, 3)) for probe in tried(*overrides)]


def test_levels_that_may_not_be_possible_are_tried_and_others_are_not():
    (probe,) = tried()
    names = [fork.cells[0].tried_as for _, fork in probe.pieces]
    assert names == ["float", "ptq", "ptq with ptq_format = int16"]


def test_a_level_that_is_not_possible_leaves_the_others():
    refused = {"ptq with ptq_format = int16": "no kernel"}
    why = probes.unsupported(found(refused), ["float", "ptq"])
    assert list(why) == [("digits", "bncnn", "ptq with ptq_format = int16")]
    (line,) = probes.described(why)
    assert line == "ptq with ptq_format = int16 not possible for bncnn on digits: no kernel"
    held = [c for c in cells(study.load("digits", FORMATS)) if probes.place(c) in why]
    assert {(c.arm, c.recipe["ptq_format"]) for c in held} == {("ptq", "int16")}
    assert len(held) == 2 * 2  # seeds and learning rates


def test_a_model_of_which_nothing_is_left_is_an_error():
    every = {"float": "no", "ptq": "no"}
    assert len(probes.unsupported(found(every), ["float", "ptq"])) == 2
    with pytest.raises(InputError, match="some arm"):
        probes.unsupported(found(every, "ptq_format=int8"), ["float", "ptq"])
