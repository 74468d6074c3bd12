"""The curves of trainings in TensorBoard, as its own reader finds them."""

import pytest
from live_curves import LiveCurves

accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
BEGUN = "0 of 3 epochs are done; training on cpu in float32\n"


def line(epoch, error):
    values = f"learning rate 0.02, train loss 1.5e-0{epoch}, train error {error:.2%}, test error 50.00%"
    return f"epoch {epoch}/3: {values}\n"


@pytest.fixture
def watched(tmp_path):
    """A log that ended before, one to be written, and what is shown of it: `(step, value)` by tag."""
    (tmp_path / "train").mkdir()
    (tmp_path / "train/old.log").write_text(BEGUN + line(1, 0.5))
    curves = LiveCurves([tmp_path / "train", tmp_path / "sweep"], tmp_path / "shown")

    def shown(run="run"):
        curves.poll()
        events = accumulator.EventAccumulator(str(tmp_path / "shown" / run)).Reload()
        return {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}

    yield tmp_path / "train/run.log", shown
    curves.close()


def test_an_epoch_shows_once_its_line_is_whole(watched):
    log, shown = watched
    whole, half = line(1, 0.5), line(2, 0.25)
    log.write_text(BEGUN + whole + half[:40])
    first = {"learning_rate": 0.02, "train_loss": 0.15, "train_error": 0.5, "test_error": 0.5}
    assert shown() == {tag: [(1, pytest.approx(value))] for tag, value in first.items()}
    with log.open("a") as file:
        file.write(half[40:] + "error: stopped by SIGTERM\n2 of 3 epochs are done\n" + line(3, 0.125))
    assert shown()["train_error"] == [(1, 0.5), (2, 0.25), (3, 0.125)]
    assert not (log.parent.parent / "shown/old").exists()


def test_a_training_that_begins_anew_replaces_its_curves(watched):
    log, shown = watched
    log.write_text(BEGUN + line(1, 0.5) + line(2, 0.5))
    shown()
    log.unlink()
    shown()
    log.write_text(BEGUN + line(1, 0.75))
    assert shown()["train_error"] == [(1, 0.75)]


def test_the_trials_of_a_sweep_show_as_well(watched):
    log, shown = watched
    trial = log.parent.parent / "sweep/pair/0.1.log"
    trial.parent.mkdir(parents=True)
    trial.write_text(BEGUN + line(1, 0.5))
    assert shown("pair/0.1")["test_error"] == [(1, 0.5)]
