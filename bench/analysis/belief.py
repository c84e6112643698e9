"""Before any contrast is believed: what withholds a verdict, and what qualifies it.

The protocol's "Before any contrast is believed", and the checks that a study's own float training
must pass before a difference of quantized models means anything.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from bench.analysis.comparisons import Comparison
from bench.analysis.records import DISAGREEING, Sample, Setting
from bench.statistics.families import Verdict
from bench.study.effective import number_format

START_LEFT = 0.05
"""More of batch norm's start left in its averages than this: they have not converged."""


@dataclass(frozen=True)
class Baselines:
    """What trivial classifiers of raw inputs score on a test set, as shares; None: not computed."""

    commonest: float | None = None
    nearest_centroid: float | None = None
    logistic: float | None = None


@dataclass(frozen=True)
class FloatCheck:
    """The float training of one dataset, model, recipe and budget.

    setting: of the arm `float`; seeds: evaluated; keras: the largest share of test examples that
    Keras and the file classify differently, and its seed; start_left: of batch norm's start, the
    largest share over its layers, None without such layers; accuracy: a share, the mean over seeds;
    examples: in the test set. withheld, qualified: why contrasts from here get no verdict, or not
    without a word.
    """

    setting: Setting
    seeds: int
    keras: tuple[float, int] | None
    start_left: float | None
    accuracy: float | None
    baselines: Baselines
    examples: int | None
    withheld: tuple[str, ...] = ()
    qualified: tuple[str, ...] = ()


def judged(check: FloatCheck, delta: float | None) -> FloatCheck:
    """The check with what follows from its numbers. delta: pp."""
    withheld, qualified = [], []
    if check.keras is not None and check.keras[0] > DISAGREEING:
        withheld.append(
            f"the float file is unlike its Keras model on {100 * check.keras[0]:.2g}% of the test "
            f"examples (seed {check.keras[1]})"
        )
    if check.start_left is not None and check.start_left > START_LEFT:
        qualified.append(
            "batch norm's averages have not converged: "
            f"{100 * check.start_left:.0f}% of their start are left"
        )
    base = check.baselines
    if check.accuracy is not None:
        if base.commonest is not None and check.accuracy <= base.commonest:
            qualified.append(
                f"the float model is no model: accuracy {100 * check.accuracy:.1f}% is no better "
                f"than naming the commonest class ({100 * base.commonest:.1f}%)"
            )
        elif base.nearest_centroid is not None and check.accuracy <= base.nearest_centroid:
            qualified.append(
                "the float model is below a trivial baseline: accuracy "
                f"{100 * check.accuracy:.1f}%, "
                f"nearest centroid on raw inputs {100 * base.nearest_centroid:.1f}%"
            )
    if delta is not None and check.examples and delta < 100 / check.examples:
        qualified.append(f"Δ = {delta:g} pp is less than one of {check.examples:,} test examples")
    return replace(check, withheld=tuple(withheld), qualified=tuple(qualified))


def believed(
    comparisons: Iterable[Comparison],
    checks: Sequence[FloatCheck],
    wrong_formats: Mapping[tuple[str, str], str],
) -> tuple[Comparison, ...]:
    """The comparisons, each with what withholds or qualifies its verdict.

    wrong_formats: arm and the number format that it claims -> the one that some of its files were
    audited as
    that they claim.
    """
    of_setting: dict[Setting, tuple[FloatCheck, ...]] = {}

    def checks_of(sample: Sample) -> tuple[FloatCheck, ...]:
        at = replace(sample.setting, extra=None)
        if at not in of_setting:
            of_setting[at] = tuple(check for check in checks if check.setting.within(at))
        return of_setting[at]

    return tuple(_believed(c, checks_of, wrong_formats) for c in comparisons)


def _believed(
    c: Comparison,
    checks_of: Callable[[Sample], tuple[FloatCheck, ...]],
    wrong_formats: Mapping[tuple[str, str], str],
) -> Comparison:
    withheld: dict[str, None] = {}
    qualified: dict[str, None] = {}
    for sample in c.pairs.samples:
        for check in checks_of(sample):
            withheld |= dict.fromkeys(check.withheld)
            qualified |= dict.fromkeys(check.qualified)
        claimed = wrong_formats and number_format(sample.arm, sample.setting.factors)
        if claimed and (found := wrong_formats.get((sample.arm, claimed))):
            withheld[f"files of {sample.arm} are {found}, not {claimed}"] = None
        evaluated = sample.statuses.get("ok", 0)
        diverged = sample.statuses.get("diverged", 0)
        if diverged and not evaluated and sample.not_finite == diverged:
            withheld[f"all outputs of {sample.arm} are not finite"] = None
        elif diverged:
            qualified[f"{diverged} of {diverged + evaluated} models of {sample.arm} diverged"] = (
                None
            )
    if not withheld and not qualified:
        return c
    return replace(
        c,
        withheld=tuple(withheld),
        qualified=tuple(qualified),
        verdict=Verdict.WITHHELD if withheld else c.verdict,
    )
