"""The figures of a benchmark: rows of one table, and how they are compared.

Times drift on a machine that others use too, so whatever is compared is measured in
turns: each round runs all, and a ratio is the median of the ratios of the rounds.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

NAME_WIDTH = 54  # columns

Samples = Mapping[str, Sequence[float]]  # by name, one of each round


@dataclass(frozen=True)
class Row:
    """One figure.

    ``ratio`` is how many times as much it is as what ``to`` names, in the same run.
    """

    theme: str
    name: str
    value: float
    unit: str
    ratio: float | None = None
    to: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Returns what there is of it, ready for JSON."""
        found = asdict(self) | {"value": float(f"{self.value:.4g}")}
        if self.ratio is None:
            return {name: found[name] for name in ("theme", "name", "value", "unit")}
        return found | {"ratio": float(f"{self.ratio:.4g}")}


def in_turns(actions: Mapping[str, Callable[[], float]], rounds: int) -> Samples:
    """Runs all actions one after the other, so many times."""
    samples: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(rounds):
        for name, action in actions.items():
            samples[name].append(action())
    return samples


def paired_ratio(values: Sequence[float], others: Sequence[float]) -> float:
    """Returns how many times as much the first are: the middle one of the rounds."""
    return median(one / other for one, other in zip(values, others, strict=True))


def compared(theme: str, samples: Samples, unit: str, to: str) -> Iterator[Row]:
    """Yields the medians, and of all but ``to`` the ratio to it."""
    for name, values in samples.items():
        if name == to:
            yield Row(theme, name, median(values), unit)
        else:
            ratio = paired_ratio(values, samples[to])
            yield Row(theme, name, median(values), unit, ratio, to)


def line(row: Row) -> str:
    """Returns the row as a line of a table for a person."""
    start = f"{row.theme:<10}{row.name:<{NAME_WIDTH}}{_number(row.value):>11}"
    return f"{start} {row.unit:<21}{_compared(row)}".rstrip()


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _compared(row: Row) -> str:
    return "" if row.ratio is None else f"{row.ratio:.3g} times {row.to}"
