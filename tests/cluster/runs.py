"""Runs over shards by the command line, which tests kill and compare."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.commands import HEADLINE
from tests.corpora import bracket_pairs, write_pairs
from tests.trained import TRAINED

ROWS = 1500
SHARDS = 30
PATIENCE = 300.0  # seconds that a test waits for what must come
# Every headline depends on its seed. There are no scores: articles of a shard are
# searched in other batches than those of a whole file, so that sums are rounded
# otherwise, and the fourth decimal of 6 of 1,500 scores differs by 1.
SAMPLED = "--sample --num-headlines 2 --seed 5 --beam-size 8".split()  # noqa: SIM905


def corpus(folder: Path) -> Path:
    """Writes the articles of a run; their rows differ."""
    return write_pairs(folder / "news.csv", bracket_pairs(ROWS, seed=8))


def single(files: Sequence[Path], *options: str) -> bytes:
    """Returns what one process writes for the same articles."""
    command = [*HEADLINE, "generate", *map(str, files), "-m", str(TRAINED)]
    command += ["--workers", "1", *options]
    return subprocess.run(command, check=True, capture_output=True).stdout


def joined(out: Path) -> bytes:
    """Returns what ``headline cat`` writes."""
    command = [*HEADLINE, "cat", str(out)]
    return subprocess.run(command, check=True, capture_output=True).stdout


def sharded(files: Sequence[Path], out: Path, *options: str) -> list[str]:
    """Returns the command that writes shards of the articles."""
    command = [*HEADLINE, "generate", *map(str, files), "-m", str(TRAINED)]
    size = str(ROWS // SHARDS)
    return [*command, "--output-dir", str(out), "--rows-per-shard", size, *options]


def finished(out: Path) -> dict[str, tuple[int, int]]:
    """Returns inode and time of each shard that is complete: a rewrite changes both."""
    states = ((path.name, path.stat()) for path in out.glob("0*.csv"))
    return {name: (state.st_ino, state.st_mtime_ns) for name, state in states}


def is_success(out: Path) -> bool:
    """Tells whether the run says that it is complete."""
    return (out / "_SUCCESS").exists()


def wait_until(holds: Callable[[], object], what: str) -> None:
    """Waits for a condition, and fails if it takes too long."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.05)


def wait_for(out: Path, shards: int, process: "subprocess.Popen[Any]") -> None:
    """Waits until a run has so many shards; it must not have ended before."""
    wait_until(
        lambda: len(finished(out)) >= shards or process.poll() is not None,
        f"{shards} shards",
    )
    assert process.poll() is None and not is_success(out)


def kill(pid: int) -> None:
    """Kills a process that the test has started, itself or through others."""
    os.kill(pid, signal.SIGKILL)


def descendants(pid: int) -> dict[int, str]:
    """Returns the processes below one, each with its command line."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text()
        except OSError:  # it has just ended
            continue
        parents[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
    found: dict[int, str] = {}
    for child in parents:
        above = child
        while above in parents and above != pid:
            above = parents[above]
        if above == pid and child != pid:
            found[child] = _command_of(child)
    return found


def _command_of(pid: int) -> str:
    try:
        content = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return ""
    return content.replace(b"\0", b" ").decode(errors="replace").strip()
