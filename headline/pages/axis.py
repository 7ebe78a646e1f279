"""Axes of charts, linear or logarithmic, and numbers as a person reads them."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

TICKS = 5  # approximate number of ticks on an axis
SLACK = 1e-9  # tolerance in ticks: 0.3 / 0.1 is a little less than 3
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Axis:
    """The range of the values along one side of a chart."""

    low: float
    high: float  # above low
    log: bool = False  # if true, both ends are above 0

    @classmethod
    def over(cls, values: Iterable[float], log: bool = False) -> Self:
        """Makes the axis that covers all values that it can show."""
        shown = [v for v in values if math.isfinite(v) and (v > 0 or not log)]
        low, high = (min(shown), max(shown)) if shown else (1.0, 1.0)
        if low == high:  # it must have some length
            room = abs(low) / 10 or 0.5
            low, high = (low / 2, high * 2) if log else (low - room, high + room)
        return cls(low, high, log)

    def shows(self, value: float) -> bool:
        """Returns whether the axis can show the value."""
        return self.low <= value <= self.high

    def rounded(self) -> "Axis":
        """Returns the axis made longer: to the next ticks, or a little if it is log."""
        if self.log:
            return Axis(self.low / 1.1, self.high * 1.1, log=True)
        step = self._step()
        low = math.floor(self.low / step + SLACK)
        high = math.ceil(self.high / step - SLACK)
        axis = Axis(low * step, high * step)
        # Being longer, it may have ticks farther apart.
        return axis if axis == self else axis.rounded()

    def share(self, value: float) -> float:
        """Returns where a value lies, from 0 at the low end to 1 at the high one."""
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self, whole: bool = False) -> list[float]:
        """Returns round values on the axis, few enough to read.

        Args:
            whole: only whole numbers.
        """
        if self.log:
            return self._log_ticks()
        step = max(self._step(), 1.0) if whole else self._step()
        first = math.ceil(self.low / step - SLACK)
        last = math.floor(self.high / step + SLACK)
        return [place * step for place in range(first, last + 1)]

    def _step(self) -> float:
        """The distance of the ticks: 1, 2 or 5 times a power of ten."""
        rough = (self.high - self.low) / TICKS
        power = 10.0 ** math.floor(math.log10(rough))
        steps = (factor * power for factor in (1, 2, 5, 10))
        return next(step for step in steps if step >= rough * (1 - SLACK))

    def _log_ticks(self) -> list[float]:
        """Powers of ten, or values between them too where there are few."""
        exponents = [math.floor(math.log10(end)) for end in (self.low, self.high)]
        decades = [10.0**e for e in range(exponents[0], exponents[1] + 1)]
        for factors in ((1,), (1, 3), (1, 2, 5), range(1, 10)):
            found = [factor * decade for decade in decades for factor in factors]
            ticks = [tick for tick in found if self.shows(tick)]
            if len(ticks) > 2:
                break
        return ticks[:: -(-len(ticks) // (TICKS + 2)) or 1]


def number(value: float) -> str:
    """Returns a number to four digits, in readable form: 38,120 or 2.5×10⁻⁵."""
    if not math.isfinite(value):
        return str(value)
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if value == 0 or abs(value) >= 1e-4:
        return f"{value:.4g}"
    mantissa, exponent = f"{value:.2e}".split("e")
    power = "10" + str(int(exponent)).translate(SUPERSCRIPTS)
    return power if float(mantissa) == 1 else f"{float(mantissa):g}×{power}"
