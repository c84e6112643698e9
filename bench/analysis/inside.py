"""What the rows say of each arm's models inside, and which classes and examples an arm harms."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.analysis.records import Sample, Setting
from bench.statistics import families
from bench.statistics.checks import FloatArray, IntArray
from bench.statistics.sign_flip import sign_flip_p

UNBELIEVED = {
    1: "keeping the tensors changed the outputs",
    2: "it has other operators than the float file",
    3: "looking failed",
}
"""Of `pipelines.diagnose.inside.LEFT_OUT`."""

NEARLY = 0.9
"""Share of seeds in which an example must break to be broken in nearly every one."""


@dataclass(frozen=True)
class Inside:
    """One arm at one setting. Means over its evaluated models, of `layers` over those looked into.

    models: evaluated; seeds: of these; looked_into: of these, those whose models were, layer by
    layer; at_limit, flips, flips_tied: shares of the test examples; clipped: largest share of the
    test inputs; float_ops, requantizations: most in a file; layers: `layer / number` -> mean;
    left_out: why tensors inside are not known, and the error, empty where there was none -> of how
    many models; kernels: share of the test examples that these kernels classify otherwise than
    XNNPACK on one thread; kernel_outputs: whose largest output is more than a step away from
    XNNPACK's; None where a number is not known.
    """

    setting: Setting
    arm: str
    models: int
    seeds: int
    looked_into: int
    at_limit: float | None
    clipped: float | None
    float_ops: float | None
    requantizations: float | None
    ties: float | None
    flips: float | None
    flips_tied: float | None
    batch_norm_left: float | None
    range_left: float | None
    steps: float | None
    layers: Mapping[str, float]
    left_out: Mapping[tuple[str, str], int]
    kernels: float | None = None
    kernel_outputs: float | None = None

    def of(self, number: str) -> dict[str, float]:
        """Layer -> one of its numbers."""
        found = {}
        for name, value in self.layers.items():
            layer, _, what = name.rpartition(" / ")
            if what == number:
                found[layer] = value
        return found


@dataclass(frozen=True)
class Harm:
    """Classes and test examples of one arm against `float` at one setting, on shared seeds.

    classes: class -> (mean share of its examples, in pp, that become right less that become wrong,
    corrected p); examples: how many are right in float and wrong in the arm in nearly every seed.
    """

    setting: Setting
    arm: str
    seeds: int
    classes: Mapping[int, tuple[float, float]]
    examples: int


def harms(samples: Sequence[Sample], labels: Mapping[str, IntArray]) -> tuple[Harm, ...]:
    """Of every quantized arm that has a float one beside it: an exact sign-flip test per class over
    seeds, corrected over all classes, arms and settings together (Benjamini & Hochberg)."""
    floats = [s for s in samples if s.arm == "float" and s.correct is not None]
    found: list[tuple[Sample, int, IntArray, int]] = []
    p_values: list[float | None] = []
    for sample in samples:
        if sample.arm == "float" or sample.correct is None or not sample.arm.startswith(_QUANTIZED):
            continue
        base = next((f for f in floats if f.setting.within(sample.setting)), None)
        known = labels.get(str(sample.setting.dataset))
        if base is None or base.correct is None or known is None:
            continue
        seeds = [seed for seed in sample.seeds if seed in base.seeds]
        if len(seeds) < 2:
            continue
        at = [sample.seeds.index(seed) for seed in seeds], [base.seeds.index(s) for s in seeds]
        change = sample.correct[at[0]].astype(np.int8) - base.correct[at[1]].astype(np.int8)
        broken = int(((change < 0).mean(axis=0) >= NEARLY).sum())
        for label in np.unique(known):
            net = change[:, known == label].sum(axis=1, dtype=np.int64)
            found.append((sample, int(label), net, broken))
            p_values.append(sign_flip_p(net))
    adjusted = families.adjusted(p_values, "bh")
    made: dict[int, Harm] = {}
    for (sample, label, net, broken), p in zip(found, adjusted, strict=True):
        size = int((labels[str(sample.setting.dataset)] == label).sum())
        first = made.get(id(sample))
        classes = dict(first.classes) if first else {}
        classes[label] = (float(100 * net.mean() / size), p or 0.0)
        made[id(sample)] = Harm(sample.setting, sample.arm, len(net), classes, broken)
    return tuple(made.values())


_QUANTIZED = ("ptq", "qat")


def mean(values: Sequence[float | None]) -> float | None:
    known: FloatArray = np.array([v for v in values if v is not None], dtype=np.float64)
    return float(known.mean()) if known.size else None


def most(values: Sequence[float | None]) -> float | None:
    return max((v for v in values if v is not None), default=None)


def left_out(looked: Sequence[tuple[Mapping[str, float], str | None]]) -> dict[
    tuple[str, str], int
]:  # fmt: skip
    """Why, and the error -> how many of these models; of each its numbers by layer, and its column
    `layers_error`."""
    found: Counter[tuple[str, str]] = Counter()
    for numbers, error in looked:
        code = numbers.get("file / left_out")
        if code is not None:
            found[UNBELIEVED[int(code)], error or ""] += 1
    return dict(found)
