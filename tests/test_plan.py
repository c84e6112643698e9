"""Plan expansion: every cell once, an identity of what determines it, the least training."""

import ast
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import models, plugins, study
from bench.plan import cells as plan
from bench.plan import identity
from bench.plan.forecast import describe, forecast, primary_family
from bench.plan.trajectories import trajectories
from bench.study import effective
from bench.study.arms import ARMS, CONTRASTS, CONVERSIONS, TRAININGS
from bench.study.factors import FACTORS, REPLICATES, of_arms

studies = st.fixed_dictionaries(
    {
        "seeds": st.lists(st.integers(0, 99), min_size=1, max_size=4, unique=True),
        "budgets": st.lists(st.integers(1, 20), min_size=1, max_size=3, unique=True),
        "extra": st.lists(st.integers(1, 9), min_size=1, max_size=2, unique=True),
        "arms": st.lists(st.sampled_from(list(ARMS)), min_size=1, unique=True),
        "models": st.lists(st.sampled_from(["bncnn", "resnet8"]), min_size=1, unique=True),
        "batch_size": st.lists(st.integers(1, 512), min_size=1, max_size=2, unique=True),
        "calibration_examples": st.lists(st.integers(1, 99), min_size=1, max_size=2, unique=True),
    }
).map(lambda fields: study.validate({**fields, "primary": []}, "test"))


@given(studies)
@settings(max_examples=50)
def test_every_cell_once_whatever_the_study(made):
    cells = plan.cells(made)
    calibrated = {"ptq", "ptq+k", "qat-recal", "qat-cal"}
    each = 0
    for arm in made.arms:
        extras = len(made.extra) if ARMS[arm].extra else 1
        each += extras * (len(made.calibration_examples) if arm in calibrated else 1)
    factors = len(made.batch_size) * len(made.models)
    assert len(cells) == len(made.seeds) * len(made.budgets) * factors * each
    assert len({cell.id for cell in cells}) == len(cells)
    assert all((cell.extra is not None) == ARMS[cell.arm].extra for cell in cells)


@given(studies, st.data())
@settings(max_examples=50)
def test_trajectories_hold_the_wanted_cells_and_no_other(made, data):
    cells = plan.cells(made)
    wanted = data.draw(st.lists(st.sampled_from(cells), unique=True))
    planned = trajectories(wanted)
    assert sorted(c.id for t in planned for c in t.cells) == sorted(c.id for c in wanted)
    for trajectory in planned:
        ends = [segment.budget for segment in trajectory.segments]
        assert [segment.start for segment in trajectory.segments] == [0, *ends[:-1]]
        assert ends == sorted(set(ends))
        for segment in trajectory.segments:
            for fork in segment.forks:
                assert {ARMS[c.arm].training for c in fork.cells} == {fork.training}
                assert {(c.seed, c.budget) for c in fork.cells} == {(segment.seed, segment.budget)}


def test_one_trajectory_per_seed_serves_every_budget_and_calibration():
    made = study.load("digits", ["seeds=3", "calibration_examples=[50,200]", "extra=[1,2]"])
    planned = trajectories(plan.cells(made))
    assert len(planned) == 3 * len(made.levels("batch_norm_momentum"))
    forks = [fork for segment in planned[0].segments for fork in segment.forks]
    # Calibration reaches into no training but qat-cal's.
    at_each = ["float", "float+k", "qat", "qat-cal", "qat-cal"]
    assert [fork.training for fork in forks] == at_each * 4
    assert all(fork.extras == ((1, 2) if fork.training != "float" else ()) for fork in forks)


def test_a_cell_that_stands_at_two_places_is_trained_once():
    cells = plan.cells(study.load("digits", ["seeds=1", "budgets=1"]))
    twice = [*cells, *(replace(cell, dataset="a copy") for cell in cells)]
    planned = trajectories(twice)
    assert sum(1 for each in planned for _ in each.cells) == len({cell.id for cell in cells})


def other_level(factor):
    """A level beside its default."""
    row = FACTORS[factor]
    if row.type == "string":
        return next(word for word in row.level.__args__ if word != row.default)
    return 2.0 if factor == "class_imbalance" else {"int32": 64, "float64": 0.5}[row.type]


def of_a_model(factor):
    """A built-in model that has what the factor is about."""
    concerns = FACTORS[factor].concerns
    return next((m for m in models.names() if concerns is None or concerns(m)), None)


@pytest.mark.parametrize("factor", [n for n in FACTORS if of_a_model(n) and n not in REPLICATES])
def test_a_factor_reaches_the_arms_behind_its_stage_and_no_other(factor):
    """Neither their identity, nor their number, nor the size of a family."""
    row = FACTORS[factor]
    levels = [row.shown(row.default), other_level(factor)]
    model = of_a_model(factor)
    base = {"seeds": 2, "budgets": [1], "batch_norm_momentum": "model", "models": model}
    plain = study.validate(base, "test")
    varied = study.validate(base | {factor: levels}, "test")
    before, after = ({arm: set() for arm in ARMS} for _ in range(2))
    for made, found in ((plain, before), (varied, after)):
        for cell in plan.cells(made):
            found[cell.arm].add(cell.id)
    reached = {arm for arm in ARMS if factor in of_arms(arm)}
    expected = {"data": set(ARMS), "float": set(ARMS)}
    expected["calibration"] = {"ptq", "ptq+k", "qat-recal", "qat-cal"}
    expected["conversion"] = {"ptq", "ptq+k", "qat-recal"}
    expected["extra"] = {"float+k", "ptq+k", "qat", "qat-recal", "qat-cal"}
    expected["qat"] = {"qat", "qat-recal", "qat-cal"}
    expected["evaluation"] = set(ARMS)
    if factor == "qat_ranges_start":  # that of qat-cal is what it is
        expected["qat"] = {"qat", "qat-recal"}
    assert reached == expected[FACTORS[factor].stage]
    for arm in ARMS:
        assert before[arm] <= after[arm]  # at its default it changes no identity
        assert len(after[arm]) == len(before[arm]) * (2 if arm in reached else 1)
    # Away from the baseline a contrast is primary only where the study says so.
    assert primary_family(varied) == primary_family(plain)
    declared = study.validate(base | {factor: levels, "primary_over": [factor]}, "test")
    doubled = sum(
        2 if {CONTRASTS[c].a, CONTRASTS[c].b} & reached else 1 for c in plain.primary_contrasts
    )
    if factor == "randomness":  # nothing is tested where a source of it is pinned
        doubled = primary_family(plain)
    assert primary_family(declared) == doubled


def test_a_wider_study_keeps_the_identities_of_a_narrower_one():
    narrow = {c.id for c in plan.cells(study.load("digits", ["seeds=2", "budgets=[4]"]))}
    wide = study.load(
        "digits", ["seeds=[1,0,7]", "budgets=[1,4]", "learning_rate=[0.01,0.001]", "title=other"]
    )
    assert narrow <= {c.id for c in plan.cells(wide)}


def test_what_determines_a_result_changes_its_identity():
    def ids(*overrides):
        # float is reached by no calibration
        return {
            c.id
            for c in plan.cells(study.load("digits", ["seeds=1", *overrides]))
            if c.arm != "float" and c.arm != "float+k" and c.arm != "qat"
        }

    changes = (
        [],
        ["seeds=[1]"],
        ["models=resnet8"],
        ["batch_size=64"],
        ["optimizer=sgd"],
        ["learning_rate=0.01"],
        ["train_examples=500"],
        ["calibration_examples=100"],
        ["pin.order=0"],
        ["pin.calibration=0"],
    )
    each = [ids(*change) for change in changes]
    assert len(set.union(*each)) == sum(map(len, each))


def test_a_pinned_stream_changes_the_arms_that_it_reaches():
    def ids(arm, *overrides):
        made = study.load("digits", ["seeds=1", *overrides])
        return {c.id for c in plan.cells(made) if c.arm == arm}

    for arm in ("float", "float+k", "qat"):
        assert ids(arm) == ids(arm, "pin.calibration=0")
        assert not ids(arm) & ids(arm, "pin.initialization=0")
    assert not ids("ptq") & ids("ptq", "pin.calibration=0")
    for stream in ("augmentation", "dropout"):
        assert not ids("float") & ids("float", f"pin.{stream}=0")


def _id(**changes):
    fields = {
        "data": "d", "model": "m", "seed": 1, "budget": 2, "arm": "qat", "extra": 1,
        "factors": (("batch_size", 32), ("learning_rate", 0.001)), "pin": (),
    }  # fmt: skip
    return identity.cell_id(**(fields | changes))


def test_identities_stay_what_they_were():
    # Written down on 2026-11-25: a change here makes all stored results worthless.
    assert _id() == "3583f012e69d8226"


@pytest.fixture
def fresh():
    """Nothing is remembered of tables that were other ones."""
    effective.effective.cache_clear()
    yield
    effective.effective.cache_clear()


def patched(monkeypatch, table, rows):
    monkeypatch.setattr(effective, table, rows)
    effective.effective.cache_clear()


@pytest.mark.usefixtures("fresh")
def test_an_arm_counts_by_what_it_is(monkeypatch):
    renamed = {**ARMS, "another name": replace(ARMS["qat"], name="another name")}
    patched(monkeypatch, "ARMS", renamed)
    assert _id(arm="another name") == _id()


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("table", ["TRAININGS", "CONVERSIONS"])
def test_a_raised_version_changes_only_its_own_cells(monkeypatch, table):
    rows = {"TRAININGS": TRAININGS, "CONVERSIONS": CONVERSIONS}[table]
    name = {"TRAININGS": "qat", "CONVERSIONS": "ptq"}[table]
    before = {arm: _id(arm=arm) for arm in ARMS}
    raised = {**rows, name: replace(rows[name], version=rows[name].version + 1)}
    patched(monkeypatch, table, raised)
    kind = {"TRAININGS": "training", "CONVERSIONS": "conversion"}[table]
    changed = {arm for arm in ARMS if _id(arm=arm) != before[arm]}
    assert changed == {arm for arm, row in ARMS.items() if getattr(row, kind) == name}


def test_a_models_identity_is_its_syntax_tree_without_words():
    source = models.source("bncnn")
    same = "# a comment\n" + source.replace('"""Three', '"""Other words: three').replace(
        "Cost(0.9", "Cost(7.5"
    )
    assert same != source
    ignored = {"COST"}
    assert plugins.syntax(same, ignored) == plugins.syntax(source, ignored)
    other = source.replace("(16, 1)", "(17, 1)")
    assert other != source
    assert plugins.syntax(other, ignored) != plugins.syntax(source, ignored)
    moved = ast.unparse(ast.parse(source))  # other layout, the same program
    assert plugins.syntax(moved, ignored) == plugins.syntax(source, ignored)


ABSENT = ("qat_ranges_start", "qat_granularity", "extra_augmentation", "extra_dropout")
"""Factors of a stage that qat-cal goes through, which do not reach it, or not with bncnn."""


def test_a_unit_is_part_of_an_identity_where_it_counts_something():
    def ids(arm, *overrides):
        made = study.load("digits", ["seeds=1", "budgets=[4]", "batch_norm_momentum=0.9",
                                     f"arms={arm}", *overrides])  # fmt: skip
        return [cell.id for cell in plan.cells(made)]

    steps, more = "budget_unit=steps", "extra_unit=steps"
    for arm in ("float", "ptq"):
        assert ids(arm, "budget_unit=epochs") == ids(arm) == ids(arm, more) != ids(arm, steps)
    assert len({*ids("qat"), *ids("qat", steps), *ids("qat", more), *ids("qat", steps, more)}) == 4


@pytest.mark.parametrize("unit", ["epochs", "steps"])
def test_budgets_share_a_trajectory_in_either_unit(unit):
    made = study.load("digits", ["seeds=1", "budgets=[3,5,64]", "extra=[2,7]", "train_examples=96",
                                 "batch_norm_momentum=model", "calibration_examples=40",
                                 f"budget_unit={unit}", f"extra_unit={unit}"])  # fmt: skip
    (trajectory,) = trajectories(plan.cells(made))
    assert [(s.start, s.budget) for s in trajectory.segments] == [(0, 3), (3, 5), (5, 64)]
    per_epoch = 3 if unit == "epochs" else 1  # 96 examples at batch 32
    found = forecast(made, [], (1.0,), 1)
    assert found.steps["float"] == 64 * per_epoch
    assert found.steps["float+k"] == found.steps["qat"] == 3 * 7 * per_epoch
    in_epochs = made.model_copy(update={"budget_unit": "epochs", "extra_unit": "epochs"})
    longer = forecast(in_epochs, [], (1.0,), 1)
    assert (found.seconds < longer.seconds) == (unit == "steps")


def test_the_plan_says_what_it_counts():
    def said(*overrides):
        made = study.load("digits", ["seeds=2", "title=", *overrides])
        return describe(made, forecast(made, [], (1.0,), 1), "assumed")

    text = said("budgets=[1,200]", "extra=[2]", "budget_unit=steps")
    assert "float 1 and 200 steps, QAT and controls 2 epochs more" in text
    assert "after 1 and 200 steps, and 2 epochs more" in text
    text = said("budgets=[1]", "extra=[1]", "extra_unit=steps")
    assert "float 1 epoch, QAT and controls 1 step more" in text


def test_a_row_says_which_cell_it_is():
    made = study.load("digits", ["batch_norm_momentum=model"])
    cell = plan.cells(made)[-1]
    assert cell.arm == "qat-cal"
    others = {
        "randomness": "all",
        "activation": None,
        "schedule": "constant",
        "weight_decay": 0.0,
        "width": None,
    }
    others |= {
        n: f.default for n, f in FACTORS.items() if f.stage in ("extra", "qat", "evaluation")
    }
    absent = {n: None for n, f in FACTORS.items() if f.stage == "conversion" or n in ABSENT}
    assert cell.columns == others | absent | {
        "cell": cell.id,
        "dataset": "digits",
        "model": "bncnn",
        "seed": 19,
        "budget": 8,
        "arm": cell.arm,
        "extra": 1,
        "budget_unit": "epochs",
        "extra_unit": "epochs",
        "train_examples": None,
        "class_imbalance": 1.0,
        "label_noise": 0.0,
        "batch_size": 32,
        "optimizer": "adam",
        "learning_rate": 0.001,
        "batch_norm_momentum": None,
        "calibration_examples": 200,
        "own_factors": None,
        "calibration_draw": "random",
        "draw": 0,
        "test_shift": "none",
    }
    qat = next(c for c in reversed(plan.cells(made)) if c.arm == "qat")
    assert qat.columns["calibration_examples"] is None  # it does not reach it
    assert replace(cell, id="other").columns["cell"] == "other"


def test_qat_whose_ranges_start_calibrated_is_qat_cal():
    """One cell at two places, evaluated once; a cold one stands beside every calibration."""
    made = study.load(
        "digits",
        ["seeds=1", "budgets=1", "batch_norm_momentum=model", "calibration_examples=[50,200]",
         "qat_ranges_start=[cold,calibrated]"],
    )  # fmt: skip
    ids = {}
    for cell in plan.cells(made):
        start = cell.recipe.get("qat_ranges_start")
        ids.setdefault((cell.arm, start), []).append(
            (
                cell.recipe["calibration_examples"]
                if "calibration_examples" in dict(cell.recipe.levels)
                else None,
                cell.id,
            )
        )
    assert ids["qat", "calibrated"] == ids["qat-cal", None]
    cold = {cell for _, cell in ids["qat", "cold"]}
    assert len(ids["qat", "cold"]) == 2
    plain = plan.cells(study.load("digits", ["seeds=1", "budgets=1", "batch_norm_momentum=model"]))
    assert cold == {cell.id for cell in plain if cell.arm == "qat"}
    (trajectory,) = trajectories(plan.cells(made))
    forks = [fork.training for segment in trajectory.segments for fork in segment.forks]
    assert sorted(forks) == ["float", "float+k", "qat", "qat-cal", "qat-cal"]


def test_a_schedule_over_all_epochs_shares_no_training_between_them():
    def forks(*overrides):
        made = study.load("digits", ["seeds=1", "budgets=1", "batch_norm_momentum=model",
                                     "arms=[float+k,qat]", "extra=[1,2]", *overrides])  # fmt: skip
        (trajectory,) = trajectories(plan.cells(made))
        return [fork.extras for segment in trajectory.segments for fork in segment.forks]

    assert forks() == [(1, 2)] * 2
    assert forks("extra_schedule=cosine") == [(1,), (2,)] * 2


def test_one_source_varies_and_the_others_are_pinned():
    made = study.load("digits", ["seeds=[4,5]", "budgets=1", "batch_norm_momentum=model",
                                 "arms=[float,ptq]", "randomness=[all,order]"])  # fmt: skip
    found = {(c.arm, c.recipe["randomness"], c.seed): c for c in plan.cells(made)}
    others = {"initialization": 4, "augmentation": 4, "dropout": 4}
    assert dict(found["float", "order", 5].recipe.pin) == others
    assert dict(found["ptq", "order", 5].recipe.pin) == others | {"calibration": 4}
    assert found["float", "all", 5].recipe.pin == ()
    pinned = study.load("digits", ["seeds=[5]", "budgets=1", "batch_norm_momentum=model",
                                   "arms=[float,ptq]", "pin.initialization=4",
                                   "pin.augmentation=4", "pin.dropout=4",
                                   "pin.calibration=4"])  # fmt: skip
    same = {found[arm, "order", 5].id for arm in ("float", "ptq")}
    assert same == {c.id for c in plan.cells(pinned)}
