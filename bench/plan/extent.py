"""How many optimizer steps a training takes, and on how many examples: the plan and the pipeline
count alike."""

from dataclasses import dataclass

from bench.datasets import Size
from bench.plan.cells import Recipe
from bench.study.units import Unit


@dataclass(frozen=True, slots=True)
class Extent:
    """examples: of the training set; batch: of a step, an epoch's last one has what is left."""

    examples: int
    batch: int

    @property
    def steps(self) -> int:
        """Of an epoch."""
        return -(-self.examples // self.batch)

    def of(self, amount: int, unit: Unit) -> int:
        """Steps of so many epochs, or of so many steps."""
        return amount if unit == "steps" else amount * self.steps

    def epochs(self, steps: int) -> int | None:
        """Of so many steps; None where they end within one."""
        whole, part = divmod(steps, self.steps)
        return None if part else whole

    def seen(self, steps: int) -> int:
        """Training examples behind so many steps, repeats counted."""
        whole, part = divmod(steps, self.steps)
        return whole * self.examples + min(part * self.batch, self.examples)


def examples(recipe: Recipe, size: Size) -> int:
    """Of the training set that a recipe leaves of a data set."""
    known = size.left.get(recipe.within({"data"}).levels)
    return known or recipe["train_examples"] or size.train


def of_float(recipe: Recipe, examples: int) -> Extent:
    """Of float training. examples: of the training set."""
    return Extent(examples, recipe["batch_size"])


def of_extra(recipe: Recipe, examples: int) -> Extent:
    """Of the epochs more."""
    chosen = recipe.get("extra_examples") or examples
    return Extent(chosen, recipe.get("extra_batch_size") or recipe["batch_size"])


def float_steps(recipe: Recipe, examples: int, budget: int) -> int:
    """Steps of float training to a budget, in the study's unit."""
    return of_float(recipe, examples).of(budget, recipe.budget_unit)


def extra_steps(recipe: Recipe, examples: int, extra: int) -> int:
    """Steps of the training more, in the study's unit."""
    return of_extra(recipe, examples).of(extra, recipe.extra_unit)


def fork_steps(recipe: Recipe, examples: int, budget: int, extra: int) -> int:
    """Steps of the training behind a checkpoint; of QAT from scratch those to the budget too."""
    before = float_steps(recipe, examples, budget) if recipe.get("qat_start") == "scratch" else 0
    return before + extra_steps(recipe, examples, extra)
