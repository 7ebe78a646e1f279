"""Whole processes: how long they take, and how much memory at most."""

import json
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).parents[2]
LAUNCHER = [sys.executable, "-I", "-S", str(Path(__file__).with_name("launcher.py"))]


@dataclass(frozen=True)
class Finished:
    """A process that has ended.

    ``megabytes`` is the peak of the largest of its processes, itself or a worker.
    """

    seconds: float
    megabytes: float


def run(command: Sequence[str], stdin: bytes = b"", exit_code: int = 0) -> Finished:
    """Runs a command from the root of the repository.

    Raises:
        click.ClickException: it ends with another exit code.
    """
    done = subprocess.run(
        [*LAUNCHER, *command], input=stdin, capture_output=True, check=True, cwd=ROOT
    )
    found = json.loads(done.stdout)
    if found.pop("exit_code") != exit_code:
        raise click.ClickException(f"{shlex.join(command)}: {done.stderr.decode()}")
    return Finished(**found)


def answer(command: str) -> dict[str, Any]:
    """Runs a command of somebody else and reads the JSON of its last line."""
    done = subprocess.run(shlex.split(command), stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
