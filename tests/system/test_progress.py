"""Bars on terminals, lines in logs, and how much time is left."""

import io
import math
import os
import pty
import subprocess
import sys
import termios
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile

import pytest

from headline.bundle import save_bundle
from headline.system.progress import EVERY, Meter, Ticker, clock
from tests.commands import HEADLINE
from tests.corpora import bracket_pairs, write_pairs
from tests.scripted import tiny_bundle

HAN = "央行今日宣布下调存款准备金率"


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which a test may set."""
    time = [100.0]
    monkeypatch.setattr("headline.system.progress.time.monotonic", lambda: time[0])
    return time


def test_times_are_shown_as_on_a_clock() -> None:
    shown = {0: "0:00", 59.6: "1:00", 245: "4:05", 3845: "1:04:05", math.inf: "?"}
    assert {seconds: clock(seconds) for seconds in shown} == shown


def test_a_ticker_is_due_every_half_minute(now: list[float]) -> None:
    ticker, due = Ticker(), []
    for second in range(100):
        now[0] = 100 + second
        if ticker.is_due():
            due.append(second)
    assert due == [30, 60, 90]


def test_a_log_gets_a_line_every_half_minute(now: list[float]) -> None:
    lines: list[str] = []
    with Meter("generate", "B", lines.append, total=1000) as meter:
        for count in range(1, 10):
            now[0] += EVERY / 2
            meter.advance(100, f"{count} articles")
    assert lines == [
        "generate: 20%, 2 articles, 2:00 left",
        "generate: 40%, 4 articles, 1:30 left",
        "generate: 60%, 6 articles, 1:00 left",
        "generate: 80%, 8 articles, 0:30 left",
    ]


def test_what_has_no_total_says_how_much_is_done(now: list[float]) -> None:
    lines: list[str] = []
    with Meter("read", "B", lines.append) as read:
        now[0] += EVERY
        read.advance(12_000_000)
    with Meter("evaluate", "articles", lines.append) as counted:
        counted.expect(3)
        now[0] += EVERY
        counted.advance(1)
    assert lines == ["read: 12 MB", "evaluate: 33%, 1 articles, 1:00 left"]


def test_a_short_run_says_nothing(now: list[float]) -> None:
    lines: list[str] = []
    with Meter("read", "B", lines.append, total=9) as meter:
        meter.advance(9)
    assert lines == []


def test_a_terminal_gets_a_bar_that_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, lines = Terminal(), list[str]()
    monkeypatch.setattr("sys.stderr", terminal)
    with Meter("evaluate", "articles", lines.append) as meter:
        meter.expect(2)
        meter.advance(2)
    text = terminal.getvalue()
    assert "evaluate" in text and "0/2" in text and lines == []
    assert text.endswith("\r")  # and what stood in the line is blank


def on_terminal(*args: str | Path) -> tuple[bytes, bytes]:
    """Runs a command with a terminal as stderr; returns stdout and what that shows."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    command, shown = [*HEADLINE, *map(str, args)], b""
    with (
        TemporaryFile() as stdout,
        subprocess.Popen(command, stdout=stdout, stderr=theirs) as process,
    ):
        os.close(theirs)  # or the terminal would not end with the process
        with suppress(OSError):  # which is how Linux says that it has ended
            while part := os.read(ours, 65536):
                shown += part
        os.close(ours)
        assert process.wait() == 0
        stdout.seek(0)
        return stdout.read(), shown


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such terminals")
def test_commands_show_a_bar_on_a_terminal_and_the_same_result(tmp_path: Path) -> None:
    model, file = tmp_path / "model", tmp_path / "a.csv"
    save_bundle(model, tiny_bundle(HAN))
    write_pairs(file, bracket_pairs(6000))
    plain = tmp_path / "plain.csv"
    quick = "--beam-size", "1", "--max-length", "3"

    _, shown = on_terminal(
        *("generate", "-m", model, file, "-o", tmp_path / "b.csv", *quick)
    )
    command = ["generate", "-m", str(model), str(file), "-o", str(plain), *quick]
    done = subprocess.run([*HEADLINE, *command], check=True, capture_output=True)

    assert b"generate" in shown and b" articles" in shown
    assert done.stderr == b""
    assert plain.read_bytes() == (tmp_path / "b.csv").read_bytes()
    table, shown = on_terminal("evaluate", "-m", model, file, *quick)
    assert b"evaluate" in shown and b"ROUGE-L" in table
