"""Runs the commands with odd standard streams, odd outputs, few files and signals.

    python -m tests.stress.streams [--minutes N] [--seed N] [--trainings N]

Whatever the streams are: exit code 0 means that the whole result was delivered, 1 comes
with one line, or silently where nobody would read it; there is no traceback, and beside
what was asked for no file is left.
"""

import argparse
import csv
import os
import random
import resource
import signal
import stat
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from headline.bundle import save_bundle
from tests.commands import HEADLINE
from tests.corpora import bracket_pairs, write_pairs
from tests.scripted import tiny_bundle

STATES = "pipe", "closed", "gone", "null", "full"
READ = STATES[:-1]  # /dev/full has no end
ENDINGS = signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT
TRAIN = "--epochs 1 --width 8 --heads 2 --bigrams 9 --valid-articles 4 --samples 0"
ARTICLE = "央行今日宣布下调存款准备金率".encode()
Command = list[str | Path]
TOO_MANY = "too many open files"


@dataclass(frozen=True)
class Done:
    """What came of a command; of a stream that was no pipe there is nothing."""

    code: int
    stdout: bytes = b""
    stderr: str = ""

    @property
    def error(self) -> str:
        """The last line of stderr, if it is an error's."""
        last = self.stderr.splitlines()[-1:] or [""]
        return last[0] if last[0].startswith("Error: ") else ""


def run(
    args: Sequence[str | Path],
    stdin: str = "pipe",
    stdout: str = "pipe",
    stderr: str = "pipe",
    files: int | None = None,
    keep: Sequence[int] = (),
) -> Done:
    """Runs a command with each stream in one of ``STATES``.

    Args:
        files: most that it may open.
        keep: descriptors that it gets, too.
    """
    states = {0: stdin, 1: stdout, 2: stderr}

    def prepare() -> None:
        for descriptor, state in states.items():
            if state == "closed":
                os.close(descriptor)
        if files is not None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

    with ExitStack() as stack:
        streams = [_stream(stack, number, states[number]) for number in range(3)]
        process = subprocess.Popen(
            [*HEADLINE, *args],
            stdin=streams[0],
            stdout=streams[1],
            stderr=streams[2],
            preexec_fn=prepare,
            pass_fds=keep,
        )
    given = ARTICLE if stdin == "pipe" else None
    found, told = process.communicate(given, timeout=120)
    return Done(process.returncode, found or b"", (told or b"").decode())


def _stream(stack: ExitStack, number: int, state: str) -> int:
    if state == "pipe":
        return subprocess.PIPE
    if state == "gone":  # nobody is at the other end
        here, there = os.pipe()
        ours, other = (there, here) if number == 0 else (here, there)
        os.close(ours)
        stack.callback(os.close, other)
        return other
    path = "/dev/full" if state == "full" else os.devnull
    return stack.enter_context(open(path, "r+b", buffering=0)).fileno()


@dataclass(frozen=True)
class Output:
    """A kind of output.

    Args:
        path: what the option names.
        code: the exit code that is due.
        content: returns what has come there; None where nothing can be read back.
        left: files that belong there afterwards.
        to_stdout: whether it comes to stdout.
    """

    path: str
    code: int = 0
    content: Callable[[], bytes | None] = lambda: None
    left: frozenset[str] = frozenset()
    to_stdout: bool = False


def _rows(path: Path) -> int:
    """Returns the number of rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as stream:
        return sum(1 for _ in csv.reader(stream))


class Streams:
    """Runs commands at random from a seed.

    Args:
        folder: to write to.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.rng = folder, random.Random(seed)
        self.outcomes: Counter[str] = Counter()
        self.corpus = write_pairs(folder / "c.csv", bracket_pairs(40))
        self.model = folder / "model"
        save_bundle(self.model, tiny_bundle("天地玄黄宇宙洪荒"))
        self.place = folder / "place"
        self.place.mkdir()
        self.generate: Command = ["generate", "-m", str(self.model), "--workers", "1"]
        self.expected = {
            "text": run(self.generate).stdout,
            "table": run([*self.generate, self.corpus]).stdout,
        }

    # --- standard streams -----------------------------------------------------------

    def streams(self) -> None:
        """Runs a command that writes its result to stdout."""
        name = self.rng.choice(sorted(self._commands()))
        args, code = self._commands()[name]
        stdin, stdout, stderr = map(self.rng.choice, (READ, STATES, STATES))
        done = run(args, stdin, stdout, stderr)
        is_told = stdout != "gone"
        if name in ("stdin", "dash"):
            if stdin == "closed":
                code, is_told = 1, True
            elif name == "dash" and stdin != "pipe":
                stdout = "null"  # no lines come out of none
        due = 1 if code == 0 and stdout in ("full", "closed", "gone") else code
        self._check(f"{name} < {stdin} > {stdout} 2> {stderr}", done, due)
        if stderr == "pipe" and due == 1:
            assert bool(done.error) == (is_told or code == 1), (name, stdout, done)
        if stdout == "pipe" and due == 0:
            assert done.stdout, done
        self._remove("data")

    def _commands(self) -> dict[str, tuple[Sequence[str | Path], int]]:
        """Commands with the exit codes that are due when all goes well."""
        model, corpus = self.model, self.corpus
        data = self.place / "data"
        helps = [*((name, "--help") for name in ("prepare", "train", "evaluate"))]
        return {
            **{" ".join(args): (args, 0) for args in helps},
            "help": (["--help"], 0),
            "version": (["--version"], 0),
            "none": (["wrong"], 2),
            "no model": (["generate"], 2),
            "prepare": (["prepare", corpus, "-o", data, "--test-size", "0"], 0),
            "evaluate": (["evaluate", "-m", model, corpus], 0),
            "evaluate twice": (["evaluate", "-m", model, "-"], 1),
            "score": (["score", "-m", model, corpus, "--json"], 0),
            "stdin": (self.generate, 0),
            "dash": ([*self.generate, "-", "--lines"], 0),
            "table": ([*self.generate, corpus], 0),
            "damaged": (["generate", "-m", corpus.parent, corpus], 1),
        }

    def _check(self, what: str, done: Done, due: int) -> None:
        assert done.code == due, (what, due, done)
        self._check_quiet(what, done)
        self.outcomes[f"exit code {due}"] += 1

    def _check_quiet(self, what: str, done: Done) -> None:
        for word in ("Traceback", "Exception ignored", "Fatal"):
            assert word not in done.stderr, (what, done.stderr)
        if done.code == 1:
            assert done.stderr.count("Error: ") <= 1, (what, done)

    # --- outputs --------------------------------------------------------------------

    def outputs(self) -> None:
        """Runs a command that writes to what an option names."""
        kinds = self._kinds()
        kind = self.rng.choice(sorted(kinds))
        stderr = self.rng.choice(STATES)
        with ExitStack() as stack:
            output = kinds[kind](stack)
            option = self.rng.choice(["-o", "--output"])
            args: Command = [*self.generate, self.corpus, option, output.path]
            keep = [int(output.path[8:])] if output.path.startswith("/dev/fd") else []
            stdout = "pipe" if output.to_stdout else self.rng.choice(STATES)
            done = run(args, stdout=stdout, stderr=stderr, keep=keep)
            self._check(f"{kind} > {stdout} 2> {stderr}", done, output.code)
            found = output.content()
            if output.to_stdout:
                found = done.stdout
            assert found in (None, self.expected["table"]), (kind, found, done)
        assert {*os.listdir(self.place)} == output.left, (kind, os.listdir(self.place))
        self._remove(*output.left)

    def _kinds(self) -> dict[str, Callable[[ExitStack], Output]]:
        """What makes each kind of output."""
        return {
            "new": self._new,
            "long": lambda stack: self._new(stack, "长" * 84 + ".c"),
            "too long": lambda _: Output(f"{self.place}/{'长' * 86}", 1),
            "old": self._old,
            "link": self._link,
            "loop": self._loop,
            "folder": lambda _: Output(str(self.place), 1),
            "slash": lambda _: Output(f"{self.place}/new/", 1),
            "null": lambda _: self._device(3, 0),
            "full": lambda _: self._device(7, 1),
            "dash": lambda _: Output("-", to_stdout=True),
            "stdout": self._stdout,
            "fifo": self._fifo,
            "descriptor": self._descriptor,
            "model": lambda _: Output(f"{self.model}/vocab.json", 1),
        }

    def _new(self, _: ExitStack, name: str = "new.csv") -> Output:
        path = self.place / name
        return Output(str(path), 0, path.read_bytes, frozenset({name}))

    def _old(self, _: ExitStack) -> Output:
        path = self.place / "old.csv"
        path.write_text("old")
        path.chmod(0o640)

        def content() -> bytes:
            assert stat.S_IMODE(path.stat().st_mode) == 0o640
            return path.read_bytes()

        return Output(str(path), 0, content, frozenset({path.name}))

    def _link(self, stack: ExitStack) -> Output:
        link, old = self.place / "link", self.place / "old.csv"
        if self.rng.random() < 0.5:
            self._old(stack)
        link.symlink_to(old.name)

        def content() -> bytes:
            assert link.is_symlink() and not old.is_symlink()
            return old.read_bytes()

        return Output(str(link), 0, content, frozenset({"link", "old.csv"}))

    def _loop(self, _: ExitStack) -> Output:
        (self.place / "loop").symlink_to("loop")
        return Output(f"{self.place}/loop", 1, left=frozenset({"loop"}))

    def _device(self, minor: int, code: int) -> Output:
        """A device like /dev/null, which is the machine's and might be destroyed."""
        path = self.place / "device"
        try:
            os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, minor))
            os.close(os.open(path, os.O_WRONLY))
        except PermissionError:
            path.unlink(missing_ok=True)
            return Output(str(self.place), 1)

        def content() -> None:
            assert stat.S_ISCHR(path.lstat().st_mode)

        return Output(str(path), code, content, frozenset({"device"}))

    def _stdout(self, _: ExitStack) -> Output:
        """What /dev/stdout is."""
        link = self.place / "stdout"
        link.symlink_to("/proc/self/fd/1")

        def content() -> None:
            assert link.is_symlink()

        return Output(str(link), 0, content, frozenset({"stdout"}), to_stdout=True)

    def _fifo(self, stack: ExitStack) -> Output:
        path, found = self.place / "fifo", bytearray()
        os.mkfifo(path)
        reader = Thread(target=lambda: found.extend(path.read_bytes()))
        reader.start()

        def content() -> bytes:
            reader.join()
            assert stat.S_ISFIFO(path.stat().st_mode)
            return bytes(found)

        return Output(str(path), 0, content, frozenset({"fifo"}))

    def _descriptor(self, stack: ExitStack) -> Output:
        """What a shell makes of ``>(…)``."""
        here, there = os.pipe()
        stack.callback(os.close, here)

        def content() -> bytes:
            os.close(there)
            return os.read(here, 1 << 16)

        return Output(f"/dev/fd/{there}", 0, content)

    def _remove(self, *names: str) -> None:
        for name in names:
            path = self.place / name
            if path.is_dir() and not path.is_symlink():
                for child in path.iterdir():
                    child.unlink()
                path.rmdir()
            else:
                path.unlink(missing_ok=True)

    # --- few files, signals ---------------------------------------------------------

    def few_files(self) -> None:
        """Runs a command that may open only few files."""
        data, out = self.place / "data", self.place / "out.csv"
        workers = ["--workers", "4", "--batch-size", "4"]
        commands: list[Command] = [
            ["prepare", self.corpus, "-o", data],
            ["evaluate", "-m", self.model, self.corpus, *workers, "-o", out],
            [*self.generate, self.corpus, *workers, "-o", out],
        ]
        args = self.rng.choice(commands)
        done = run(args, files=self.rng.randrange(8, 40))
        self._check_quiet(f"few files: {args}", done)
        if done.code:
            assert done.code == 1 and TOO_MANY in done.error, done
            assert not os.listdir(self.place), os.listdir(self.place)
        self.outcomes["few files: told" if done.code else "enough files"] += 1
        self._remove("data", "out.csv")

    def signals(self) -> None:
        """Sends a signal to a command at a random moment, as a terminal does."""
        number, out = self.rng.choice(ENDINGS), self.place / "out.csv"
        args: Command = [
            *self.generate,
            self.corpus,
            "--workers",
            "2",
            "--batch-size",
            "4",
        ]
        with subprocess.Popen(
            [*HEADLINE, *args, "-o", out],
            stdout=-1,
            stderr=-1,
            start_new_session=True,
        ) as process:
            # Python itself, as it starts, would print a traceback of Ctrl-C.
            time.sleep(self.rng.uniform(0.15, 0.6))
            os.killpg(process.pid, number)
            found, told = process.communicate(timeout=60)
        done = Done(process.returncode, found, told.decode())
        if number != signal.SIGINT or out.exists():
            self._check_quiet(number.name, done)
        assert done.code in (0, 128 + number, -number), (number.name, done)
        if done.code != -number:
            # A signal may also come when all is written, just before the end.
            assert {*os.listdir(self.place)} <= {"out.csv"}, os.listdir(self.place)
            assert out.exists() or done.code, done
            assert not out.exists() or _rows(out) == _rows(self.corpus), done
        self.outcomes[f"{number.name}: {done.code}"] += 1
        self._remove("out.csv")

    # --- trainings ------------------------------------------------------------------

    def train(self) -> None:
        """Trains with odd streams."""
        sizes = ["--valid-size", "0.2", "--test-size", "0"]
        assert not run(["prepare", self.corpus, "-o", self.folder / "d", *sizes]).code
        model = self.place / "m"
        args: Command = [
            "train",
            self.folder / "d",
            "-o",
            model,
            "--overwrite",
            *TRAIN.split(),
        ]
        stdin, stdout, stderr = map(self.rng.choice, (READ, STATES, STATES))
        done = run(args, stdin, stdout, stderr)
        due = int(stdout in ("full", "closed", "gone"))
        self._check(f"train < {stdin} > {stdout} 2> {stderr}", done, due)
        assert (model / "manifest.json").exists()


def main() -> None:
    """Runs for some minutes, and prints what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--trainings", type=int, default=10)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        streams, begin = Streams(Path(folder), args.seed), time.monotonic()
        kinds = [streams.streams, streams.outputs, streams.few_files, streams.signals]
        while time.monotonic() - begin < 60 * args.minutes:
            streams.rng.choice(kinds)()
        for _ in range(args.trainings):
            streams.train()
        for outcome, times in sorted(streams.outcomes.items()):
            print(f"{times:7} {outcome}")


if __name__ == "__main__":
    main()
