"""The report's check of itself, against every pattern of signs by scipy."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy import stats

from bench.analysis import analyze
from bench.analysis.self_checked import self_check
from bench.report import build, markdown
from bench.report.sections import self_check as section
from bench.store import folder as store
from tests import oracles, synthetic


def analyzed(folder, **fields):
    options = {"seeds": 8, "budgets": [1], "arms": ["float", "ptq", "qat"]}
    study = synthetic.study(**(options | fields))
    return analyze(store.read(synthetic.write(folder, study, arm_sd=0.2)))


def test_the_rates_are_those_of_every_pattern(tmp_path):
    analysis = analyzed(tmp_path)
    (found,) = self_check(analysis)
    assert [c.name for c in found.members] == ["ptq - float", "qat - ptq"]
    d = np.array([c.pairs.d for c in found.members])
    centred = (d - d.mean(axis=1, keepdims=True)) * np.sqrt(8 / 7)
    claims, t = 0, np.zeros(2)
    for signs in product((-1, 1), repeat=8):
        p = np.array([stats.ttest_1samp(row * signs, 0).pvalue for row in centred])
        t += p <= 0.05
        claims += (np.array(oracles.holm(p)) <= 0.05).any()
    assert found.signs.exact
    assert found.signs.n_draws == 256
    assert found.signs.t == pytest.approx(t / 256)
    assert found.signs.family == pytest.approx(claims / 256)
    # 4 of 797 examples are nearest to 0.5 pp
    assert found.planted.examples == 4
    assert found.planted.size == pytest.approx(400 / 797)


def test_few_seeds_say_nothing_of_skewness(tmp_path):
    (few,) = self_check(analyzed(tmp_path / "few"))
    assert few.resampled is None
    (more,) = self_check(analyzed(tmp_path / "more", seeds=15))
    assert more.resampled is not None
    assert not more.signs.exact


def test_a_hidden_skewness_is_named(tmp_path):
    """One seed in fifteen gains much, the others lose a little: its mean is near 0."""

    def counts(cell):
        return 700 + (30 if cell.seed == 3 else 0) * (cell.arm == "ptq") + cell.seed % 2

    study = synthetic.study(seeds=15, budgets=[1], arms=["float", "ptq"])
    analysis = analyze(store.read(synthetic.write(tmp_path, study, counts=counts)))
    (found,) = self_check(analysis)
    assert found.resampled.t[0] > 0.1
    assert not found.signs.loud
    text = markdown.render(build.build(analysis))
    assert "or an outlier: for `ptq - float` (E = 1) the t-test errs in more than 10.0%" in text


def test_more_draws_where_they_are_asked_for(tmp_path):
    analysis = analyzed(tmp_path, seeds=16)
    (usual,) = self_check(analysis)
    assert (usual.signs.exact, usual.signs.n_draws) == (False, 1000)
    (more,) = self_check(replace(analysis, self_check=3000))
    assert more.signs.n_draws == more.resampled.n_draws == 3000
    (again,) = self_check(replace(analysis, self_check=3000))
    assert (again.signs.t == more.signs.t).all()


def test_a_margin_below_half_an_example_cannot_be_planted(tmp_path):
    analysis = analyzed(tmp_path, delta=0.05)  # of 797 examples one is 0.125 pp
    (found,) = self_check(analysis)
    assert (found.planted, found.held) == (None, False)
    text = markdown.render(build.build(analysis))
    assert "less than half of one test example: this test set cannot hold it" in text


def test_looks_are_another_matter(tmp_path):
    analysis = analyzed(tmp_path, seeds=12, sequential={"looks": [10, 12]})
    assert self_check(analysis) == ()
    (block,) = section.build(analysis, "seeds").blocks
    assert "Seeds were added by looks" in block.text
