"""Learning rates and measured epochs."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neural_collapse.config.settings import default_drops
from neural_collapse.errors import InputError
from neural_collapse.train.schedule import learning_rate, measured_epochs


def test_the_papers_schedule():
    assert default_drops(350) == [116, 233]
    rates = [learning_rate(epoch, base=0.1, drops=[116, 233]) for epoch in range(1, 351)]
    assert rates[115] == 0.1
    assert rates[116] == rates[232] == pytest.approx(0.01)
    assert rates[233] == rates[349] == pytest.approx(0.001)


def test_short_trainings_begin_at_the_full_learning_rate():
    assert [default_drops(epochs) for epochs in (1, 2, 3)] == [[], [1], [1, 2]]


def test_warmup_is_linear_and_ends_at_the_base_rate():
    rates = [learning_rate(epoch, base=0.6, drops=[4], warmup_epochs=2) for epoch in range(1, 6)]
    assert rates == pytest.approx([0.2, 0.4, 0.6, 0.6, 0.06])


@settings(max_examples=200)
@given(st.data())
def test_measured_epochs_are_as_many_as_asked_from_the_first_to_the_last(data):
    epochs = data.draw(st.integers(2, 400))
    count = data.draw(st.integers(2, epochs))
    measured = measured_epochs(epochs, count)
    assert len(measured) == len(set(measured)) == count
    assert (measured[0], measured[-1]) == (1, epochs)
    assert measured == sorted(measured)


def test_measured_epochs_are_dense_at_the_start_and_evenly_spaced_on_a_logarithmic_axis():
    measured = measured_epochs(350, 50)
    assert measured[:12] == list(range(1, 13))
    ratios = [later / earlier for earlier, later in itertools.pairwise(measured[25:])]
    assert max(ratios) / min(ratios) < 1.05
    assert measured_epochs(9, 1) == [9]


@pytest.mark.parametrize("count", [0, 11])
def test_more_measured_epochs_than_epochs_are_refused(count):
    with pytest.raises(InputError, match=f"{count} epochs can't be measured in 10 epochs"):
        measured_epochs(10, count)
