"""One list at a time, and recipes: what runs, what is shared, and what is tested, against slow
oracles that enumerate all of it."""

import tomllib
from itertools import product

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from bench.analysis import analyze
from bench.errors import InputError
from bench.plan import cells as plan
from bench.plan.costs import total
from bench.plan.data import check_data
from bench.plan.forecast import primary_family
from bench.plan.identity import STREAM_STAGES
from bench.plan.times import Estimated
from bench.plan.trajectories import trajectories
from bench.report import build, markdown
from bench.store import folder as store
from bench.study import validate
from bench.study.arms import ARMS, TRAININGS
from bench.study.factors import FACTORS
from tests import synthetic
from tests.test_changes import accuracy

LEVELS = {
    "train_examples": ["all", 500],
    "batch_size": [32, 64, 16],
    "optimizer": ["adam", "sgd"],
    "learning_rate": [0.001, 0.01],
    "calibration_examples": [200, 20],
    "randomness": ["all", "calibration", "order"],
}
"""Of factors of every stage that the oldest of them act in."""


VARIED = {*LEVELS, "batch_norm_momentum"}


@st.composite
def fields(draw):
    """A study, whose lists are short and whose recipes name some of its factors."""
    in_recipes = draw(
        st.lists(st.sampled_from([n for n in LEVELS if n != "randomness"]), unique=True, max_size=3)
    )
    made = {
        "seeds": draw(st.integers(1, 2)),
        "design": draw(st.sampled_from(["crossed", "one-at-a-time"])),
        "budgets": draw(st.sampled_from([[1], [1, 4], [2, 3, 8]])),
        "extra": draw(st.sampled_from([[1], [1, 2]])),
        "models": draw(st.sampled_from([["bncnn"], ["tutorial_cnn", "bncnn"]])),
        "arms": draw(st.lists(st.sampled_from(list(ARMS)), min_size=1, unique=True)),
        "batch_norm_momentum": draw(st.sampled_from(["model", [0.9, 0.99]])),
        "primary": [],
    }
    long = draw(st.lists(st.sampled_from(list(LEVELS)), unique=True, max_size=2))
    for name, levels in LEVELS.items():
        most = 2 if name in long and name not in in_recipes else 1
        made[name] = draw(st.permutations(levels))[: draw(st.integers(1, most))]
    if made["design"] != "crossed":  # nothing is tested where a source is pinned: no base
        made["randomness"] = list(dict.fromkeys(["all", *made["randomness"]]))
    if in_recipes:
        every = list(product(*(LEVELS[name] for name in in_recipes)))
        chosen = draw(st.lists(st.sampled_from(every), min_size=2, max_size=4, unique=True))
        made["recipes"] = [
            {"name": f"r{i}", **dict(zip(in_recipes, each, strict=True))}
            for i, each in enumerate(chosen)
        ]
    return made


def points(study):
    """Every whole point of a study: a level of everything that it has, by name."""
    lists = {name: list(study.levels(name)) for name in FACTORS}
    lists = {name: of for name, of in lists.items() if name not in study.in_recipes}
    lists["dataset"] = list(study.datasets)
    lists["model"] = list(study.models)
    lists["budget"] = list(study.budgets)
    lists["extra"] = list(study.extra)
    lists["recipe"] = list(study.by_recipe) or [None]
    for values in product(*lists.values()):
        point = dict(zip(lists, values, strict=True))
        away = sum(point[name] != lists[name][0] for name in lists)
        if study.design == "crossed" or away <= 1:
            yield point | study.by_recipe.get(point["recipe"], {})


def reached(point, stages):
    """What of a point acts in these stages, where the model has anything for it."""
    return frozenset(
        (name, point[name])
        for name, factor in FACTORS.items()
        if name in VARIED
        and factor.stage in stages
        and (not factor.concerns or factor.concerns(point["model"]))
    )


def varied(recipe):
    """Without what acts by the streams that it pins."""
    return frozenset(each for each in recipe.levels if each[0] in VARIED - {"randomness"})


def streams(study, point, seed, stages):
    """The seed of each stream that acts in these stages: what a training is of, beside its data."""
    level = point["randomness"]
    return frozenset(
        (name, seed if level in ("all", name) else study.seeds[0])
        for name, stage in STREAM_STAGES.items()
        if stage in stages
    )


def drawn(training, seed):
    """The same of a planned training, which has a seed and pins."""
    stages = TRAININGS[getattr(training, "training", "float")].stages
    pin = dict(training.recipe.pin)
    return frozenset((n, pin.get(n, seed)) for n, stage in STREAM_STAGES.items() if stage in stages)


def oracle(study):
    """The cells, and what is trained: float trajectories to their last budget, and forks."""
    cells, trained = set(), {}
    for point, arm, seed in product(list(points(study)), study.arms, study.seeds):
        place = (seed, point["dataset"], point["model"])
        extra = point["extra"] if ARMS[arm].extra else None
        cells.add((arm, *place, point["budget"], extra, reached(point, ARMS[arm].stages)))
        training = TRAININGS[ARMS[arm].training]
        data = point["dataset"], point["model"]

        def key(training, *at, point=point, seed=seed, data=data):
            reach = reached(point, training.stages) - {("randomness", point["randomness"])}
            of = streams(study, point, seed, training.stages)
            return (training.name, of, *data, *at, reach)

        trajectory = key(TRAININGS["float"])
        trained[trajectory] = max(trained.get(trajectory, 0), point["budget"])
        if extra is not None:
            fork = key(training, point["budget"])
            trained[fork] = max(trained.get(fork, 0), extra)
    return cells, trained


@given(fields())
@settings(max_examples=25, deadline=None)
def test_what_runs_and_what_is_shared(made):
    study = validate(made, "test")
    wanted, trained = oracle(study)
    cells = plan.cells(study)
    assert len(cells) == len({cell.id for cell in cells}) == len(wanted)
    epochs = {}
    for trajectory in trajectories(cells):
        first = trajectory.segments[0]
        data = first.dataset, first.model
        key = ("float", drawn(first, first.seed), *data, varied(first.recipe))
        assert key not in epochs, "trained twice"
        epochs[key] = trajectory.segments[-1].budget
        for segment in trajectory.segments:
            for fork in segment.forks:
                of = drawn(fork, fork.seed)
                key = (fork.training, of, *data, segment.budget, varied(fork.recipe))
                if fork.extras:
                    assert key not in epochs, "trained twice"
                    epochs[key] = fork.extras[-1]
    assert epochs == trained
    cost = total(study, Estimated(check_data(study)))
    assert (cost.trainings, cost.models) == (len(trained), len(wanted))


@given(fields())
@settings(max_examples=40, deadline=None)
def test_a_study_is_read_back_as_it_is_written(made):
    study = validate(made, "test")
    assert validate(tomllib.loads(study.to_toml()), "again") == study


def primary_of(made):
    return [c for c in made.comparisons if (c.population, c.family) == ("seeds", "primary")]


@st.composite
def declared(draw):
    """A study of all arms that declares some contrasts and effects primary."""
    made = draw(fields()) | {"arms": list(ARMS), "seeds": 2}
    made["randomness"] = made["randomness"][:1]  # several triple the time of the test
    study = validate(made, "test")
    contrasts = ["ptq - float", "qat - ptq", "qat - ptq+k"]
    names = [n for n in FACTORS if len(study.levels(n)) > 1 and n not in study.in_recipes]
    lists = {"budget": study.budgets, "model": study.models, "extra": study.extra}
    names += [name for name, of in lists.items() if len(of) > 1]
    names += ["recipe"] if study.recipes else []
    asked = draw(st.lists(st.tuples(st.sampled_from([None, *names]), st.sampled_from(contrasts)),
                          unique=True, min_size=1, max_size=5))  # fmt: skip
    over = draw(st.sampled_from([[], names[:1]]))
    primary = []
    for name, contrast in asked:
        try:
            one = contrast if name is None else f"{name}: {contrast}"
            validate(made | {"primary": [one]}, "test")
            primary.append(one)
        except InputError:
            assert name is not None, "only an effect may be none here"
    over = [name for name in over if name in FACTORS]
    return made | {"primary": primary, "primary_over": over}


@given(declared())
@settings(
    max_examples=12, deadline=None, phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)  # fmt: skip
def test_the_plan_knows_the_size_of_the_primary_family(tmp_path_factory, made):
    study = validate(made, "test").model_copy(update={"title": "x"})
    folder = synthetic.write(tmp_path_factory.mktemp("study"), study, n=20)
    found = primary_of(analyze(store.read(folder)))
    assert len(found) == primary_family(study)
    assert {c.m for c in found} <= {len(found)}


def ladder(tmp_path, **more):
    """Four recipes, whose cells have distinct numbers of correct answers."""
    recipes = [
        {"name": "base"},
        {"name": "few", "calibration_examples": 20},
        {"name": "fast", "learning_rate": 0.01},
        {"name": "both", "learning_rate": 0.01, "calibration_examples": 20},
    ]
    study = synthetic.study(seeds=7, recipes=recipes, **{"budgets": [2]} | more)
    rng, drawn = np.random.default_rng(5), {}
    synthetic.write(
        tmp_path, study,
        counts=lambda cell: drawn.setdefault(cell.id, int(rng.integers(300, 700))),
    )  # fmt: skip
    results = store.read(tmp_path)
    return study, analyze(results), results.cells.to_pylist()


def test_an_effect_of_a_recipe_is_that_of_all_its_levels_together(tmp_path):
    asked = ["qat - ptq+k", *(f"recipe: {c}" for c in ("qat - ptq+k", "ptq - float", "qat - ptq"))]
    study, made, rows = ladder(tmp_path, primary=asked)
    primary = primary_of(made)
    # The arm that moves is named; ptq's own with few examples stands in two contrasts, once.
    assert sorted((c.pairs.level or "", c.name) for c in primary) == sorted([
        *[("", "qat - ptq+k")] * 4,
        ("few", "ptq"), ("few", "ptq+k"),
        *[(r, c) for r in ("fast", "both") for c in ("ptq - float", "qat - ptq", "qat - ptq+k")],
    ])  # fmt: skip
    assert {c.m for c in primary} == {12} == {primary_family(study)}
    levels = {"base": (200, 0.001), "few": (20, 0.001), "both": (20, 0.01)}

    def at(recipe, arm, seed):
        examples, rate = levels[recipe]
        held = {"calibration_examples": examples, "learning_rate": rate}
        return accuracy(rows, arm, seed, **held)

    for recipe, contrast in (("few", "ptq+k"), ("both", "qat - ptq+k")):
        (found,) = [c for c in primary if (c.pairs.level, c.name) == (recipe, contrast)]
        assert found.pairs.reference == "base"
        arms = [(1, "ptq+k")] if contrast == "ptq+k" else [(1, "qat"), (-1, "ptq+k")]
        expected = [
            sum(sign * (at(recipe, arm, s) - at("base", arm, s)) for sign, arm in arms)
            for s in range(7)
        ]
        assert found.pairs.d == pytest.approx(expected)


def test_a_report_calls_recipes_by_their_names_and_the_winner_optimistic(tmp_path):
    _, made, _ = ladder(tmp_path, primary=["qat - ptq+k"])
    text = markdown.render(build.build(made), "seeds")
    assert "Which recipe makes QAT win" in text
    rows = made.select("seeds", name="qat - ptq+k")
    for name in ("base", "few", "fast", "both"):
        assert f"With recipe {name}: " in text
    best = max(rows, key=lambda c: c.mean)
    place = {0.001: {200: "base", 20: "few"}, 0.01: {200: "fast", 20: "both"}}
    levels = dict(best.setting.factors)
    name = place[levels["learning_rate"]][levels["calibration_examples"]]
    assert f"The largest difference of these 4 is that with recipe {name}, E = 2 (" in text
    assert "so its size is optimistic" in text
    wins = [c for c in rows if c.mean > 0 and c.simultaneous[0] > 0]
    most = f", by most with recipe {name}, E = 2" if wins else ""
    first = next(line for line in text.splitlines()[1:] if line and line[0] not in ">#")
    beaten = "QAT is shown to beat PTQ after as much training"
    assert first.startswith(f"At {len(wins) or 'none'} of 4 settings {beaten}{most}: over all 4")
    assert "recipes base or few" in text, "float's setting is one for both"
    assert "calibration examples 20" not in text


def test_one_list_at_a_time_pairs_no_two_levels_that_it_does_not_ask_for(tmp_path):
    """One level reaches `ptq+k` alone and another both: together they would be paired."""
    study = synthetic.study(
        seeds=4, budgets=[1, 4], design="one-at-a-time", calibration_examples=[200, 20],
        learning_rate=[0.001, 0.01], batch_size=[64, 32],
    )  # fmt: skip
    synthetic.write(tmp_path, study, n=60)
    made = analyze(store.read(tmp_path))
    assert study.baseline_of("batch_size") == 64, "the first, not the default"
    for c in made.select("seeds"):
        levels = dict(c.setting.factors) | {"budget": c.setting.budget}
        base = {"calibration_examples": 200, "learning_rate": 0.001, "batch_size": 64, "budget": 1}
        assert sum(levels[name] != base[name] for name in levels if name in base) <= 1
    effects = {(c.pairs.factor, c.pairs.level, c.name) for c in made.select("seeds", "effect")}
    assert ("batch_size", "32", "qat - ptq+k") in effects
    assert ("calibration_examples", "20", "ptq+k") in effects
    (change,) = made.select("seeds", "interaction", "qat - ptq+k")
    assert dict(change.setting.factors)["learning_rate"] == 0.001


TWO = [{"name": "a"}, {"name": "b", "learning_rate": 0.01}]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"recipes": [{"name": "a"}]}, "two or more"),
        ({"recipes": [*TWO, {"name": "a", "learning_rate": 1.0}]}, "'a' stands twice"),
        ({"recipes": [*TWO, {"name": "c", "learning_rate": 0.001}]}, "'a' and 'c' are the same"),
        ({"recipes": [*TWO, {"name": "c", "rate": 0.1}]}, "recipes.c.rate: no factor"),
        ({"recipes": [*TWO, {"name": "c", "learning_rate": "x"}]}, "found 'x'"),
        ({"recipes": [*TWO, {"name": "c", "learning_rate": -1}]}, "recipes.c.learning_rate"),
        ({"recipes": [*TWO, {"learning_rate": 0.1}]}, "a table with a name"),
        ({"recipes": [*TWO, {"name": "`c`", "learning_rate": 0.1}]}, "letters, digits"),
        ({"recipes": "b"}, "found 'b'"),
        ({"recipes": TWO, "learning_rate": [0.1, 0.2]}, "and recipes name it too"),
        ({"recipes": TWO, "baseline": {"learning_rate": 0.01}}, "here the first is the base"),
        ({"design": "one-at-a-time", "batch_size": [64, 32], "baseline": {"batch_size": 32}},
         "here the first is the base"),
        ({"design": "ladder"}, "'crossed' or 'one-at-a-time'"),
        ({"recipes": TWO, "primary": ["learning_rate: qat - ptq"]}, "no factor of this contrast"),
        ({"recipes": TWO, "primary": ["recipe=c: qat - ptq"]}, "no effect of recipe at c"),
        ({"primary": ["recipe: qat - ptq"]}, "no factor of this contrast"),
        ({"budgets": [1], "primary": ["budget: qat - ptq"]}, "no factor of this contrast"),
        ({"recipes": [*TWO, {"name": "c", "randomness": "order"}]}, "beside the recipes"),
        ({"design": "one-at-a-time", "randomness": ["order", "all"]}, "allowed: 'all' first"),
        ({"randomness": "order", "batch_size": [32, 64], "primary": ["batch_size: qat - ptq"]},
         "with 'all' among the levels of randomness"),
        ({"batch_size": [32, 64], "primary": ["batch_size=16: qat - ptq"]}, "allowed: 64"),
    ],
)  # fmt: skip
def test_refused_with_what_would_be_allowed(wrong, said):
    with pytest.raises(InputError, match=said.replace("(", "\\(")):
        validate(wrong, "test")


def test_an_effect_of_an_effect_alone_is_computed(tmp_path):
    """Its contrast need not be primary itself."""
    study = synthetic.study(
        seeds=6, budgets=[1, 4], learning_rate=[0.001, 0.01],
        primary=["learning_rate: qat - ptq+k", "budget: qat - float"],
    )  # fmt: skip
    synthetic.write(tmp_path, study, n=60)
    made = analyze(store.read(tmp_path))
    primary = primary_of(made)
    assert [(c.pairs.factor, c.name) for c in primary] == [
        ("budget", "qat - float"), ("learning_rate", "qat - ptq+k"),
    ]  # fmt: skip
    assert primary_family(study) == 2
    assert {c.family for c in made.select("seeds")} == {"exploratory"}
