"""The sweep for a learning rate: which rates are tried, in which rounds, and for how many epochs.

`full` is the papers' own: every rate is trained in full. `halving` is successive halving (Jamieson & Talwalkar, 2016)
by thirds: a round trains each of its rates for a third of the epochs of the next round, the schedule compressed with
them, and only the best third goes on, as long as that is more than one. The last round has a third of a run's epochs,
so that n rates cost about log3(n) trainings in place of n; the run itself then trains with the best in full.
"""

import math
from dataclasses import dataclass
from typing import Any

_THIRD = 3  # of the rates goes on, and of the next round's epochs is trained


@dataclass(frozen=True)
class Sweep:
    """The sweep of a study, as its configuration gives it: `count` rates from `lowest` to `highest`."""

    method: str
    lowest: float
    highest: float
    count: int

    @property
    def rates(self) -> tuple[float, ...]:
        """All rates, ascending and spaced evenly on a logarithmic axis, in nine significant digits."""
        low, high = math.log10(self.lowest), math.log10(self.highest)
        return tuple(float(f"{10 ** (low + (high - low) * i / (self.count - 1)):.8e}") for i in range(self.count))

    @property
    def rounds(self) -> tuple[int, ...]:
        """How many rates each round tries."""
        counts = [self.count]
        while self.method == "halving" and counts[-1] >= 2 * _THIRD:
            counts.append(counts[-1] // _THIRD)
        return tuple(counts)

    def settings(self, number: int, run: dict[str, Any]) -> dict[str, Any]:
        """The settings of a trial in a round, those of a run with all its epochs divided by a power of three."""
        if self.method == "full":
            return run
        epochs = max(1, run["epochs"] // _THIRD ** (len(self.rounds) + 1 - number))
        drops = {round(drop * epochs / run["epochs"]) for drop in run["learning_rate_drops"]}
        return run | {
            "epochs": epochs,
            "learning_rate_drops": sorted(drop for drop in drops if 0 < drop < epochs),
            "warmup_epochs": run["warmup_epochs"] * epochs // run["epochs"],
        }
