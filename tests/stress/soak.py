"""Long runs: memory stays flat, and nothing is left behind.

    python -m tests.stress.soak [--articles N] [--pairs N]

A million articles through a pipe, and two million pairs through ``prepare``. Memory is
that of all processes of the command, looked at every second.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from headline.bundle import save_bundle
from tests.commands import HEADLINE
from tests.corpora import bracket_pairs
from tests.scripted import tiny_bundle

ARTICLE = "天地玄黄「宇宙洪荒」日月盈昃"
WARM_UP = 0.1  # share of the run
MOST_GROWTH = 20e6  # bytes


def memory(group: int) -> int:
    """Bytes that the processes of a group hold, what they share counted once."""
    total = 0
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(path.name)) == group:
                rollup = (path / "smaps_rollup").read_text()
                total += 1024 * int(rollup.split("\nPss:")[1].split()[0])
        except (OSError, IndexError, ValueError):
            continue  # it has just ended
    return total


def watched(
    command: Sequence[str | Path], lines: Iterable[bytes] = ()
) -> tuple[int, list[int]]:
    """Runs a command; returns its lines, and its memory every second.

    Args:
        lines: what it reads.
    """
    samples: list[int] = []
    with subprocess.Popen(
        command, stdin=-1, stdout=-1, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        assert process.stdin is not None and process.stdout is not None

        def feed() -> None:
            assert process.stdin is not None
            for line in lines:
                process.stdin.write(line)
            process.stdin.close()

        def look() -> None:
            while process.poll() is None:
                samples.append(memory(process.pid))
                time.sleep(1)

        for work in (feed, look):
            threading.Thread(target=work, daemon=True).start()
        found = sum(1 for _ in process.stdout)
    assert process.returncode == 0, process.returncode
    assert memory(process.pid) == 0  # no process of the group is left
    return found, samples


def growth(samples: Sequence[int]) -> float:
    """Bytes between the mean after the warm-up and that of the end."""
    begin = int(len(samples) * WARM_UP)
    part = max(1, (len(samples) - begin) // 5)
    first, last = samples[begin : begin + part], samples[-part - 1 : -1] or samples
    return sum(last) / len(last) - sum(first) / len(first)


def generate(folder: Path, articles: int) -> float:
    """Articles through a pipe, in two worker processes."""
    save_bundle(folder / "m", tiny_bundle(ARTICLE))
    command = [*HEADLINE, "generate", "-m", str(folder / "m"), "--lines"]
    shared = set(os.listdir("/dev/shm"))
    line = (ARTICLE + "\n").encode()
    found, samples = watched(
        [*command, "--workers", "2"], (line for _ in range(articles))
    )
    assert found == articles
    assert set(os.listdir("/dev/shm")) <= shared
    return growth(samples)


def prepare(folder: Path, pairs: int) -> float:
    """Pairs, all different, through ``prepare``."""
    corpus = folder / "large.csv"
    few = bracket_pairs(1000)
    with corpus.open("w", encoding="utf-8") as stream:
        stream.write("title,content\n")
        for number in range(pairs):
            title, article = few[number % len(few)]
            stream.write(f"{title},{article}{number}\n")
    _, samples = watched([*HEADLINE, "prepare", corpus, "-o", folder / "data"])
    return growth(samples)


def main() -> None:
    """Runs both and prints what they took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--articles", type=int, default=1_000_000)
    parser.add_argument("--pairs", type=int, default=2_000_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        begin = time.monotonic()
        grown = generate(Path(folder), args.articles)
        seconds = time.monotonic() - begin
        print(f"{args.articles:,} articles: {seconds:.0f} s, {grown / 1e6:+.1f} MB")
        begin = time.monotonic()
        grown = max(grown, more := prepare(Path(folder), args.pairs))
        seconds = time.monotonic() - begin
        print(f"{args.pairs:,} pairs: {seconds:.0f} s, {more / 1e6:+.1f} MB")
    sys.exit(grown > MOST_GROWTH)


if __name__ == "__main__":
    main()
