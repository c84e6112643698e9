"""What falls out of the cache of trainers is freed, graphs and all."""

import gc
import weakref

import numpy as np
import pytest

from bench.pipelines import cell, convert, streams, train
from bench.pipelines.cache import recent
from bench.pipelines.lean import forget_gradients
from tests.pipelines import networks
from tests.pipelines.networks import CLASSES, SCALE, SHAPE, layers


def test_the_most_recently_used_are_kept():
    made = []

    @recent(2)
    def square(n):
        made.append(n)
        return n * n

    assert [square(n) for n in (1, 2, 1, 3, 1, 2)] == [1, 4, 1, 9, 1, 4]
    assert made == [1, 2, 3, 2]  # 2 fell out when 3 came, as 1 had been used since


def test_a_function_may_ask_for_others_while_it_makes_one():
    made = []

    @recent(2)
    def factorial(n):
        made.append(n)
        return n * factorial(n - 1) if n else 1

    assert factorial(4) == 24
    assert factorial(4) == 24
    assert made == [4, 3, 2, 1, 0]


def test_a_failure_is_not_kept():
    tries = []

    @recent(2)
    def fails_once(n):
        tries.append(n)
        if len(tries) == 1:
            raise ValueError("once")
        return n

    with pytest.raises(ValueError, match="once"):
        fails_once(1)
    assert fails_once(1) == 1


def test_what_falls_out_is_freed_at_once_though_it_holds_itself():
    class Cyclic:
        def __init__(self):
            self.itself = self

    make = recent(2)(lambda n: Cyclic())
    gc.disable()
    try:
        references = [weakref.ref(make(n)) for n in range(5)]
        assert [r() is not None for r in references] == [False, False, False, True, True]
    finally:
        gc.enable()


def swishing(shape, classes):
    return networks.stack(
        lambda: layers.Conv2D(4, 3, activation="swish"),
        lambda: layers.Dropout(0.2),
        lambda: layers.SeparableConv2D(4, 3, activation="relu"),
    )(shape, classes)


@pytest.mark.parametrize("build", [networks.branches, swishing])
def test_a_trainer_that_falls_out_is_freed_with_its_model_its_graphs_and_its_converter(build):
    cell.prepare()
    x, y = networks.tensors(32)
    references = []

    @recent(2, forget_gradients)
    def trainers(number):
        base = train.Trainer(build, SHAPE, CLASSES, "adam", SCALE)
        quantized = train.Trainer(build, SHAPE, CLASSES, "adam", SCALE, base.model)
        for trainer in (base, quantized):
            trainer.load(trainer.forked(base.initial(number, {}).weights))
            order = np.arange(32, dtype=np.int32)
            trainer.run(x, y, [order], 16, 1e-3, [streams.noise(0, number, {})])
            trainer.logits(x)
            converter = convert.Converter(trainer.model, SCALE)
            converter.float32()
            made = (
                trainer,
                trainer.model,
                *trainer._checked.values(),
                converter,
                converter._function,
            )
            references.extend(weakref.ref(one) for one in made)
        quantized.calibrate(x.numpy(), 16)
        return base, quantized

    for number in range(4):
        trainers(number)
    alive = [reference() is not None for reference in references]
    assert not any(alive[:20])
    assert all(alive[20:23])
