"""Another system beside this one, in turns: a command that tells its own speed."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from tests.benchmarks.processes import answer
from tests.benchmarks.rows import Row, in_turns, paired_ratio


@dataclass(frozen=True)
class Rival:
    """A command whose last line is JSON: its speed, and perhaps its ``system``."""

    command: str
    key: str  # of the speed
    theme: str
    unit: str
    to: str  # the row of this system


def beside(rival: Rival, ours: Callable[[], float], rounds: int) -> Row:
    """Measures both; the ratio is that of the other system to this one."""
    systems: list[str] = []

    def theirs() -> float:
        found = answer(rival.command)
        systems.append(str(found.get("system", rival.command)))
        return float(found[rival.key])

    samples = in_turns({"theirs": theirs, "ours": ours}, rounds)
    ratio = paired_ratio(samples["theirs"], samples["ours"])
    value = median(samples["theirs"])
    return Row(rival.theme, systems[0], value, rival.unit, ratio, rival.to)
