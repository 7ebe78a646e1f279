"""--quiet, --verbose and --log-file: who hears the story, and that the result stays."""

import io
import os
import re
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from headline.cli.main import main
from headline.cli.story import Listeners, detail, tell, telling
from headline.system.progress import on_terminal, show_bars
from tests.commands import HEADLINE
from tests.corpora import bracket_pairs, write_pairs
from tests.trained import TRAINED

LOG = "story.log"
TIMED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d .*\S")
SPEED = re.compile(r"[\d,.]+ articles/s|[\d.]+ s\b|articles_per_second\": [\d.]+")
COMMANDS = [
    f"generate -m {TRAINED} big5.txt",
    f"generate -m {TRAINED} a.csv bad.csv",
    f"evaluate -m {TRAINED} a.csv --json",
    f"score -m {TRAINED} a.csv",
    "prepare a.csv bad.csv -o data --overwrite",
    f"info {TRAINED}",
    "completion zsh",
]


def headline(command: str, *more: str) -> Result:
    return CliRunner().invoke(main, [*command.split(), *more])


@pytest.fixture(autouse=True)
def _places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_pairs(Path("a.csv"), bracket_pairs(60))
    Path("big5.txt").write_text("中央銀行今日宣布，下調存款準備金率。\n", "big5")
    # A row that cannot be read is told of.
    text = "title,content\n" + "".join(f'{t},"{c}"\n' for t, c in bracket_pairs(3, 2))
    Path("bad.csv").write_text(
        text + "短,\udcff字字字字字字字字字字字\n", "utf-8", "surrogateescape"
    )


def result_of(result: Result) -> tuple[int, str]:
    return result.exit_code, SPEED.sub("", result.stdout)


@pytest.mark.parametrize("command", COMMANDS)
def test_result_and_exit_code_are_the_same_whoever_hears_the_story(
    command: str,
) -> None:
    plain = headline(command)
    assert plain.exit_code == 0, plain.output
    for options in (["--quiet"], ["--verbose"], ["--log-file", LOG]):
        assert result_of(headline(command, *options)) == result_of(plain), options


@pytest.mark.parametrize("command", COMMANDS)
def test_quiet_prints_nothing_on_stderr_and_the_log_has_it_all(command: str) -> None:
    plain = headline(command)
    quiet = headline(command, "--quiet", "--log-file", LOG)

    assert quiet.stderr == ""
    lines = Path(LOG).read_text("utf-8").splitlines()
    assert all(TIMED.fullmatch(line) for line in lines)
    logged = [line.partition(" ")[2] for line in lines]
    for line in plain.stderr.splitlines():
        assert line in logged
    name = command.split()[0]
    assert logged[0].startswith(f"headline {name} begins, version ")


def test_some_of_these_commands_have_a_story_to_tell() -> None:
    assert "detected encoding big5" in headline(COMMANDS[0]).stderr
    assert "bad.csv, row 5" in headline(COMMANDS[1]).stderr
    assert "rows" in headline(COMMANDS[4]).stderr


def test_verbose_tells_settings_files_and_times() -> None:
    told = headline(f"generate -m {TRAINED} a.csv --beam-size 3", "--verbose").stderr
    assert "settings [search] beam_size=3, " in told
    layout = "encoding utf-8 (detected), delimiter ',', fields may be quoted"
    assert f"a.csv: {layout}; " in told
    assert re.search(r"^loaded \S+ in \d+\.\d\d s$", told, re.MULTILINE)
    assert re.search(r"^wrote the headlines in \d+\.\d\d s$", told, re.MULTILINE)
    assert re.search(r"^headline generate took \d+\.\d\d s$", told, re.MULTILINE)
    lines = told.splitlines()
    assert len(lines) == len(set(lines))

    told = headline(f"generate -m {TRAINED} big5.txt --lines", "--verbose").stderr
    assert "big5.txt: encoding big5" in told and "an article in each line" in told
    assert "may be quoted" not in headline("prepare a.csv -o d").stderr
    told = headline("prepare a.csv -o e", "--verbose").stderr
    assert told.count("a.csv: encoding utf-8") == 1
    assert "prepared the dataset in " in told


def test_an_error_is_printed_by_quiet_and_kept_in_the_log() -> None:
    command = f"generate -m {TRAINED} b.csv"
    Path("b.csv").write_text("x,y\n1,2\n", "utf-8")
    plain, quiet = headline(command), headline(command, "--quiet", "--log-file", LOG)

    assert (quiet.exit_code, quiet.stderr) == (plain.exit_code, plain.stderr)
    assert quiet.exit_code == 1 and quiet.stderr.startswith("Error: b.csv: no source")
    *_, last = Path(LOG).read_text("utf-8").splitlines()
    assert last.partition(" ")[2] == f"ended by an error: {plain.stderr[7:].strip()}"


def test_a_table_that_gives_way_on_stdout_is_no_note() -> None:
    result = headline(f"score -m {TRAINED} a.csv -o - --quiet")
    assert result.exit_code == 0 and "perplexity" in result.stderr


def test_a_log_is_gone_on_with() -> None:
    for _ in range(2):
        headline(f"info {TRAINED}", "--log-file", LOG)
    begun = [
        line for line in Path(LOG).read_text("utf-8").splitlines() if "begins" in line
    ]
    assert len(begun) == 2


def test_the_story_of_one_command_is_not_that_of_the_next() -> None:
    headline(COMMANDS[0], "--quiet", "--verbose", "--log-file", LOG)
    before = Path(LOG).read_bytes()
    again = headline(COMMANDS[0])
    assert "detected encoding big5" in again.stderr and "settings" not in again.stderr
    assert Path(LOG).read_bytes() == before


@pytest.mark.parametrize(
    ("command", "log", "part"),
    [
        ("generate -m m a.csv", "a.csv", "would overwrite a file of this command"),
        ("generate -m m a.csv", "m/config.json", "a file of this command"),
        ("generate -m m a.csv -o new.csv", "new.csv", "a file of this command"),
        ("info data", "data/train.source.npy", "a file of this command"),
        ("generate -m m a.csv --config c.toml", "c.toml", "a file of this command"),
        ("generate -m m a.csv", "m", "is a directory"),
        ("generate -m m a.csv", "nowhere/x.log", "No such file"),
        ("generate -m m a.csv", "-", "is stdout"),
        ("generate -m m a.csv", "/dev/stdout", "is stdout"),
    ],
)
def test_a_log_destroys_nothing(command: str, log: str, part: str) -> None:
    assert headline("prepare a.csv -o data").exit_code == 0
    subprocess.run(["cp", "-r", str(TRAINED), "m"], check=True)
    Path("c.toml").write_text("[search]\nbeam_size = 2\n", "utf-8")
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}

    result = headline(command, "--log-file", log)

    assert result.exit_code in (1, 2) and part in result.stderr, result.output
    assert result.stdout == ""
    after = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    assert after == before


def test_quiet_and_verbose_need_a_log() -> None:
    result = headline(COMMANDS[0], "--quiet", "--verbose")
    assert result.exit_code == 2 and "unless --log-file is given" in result.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_log_that_cannot_be_written_changes_nothing() -> None:
    args = [*HEADLINE, "info", str(TRAINED), "--log-file"]
    full, fine = (
        subprocess.run([*args, log], capture_output=True) for log in ("/dev/full", LOG)
    )
    assert full.returncode == fine.returncode == 0
    assert full.stdout == fine.stdout != b"" and full.stderr == b""


def test_quiet_draws_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stderr", Terminal())
    assert on_terminal()
    try:
        show_bars(False)
        assert not on_terminal()
    finally:
        show_bars(True)
    with CliRunner().isolation(), main.make_context("headline", ["info", "x"]):
        monkeypatch.setattr("sys.stderr", Terminal())
        with telling(quiet=True, verbose=False, log=None, places=[]):
            assert not on_terminal()
        assert on_terminal()


def test_listeners_hear_a_detail_once(capsys: pytest.CaptureFixture[str]) -> None:
    log = io.StringIO()
    listeners = Listeners(verbose=True, log=log)
    listeners.detail("a")
    listeners.detail("a")
    listeners.tell("b\nc")
    listeners.keep("d")
    assert capsys.readouterr().err == "a\nb\nc\n"
    assert [line[-1] for line in log.getvalue().splitlines()] == ["a", "b", "c", "d"]


def test_without_a_command_lines_are_told_and_details_are_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tell("line")
    detail("more")
    assert capsys.readouterr().err == "line\n"
