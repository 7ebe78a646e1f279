"""Checks that all processes of a training read and do the same."""

from collections.abc import Mapping
from typing import Any

from headline.errors import TrainingError
from headline.training.group import Group
from headline.training.state import FINGERPRINTS

HIDDEN = FINGERPRINTS | {
    "checkpoint": "the checkpoint in MODEL_DIR, which must be a folder of all hosts"
}


def check_alike(group: Group, own: Mapping[str, Any]) -> None:
    """Checks that all processes have the same settings, data and checkpoint.

    Args:
        own: those of this process, by name; whatever JSON can hold.

    Raises:
        TrainingError: a process has others; the message names the differences.
    """
    with group.together():
        first = group.agree(own)
        told = [_difference(name, own, first) for name in sorted(first.keys() | own)]
        if any(told):
            raise TrainingError(
                f"process {group.rank} must train as process 0 does: "
                + "; ".join(filter(None, told))
            )


def versions(environment: Mapping[str, str]) -> dict[str, str]:
    """Returns the versions that must be the same, of those of ``environment``."""
    return {name: environment[name] for name in ("headline", "keras", "backend")}


def _difference(name: str, own: Mapping[str, Any], first: Mapping[str, Any]) -> str:
    """Returns what differs in words; "" if nothing does."""
    if own.get(name) == first.get(name):
        return ""
    if name in HIDDEN:
        return f"{HIDDEN[name]} is not the same"
    return f"{name} is {own.get(name)!r}, not {first.get(name)!r}"
