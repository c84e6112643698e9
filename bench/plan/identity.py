"""What identifies a cell: all that determines its result, and nothing else.

docs/decisions/008-identity.md says what is in it, what is not, and why.
"""

import hashlib
import json
from collections.abc import Collection, Sequence

from bench.study.arms import Stage
from bench.study.effective import effective
from bench.study.factors import Value

STREAM_STAGES: dict[str, Stage] = {
    "initialization": "float",
    "order": "float",
    "calibration": "calibration",
    "augmentation": "float",
    "dropout": "float",
}
"""The stage that each random stream acts in: a pinned one changes no arm beyond it."""

OWN_VERSION = 1
"""Of how somebody's pipeline is called and its results are read: raised by hand when the same
source would give other results."""


def cell_id(
    data: str,
    model: str,
    seed: int,
    budget: int,
    arm: str,
    extra: int | None,
    factors: Collection[tuple[str, Value]],
    pin: Collection[tuple[str, int]],
    objective: Sequence[str] | None = None,
    own: bool = False,
    units: Collection[tuple[str, str]] = (),
) -> str:
    """16 hex digits over all that determines a cell's result.

    data, model: what identifies their content; factors: those that reach the arm, of which a level
    at its default is left out, so that a new factor changes no identity; pin: streams that reach
    it; objective: Objective.identity. The arm counts by what it is, its training and its
    conversion at these levels, not by its name; of a whole pipeline of somebody's own (own) it is
    what the source calls by that name, and every level counts: their defaults are the source's.
    units: what budget and extra count, where they do not count epochs.
    """
    if own:
        what, levels = [["own", OWN_VERSION], ["own", arm]], dict(factors)
        streams: dict[str, int] = {}
    else:
        made = effective(arm, tuple(factors))
        training, conversion = made.training, made.conversion
        what = [[training.name, training.version], [conversion.name, conversion.version]]
        levels = dict(made.levels) | dict(units)
        streams = {stream: of for stream, of in pin if STREAM_STAGES[stream] in made.stages}
    more = [] if objective is None else [list(objective)]
    determines = [data, model, *what, seed, budget, extra, levels, streams, *more]
    text = json.dumps(determines, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
