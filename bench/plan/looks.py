"""Adding seeds until the answer is clear: what is declared before the first seed runs.

The statistics are in bench.statistics.sequential; bench.analysis says which contrasts are clear.
"""

from bench.errors import InputError
from bench.plan.forecast import primary_family
from bench.statistics.families import fewest_seeds
from bench.study import Sequential, Study

FIRST, STEP = 10, 5
"""Seeds at the first look, and between looks."""


def declare(study: Study, until: str, max_seeds: int | None) -> Study:
    """The study with its looks fixed: from FIRST seeds (more if the primary family takes more for
    any verdict) in steps of STEP, up to max_seeds; without a maximum, for as long as it takes.

    until: `decided`, or `half-width=H` in pp. Raises InputError.
    """
    name, equals, value = until.partition("=")
    half_width = None
    if name == "half-width" and equals:
        try:
            half_width = float(value)
        except ValueError:
            raise InputError("--until", repr(until), "allowed: half-width=0.3, in pp") from None
    elif until != "decided":
        raise InputError("--until", repr(until), "allowed: decided, or half-width=0.3 (in pp)")
    family = primary_family(study)
    if not family:
        raise InputError("--until", "no primary contrast in this study", "allowed: at least one")
    fewest = fewest_seeds(study.alpha, family)
    first = max(FIRST, fewest)
    fields: dict[str, object] = {"half_width": half_width}
    if max_seeds is None:
        fields |= {"looks": (first,), "every": STEP}
    elif max_seeds < fewest:
        raise InputError(
            "--max-seeds",
            f"found {max_seeds}",
            f"allowed: at least {fewest}, for a verdict in a family of {family} primary contrasts",
        )
    else:
        fields["looks"] = (*range(first, max_seeds, STEP), max_seeds)
    grown = study if max_seeds is None else study.with_seeds(max_seeds)
    return grown.model_copy(update={"sequential": Sequential.model_validate(fields)})
