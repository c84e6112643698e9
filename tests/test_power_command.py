"""`power`: statsmodels, scipy and slow sums as references; each answer gives the others back."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.power import TTestPower

from bench.cli.answers import (
    MOST_EXAMPLES,
    Asked,
    examples_needed,
    largest_churn,
    shown,
    solve,
    warnings,
)
from bench.errors import InputError
from bench.statistics.crossed import crossed_sums, seed_variance
from bench.statistics.mcnemar import power_mcnemar


def answers(**given):
    return {answer.name: answer.value for answer in solve(Asked(**given))}


@pytest.mark.parametrize(
    ("seeds", "dz"), [(5, 1.68), (10, 1.00), (20, 0.66), (30, 0.53), (50, 0.40)]
)
def test_detectable_differences_are_the_protocols(seeds, dz):
    found = answers(seeds=seeds, sd=2.0)["detectable_difference"]
    assert found == pytest.approx(2 * dz, abs=0.011)


def test_half_an_sd_takes_34_pairs():
    found = answers(difference=0.5, sd=1.0)  # statistics.md: 33.4 pairs
    assert found["seeds_needed"] == 34
    assert answers(difference=0.5, sd=1.0, seeds=34)["power"] == pytest.approx(0.8078, abs=5e-5)


@pytest.mark.parametrize("tests", [1, 4, 16])
@pytest.mark.parametrize("power", [0.5, 0.8, 0.95])
def test_seeds_and_differences_are_those_of_statsmodels(tests, power):
    reference = TTestPower()
    level = {"alpha": 0.05 / tests, "power": power}
    found = answers(seeds=20, sd=1.2, tests=tests, power=power)
    dz = reference.solve_power(nobs=20, **level)
    assert found["detectable_difference"] == pytest.approx(1.2 * dz, rel=1e-5)
    found = answers(difference=0.5, sd=1.2, tests=tests, power=power)
    pairs = reference.solve_power(effect_size=0.5 / 1.2, **level)
    assert found["seeds_needed"] == np.ceil(pairs)
    found = answers(difference=0.5, sd=1.2, seeds=15, tests=tests)
    assert found["power"] == pytest.approx(reference.power(0.5 / 1.2, 15, 0.05 / tests))
    found = answers(difference=0.5, seeds=20, tests=tests, power=power)
    assert found["largest_sd"] == pytest.approx(0.5 / dz, rel=1e-5)


def test_equivalence_is_that_of_simulated_seeds():
    """200,000 studies without a true difference, at the seeds that were said to be needed."""
    found = answers(difference=0.5, sd=1.2)
    n = found["seeds_needed_equivalence"]
    d = np.random.default_rng(0).normal(0, 1.2, (200_000, int(n)))
    half = stats.t.isf(0.05, n - 1) * d.std(axis=1, ddof=1) / np.sqrt(n)
    shown = (abs(d.mean(axis=1)) + half < 0.5).mean()
    assert shown == pytest.approx(0.8, abs=0.01)
    told = answers(difference=0.5, sd=1.2, seeds=int(n))["power_equivalence"]
    assert shown == pytest.approx(told, abs=0.004)


@settings(max_examples=25)
@given(st.integers(6, 300), st.floats(0.05, 20), st.sampled_from([1, 4, 16]))
def test_seeds_difference_and_sd_give_each_other_back(seeds, sd, tests):
    forth = answers(seeds=seeds, sd=sd, tests=tests)
    back = answers(difference=forth["detectable_difference"], sd=sd, tests=tests)
    assert back["seeds_needed"] == max(seeds, forth["fewest_seeds"])
    back = answers(difference=forth["detectable_difference"], seeds=seeds, tests=tests)
    assert back["largest_sd"] == pytest.approx(sd, rel=1e-9)
    back = answers(difference=forth["equivalence_margin"], seeds=seeds, tests=tests)
    assert back["largest_sd_equivalence"] == pytest.approx(sd, rel=1e-9)


def test_no_fewer_seeds_are_recommended_than_any_verdict_takes():
    found = answers(difference=50.0, sd=0.1, tests=16)
    assert found["seeds_needed"] == found["seeds_needed_equivalence"] == found["fewest_seeds"] == 10
    (said,) = warnings(Asked(seeds=9, sd=0.1, tests=16))
    assert "too few seeds" in said
    assert "takes 10" in said
    assert warnings(Asked(seeds=10, sd=0.1, tests=16)) == ()


def slow_power(difference, discordance, n, alpha):
    """Every outcome of two binomials, each tested by scipy."""
    share = (1 + difference / discordance) / 2
    total = 0.0
    for m in range(1, n + 1):
        rejected = [k for k in range(m + 1) if stats.binomtest(k, m).pvalue <= alpha]
        total += stats.binom.pmf(m, n, discordance) * stats.binom.pmf(rejected, m, share).sum()
    return total


def test_power_of_two_files_is_the_sum_over_every_outcome():
    found = answers(examples=40, churn=30, difference=20, alpha=0.1)
    assert found["power_two_files"] == pytest.approx(slow_power(0.2, 0.3, 40, 0.1), abs=1e-9)


def test_two_files_of_ten_thousand_examples():
    found = answers(examples=10_000, churn=2)
    significant = [k for k in range(201) if stats.binomtest(k, 200).pvalue <= 0.05]
    least = min(abs(200 - 2 * k) for k in significant)
    assert found["smallest_significant"] == pytest.approx(100 * least / 10_000)
    assert found["fewest_discordant"] == 6
    assert found["sd_from_test_noise"] == pytest.approx(0.1414, abs=1e-4)  # 100 sqrt(.02 / 10000)
    detectable = found["detectable_difference_two_files"] / 100
    assert power_mcnemar(detectable, 0.02, 10_000, 0.05) == pytest.approx(0.8, abs=1e-6)


def test_noise_is_the_sd_of_equally_good_models():
    """Correctness that differs on 5% of examples at random: the SD over 2,000 seeds."""
    cells = np.random.default_rng(0).choice([-1, 0, 1], (2000, 800), p=[0.025, 0.95, 0.025])
    seen = seed_variance(crossed_sums(cells), 100.0).sd
    assert answers(examples=800, churn=5)["sd_from_test_noise"] == pytest.approx(seen, rel=0.05)


@given(st.floats(0.002, 0.2), st.floats(1, 8), st.sampled_from([0.05, 0.05 / 16]))
@settings(max_examples=25)
def test_examples_needed_are_enough_and_one_fewer_is_not(difference, times, alpha):
    churn = min(1.0, difference * times)
    n = examples_needed(difference, churn, alpha)
    assert power_mcnemar(difference, churn, n, alpha) >= 0.8
    assert power_mcnemar(difference, churn, n - 1, alpha) < 0.8
    largest = largest_churn(difference, n, alpha)
    assert largest >= churn * 0.999
    if largest < 1:
        assert power_mcnemar(difference, largest, n, alpha) >= 0.8 - 1e-6
        assert power_mcnemar(difference, min(1, largest * 1.02), n, alpha) < 0.8


def test_what_cannot_be_has_a_reason_instead_of_a_number():
    hopeless = {a.name: a for a in solve(Asked(examples=100, churn=1, difference=0.5))}
    assert hopeless["detectable_difference_two_files"].value is None
    assert "all churn went one way" in shown(hopeless["detectable_difference_two_files"])
    assert "too few are discordant" in shown(hopeless["smallest_significant"])
    assert answers(examples=100, difference=0.5)["largest_churn"] is None
    assert examples_needed(1e-6, 0.5, 0.05) is None
    endless = solve(Asked(difference=0.0001, churn=50))[0]
    assert endless.value is None
    assert f"more than {MOST_EXAMPLES:,}" in shown(endless)
    alone = {a.name: a for a in solve(Asked(seeds=1, sd=1))}
    assert shown(alone["detectable_difference"]) == "one seed has no SD"


def test_seeds_from_test_noise_alone_are_called_at_best():
    asked = Asked(seeds=20, examples=10_000, churn=2)
    assert any("at best" in said for said in warnings(asked))
    assert answers(seeds=20, examples=10_000, churn=2)["detectable_difference"] == pytest.approx(
        answers(seeds=20, sd=0.1 * np.sqrt(2))["detectable_difference"]
    )
    (said,) = warnings(Asked(seeds=20, sd=0.1, examples=10_000, churn=2))
    assert "do not go together" in said


def test_a_test_set_for_seeds_is_as_large_as_its_noise_allows():
    n = answers(seeds=20, difference=0.5, churn=3)["examples_for_seeds"]
    detectable = [
        answers(seeds=20, examples=e, churn=3)["detectable_difference"] for e in (n, n - 1)
    ]
    assert detectable[0] <= 0.5 < detectable[1]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"seeds": 0}, "--seeds: found 0; allowed: at least 1"),
        ({"examples": -5}, "--examples: found -5; allowed: at least 1"),
        ({"examples": 10**8}, "--examples: found 100,000,000; allowed: at most 1,000,000"),
        ({"tests": 0}, "--tests: found 0; allowed: at least 1"),
        ({"sd": 0.0}, "--sd: found 0; allowed: greater than 0, in pp"),
        ({"sd": float("nan")}, "--sd: found nan"),
        ({"difference": -1.0}, "--difference: found -1; allowed: greater than 0"),
        ({"difference": 101.0}, "--difference: found 101; allowed: at most 100"),
        ({"churn": 0.0}, "--churn: found 0; allowed: above 0, at most 100 percent"),
        ({"churn": 101.0}, "--churn: found 101"),
        ({"alpha": 0.5}, "--alpha: found 0.5; allowed: between 0 and 0.5"),
        ({"power": 0.05}, "--power: found 0.05; allowed: between alpha = 0.05 and 1"),
        ({"power": 1.0}, "--power: found 1"),
        ({"churn": 1.0, "difference": 2.0}, "--difference: found 2 pp with a churn of 1%"),
        ({}, "power: found nothing to start from; allowed: two or three of"),
        ({"seeds": 20}, "power: found only --seeds to start from"),
        ({"sd": 1.0, "examples": 9}, "power: found only --sd and --examples to start from"),
    ],
)
def test_a_wrong_question_is_one_message(given, said):
    with pytest.raises(InputError) as caught:
        solve(Asked(**given))
    assert str(caught.value).startswith(said)


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "bench", "power", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": "", "COLUMNS": "120"},
    )


def test_the_command_prints_the_answers_in_words():
    done = command("--seeds", "5", "--sd", "1.2", "--tests", "16")
    assert done.returncode == 0, done.stderr
    assert "too few seeds: with 5" in done.stdout
    assert "alpha = 0.05/16, two-sided; power 80%" in done.stdout
    for answer in solve(Asked(seeds=5, sd=1.2, tests=16)):
        (line,) = [line for line in done.stdout.splitlines() if answer.said in line]
        assert line.rstrip().endswith(shown(answer))


def test_every_option_of_the_command_reaches_its_question():
    done = command(
        *("--seeds", "30", "--sd", "2", "--difference", "1", "--examples", "5000", "--churn", "4"),
        *("--alpha", "0.1", "--tests", "3", "--power", "0.9"),
    )
    assert done.returncode == 0, done.stderr
    asked = Asked(30, 2.0, 1.0, 5000, 4.0, 0.1, 3, 0.9)
    for answer in solve(asked):
        assert answer.said in done.stdout
        assert shown(answer) in done.stdout


def test_the_command_ends_with_exit_code_2_and_one_line():
    for arguments in (["--seeds", "0"], ["--seeds", "20"], ["--churn", "2", "--difference", "3"]):
        done = command(*arguments)
        assert done.returncode == 2
        assert done.stderr.startswith("error: ")
        assert len(done.stderr.splitlines()) == 1
