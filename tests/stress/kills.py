"""Kills commands at random moments, and fills the disk under them.

    python -m tests.stress.kills [--kills N] [--trainings N] [--seed N]

After each kill the folder must hold all of the old or all of the new, and the next
command must work.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from headline.bundle import (
    has_checkpoint,
    is_trained,
    load_bundle,
    load_checkpoint,
    save_bundle,
)
from headline.data.store import open_dataset
from headline.errors import HeadlineError
from tests.commands import HEADLINE
from tests.corpora import bracket_pairs, write_pairs
from tests.scripted import tiny_bundle

NETWORK = ["--width", "8", "--heads", "2", "--bigrams", "10", "--valid-articles", "4"]
# A checkpoint after each update, so that many a kill comes while one is written.
TRAIN = [*NETWORK, "--epochs", "2", "--samples", "0", "--checkpoint-minutes", "1e-9"]

Command = Sequence[str | Path]


def killed(command: Command, seconds: float) -> bool:
    """Runs a command and kills it after some seconds; False if it ended before."""
    silent = subprocess.DEVNULL
    with subprocess.Popen(
        command, stdout=silent, stderr=silent, start_new_session=True
    ) as process:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            return True
    return False


def run(command: Command) -> float:
    """Runs a command to its end; returns the seconds that it took."""
    begin = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    return time.monotonic() - begin


class Kills:
    """Counts kills, and what they left.

    Args:
        folder: to work in.
        seed: of the moments.
    """

    def __init__(self, folder: Path, seed: int = 1) -> None:
        self.folder, self.rng = folder, random.Random(seed)
        self.outcomes: Counter[str] = Counter()

    def prepare(self, kills: int) -> None:
        """Kills ``prepare`` while it puts one dataset in the place of another."""
        data_dir = self.folder / "data"
        found: dict[str, str] = {}
        commands: list[Command] = []
        for name, seed in (("a", 1), ("b", 2)):
            pairs = bracket_pairs(300 * seed, seed=seed)
            corpus = write_pairs(self.folder / f"{name}.csv", pairs)
            output: Command = ["-o", data_dir, "--overwrite"]
            commands.append([*HEADLINE, "prepare", corpus, *output])
            seconds = run(commands[-1])
            found[str(open_dataset(data_dir).fingerprint)] = name
        for number in range(kills):
            moment = self.rng.uniform(0, 1.1) * seconds
            end = "killed" if killed(commands[number % 2], moment) else "ended"
            name = found[str(open_dataset(data_dir).fingerprint)]
            self.outcomes[f"prepare {end}, dataset {name}"] += 1
        run(commands[0])
        assert found[str(open_dataset(data_dir).fingerprint)] == "a"
        assert not [path for path in data_dir.iterdir() if path.name.startswith(".")]

    def generate(self, kills: int) -> None:
        """Kills ``generate`` while it writes a file in the place of another."""
        save_bundle(self.folder / "tiny", tiny_bundle("天地玄黄"))
        corpus = write_pairs(self.folder / "c.csv", bracket_pairs(400))
        output = self.folder / "out.csv"
        options: Command = ["-o", output, "--batch-size", "8", "--workers", "2"]
        model_dir = self.folder / "tiny"
        command: Command = [*HEADLINE, "generate", "-m", model_dir, corpus, *options]
        seconds = run(command)
        new = output.read_text("utf-8")
        for _ in range(kills):
            output.write_text("old", "utf-8")
            moment = self.rng.uniform(0, 1.1) * seconds
            end = "killed" if killed(command, moment) else "ended"
            text = output.read_text("utf-8")
            assert text in ("old", new)
            self.outcomes[
                f"generate {end}, {'new' if text == new else 'old'} file"
            ] += 1

    def train(self, kills: int) -> None:
        """Kills a training again and again, and goes on with it."""
        corpus = write_pairs(self.folder / "t.csv", bracket_pairs(60))
        data_dir, model_dir = self.folder / "t", self.folder / "m"
        sizes: Command = ["--valid-size", "0.2", "--test-size", "0"]
        run([*HEADLINE, "prepare", corpus, "-o", data_dir, *sizes])
        fresh: Command = [*HEADLINE, "train", data_dir, "-o", model_dir, *TRAIN]
        seconds = run([*fresh, "--batch-size", "8"])
        command: Command = [*fresh, "--batch-size", "8", "--overwrite"]
        for _ in range(kills):
            moment = self.rng.uniform(0.3, 1.1) * seconds
            end = "killed" if killed(command, moment) else "ended"
            self.outcomes[f"train {end}"] += 1
            if is_trained(model_dir):
                load_bundle(model_dir)
            if has_checkpoint(model_dir):
                load_checkpoint(model_dir)
            way = "--overwrite" if end == "ended" else self._way_on(model_dir)
            self.outcomes[f"went on with {way}"] += 1
            command = [*fresh, "--batch-size", "8", way]
        left = [path.name for path in model_dir.iterdir() if path.name[:1] == "."]
        assert len(left) <= 2, left  # of the last one: its lock, a scratch folder

    def _way_on(self, model_dir: Path) -> str:
        if not has_checkpoint(model_dir):
            return "--overwrite"
        state = load_checkpoint(model_dir).state["state"]
        return "--overwrite" if state["phase_over"] else "--resume"


# --- a full disk ----------------------------------------------------------------------


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[Path]:
    """A file system of so many kilobytes; needs the rights to mount one.

    Raises:
        PermissionError: they are missing.
    """
    folder.mkdir(exist_ok=True)
    mount: Command = [
        "mount",
        "-t",
        "tmpfs",
        "-o",
        f"size={kilobytes}k",
        "tmpfs",
        folder,
    ]
    if subprocess.run(mount, capture_output=True).returncode:
        raise PermissionError("cannot mount a tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def fails_politely(command: Command) -> bool:
    """Runs a command; False if it worked.

    Raises:
        AssertionError: it failed in another way than with one line and exit code 1.
    """
    done = subprocess.run(command, capture_output=True, text=True)
    if not done.returncode:
        return False
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert last.startswith("Error: cannot write") and "No space left" in last, last
    return True


def fill(folder: Path, kilobytes: Sequence[int]) -> Counter[str]:
    """Runs ``prepare``, ``train`` and ``generate`` on disks of these sizes."""
    outcomes: Counter[str] = Counter()
    corpus = write_pairs(folder / "c.csv", bracket_pairs(200))
    data_dir = folder / "d"
    run([*HEADLINE, "prepare", corpus, "-o", data_dir, "--test-size", "0"])
    save_bundle(folder / "tiny", tiny_bundle("天地玄黄"))
    for size in kilobytes:
        with small_disk(folder / "disk", size) as disk:
            commands: dict[str, Command] = {
                "prepare": [*HEADLINE, "prepare", corpus, "-o", disk / "d"],
                "train": [*HEADLINE, "train", data_dir, "-o", disk / "m", *TRAIN],
                "generate": [
                    *HEADLINE, "generate", "-m", folder / "tiny", corpus,
                    "-o", disk / "out.csv",
                ],
            }  # fmt: skip
            for name, command in commands.items():
                failed = fails_politely(command)
                outcomes[f"{name}: {'told' if failed else 'had room'}"] += 1
                _check_whole(disk)
                for path in disk.glob("*"):
                    _remove(path)
    return outcomes


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def _check_whole(disk: Path) -> None:
    if (disk / "d").exists():
        open_dataset(disk / "d")
    if is_trained(disk / "m"):
        load_bundle(disk / "m")
    if has_checkpoint(disk / "m"):
        load_checkpoint(disk / "m")
    if (disk / "out.csv").exists():
        assert (disk / "out.csv").read_text("utf-8").count("\n") == 201


def main() -> None:
    """Kills and fills, and prints what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200, help="of prepare, generate")
    parser.add_argument("--trainings", type=int, default=200, help="to kill")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        kills = Kills(Path(folder), args.seed)
        try:
            kills.prepare(args.kills)
            kills.generate(args.kills)
            kills.train(args.trainings)
        except (AssertionError, HeadlineError) as error:
            sys.exit(f"{dict(kills.outcomes)}: {error}")
        for outcome, times in sorted(kills.outcomes.items()):
            print(f"{times:5} {outcome}")
        if os.geteuid():
            print("no rights to fill a disk")
            return
        sizes = [4, 16, 40, 80, 120, 200, 300, 500, 1000, 4000]
        for outcome, times in sorted(fill(Path(folder), sizes).items()):
            print(f"{times:5} {outcome}")


if __name__ == "__main__":
    main()
