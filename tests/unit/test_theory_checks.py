"""The table of what the paper proves: every statement is in it, holds, and would not if it were false."""

import numpy as np
import pandas as pd
import pytest

from neural_collapse.__main__ import main
from neural_collapse.theory import checks


def test_every_statement_holds(tmp_path):
    assert main(["check-theory", "--output", f"{tmp_path}/checks.csv"]) == 0
    table = pd.read_csv(tmp_path / "checks.csv").set_index("check")
    assert list(table.columns) == ["statement", "value", "bound", "source"]
    assert set(table.index) == {
        *("proposition_1", "loss_perp_at_least_squares", "loss_perp_elsewhere", "equation_7", "proposition_2"),
        *("corollary_1_rate", "corollary_1_ratio", "corollary_2", "lemma_7", "unconstrained_features"),
    }
    assert (table.value <= table.bound).all(), table[table.value > table.bound]


@pytest.mark.parametrize(
    ("replaced", "fail"),
    [
        # A classifier off by a millionth is neither ridge regression's nor where L_perp vanishes.
        ("least_squares_classifier", {"proposition_1", "loss_perp_at_least_squares", "equation_7"}),
        ("closed_form", {"proposition_2"}),
        ("global_minimum", {"unconstrained_features"}),
        ("simulate", {"proposition_2", "corollary_1_rate", "corollary_1_ratio", "corollary_2"}),
    ],
)
def test_a_false_statement_does_not_hold(replaced, fail, monkeypatch):
    right = getattr(checks, replaced)

    def wrong(*arguments, **options):
        if replaced == "simulate":
            features, times = arguments
            return right(features, times / 1000)
        if replaced == "closed_form":
            return right(*arguments, **options) * (1 + 1e-6)
        if replaced == "global_minimum":
            found = right(*arguments, **options)
            return found._replace(gain=found.gain + 2e-6)
        weight, bias = right(*arguments, **options)
        return weight + 1e-6 * np.arange(weight.size).reshape(weight.shape), bias

    monkeypatch.setattr(checks, replaced, wrong)
    assert {check.check for check in checks.all_checks() if check.value > check.bound} >= fail
