"""What of a study the changes of its contrasts follow from."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from bench.analysis.records import Setting, Value
from bench.study.arms import Contrast
from bench.study.effects import Effect


@dataclass(frozen=True)
class Design:
    """What of a study its changes follow from.

    reference: factor -> the level that its effects are counted from, where that is declared (else
    the first in a setting's order); declared: the effects in the primary family; is_primary: are
    the primary contrasts primary at this setting? recipes: name -> level of each factor that
    recipes name, the base first; asked: does the study ask for a contrast at this setting? metric:
    the one whose contrasts are primary, None where all metrics' are.
    """

    reference: Mapping[str, Value] = field(default_factory=dict)
    declared: Collection[Effect] = ()
    is_primary: Callable[[Setting], bool] = lambda setting: True
    recipes: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    asked: Callable[[Contrast, Setting], bool] = lambda contrast, setting: True
    metric: str | None = None

    @property
    def in_recipes(self) -> Collection[str]:
        """Factors that recipes name."""
        return next(iter(self.recipes.values()), {}).keys()

    def declares(self, factor: str, level: str | None, contrast: str) -> bool:
        """Is this effect declared primary? level: None for a slope."""
        return bool({Effect(factor, level, contrast), Effect(factor, None, contrast)}
                    & set(self.declared))  # fmt: skip

    def asks_of(self, factor: str, contrast: str) -> bool:
        """Is any effect of this factor on this contrast declared?"""
        return any((e.factor, e.contrast) == (factor, contrast) for e in self.declared)
