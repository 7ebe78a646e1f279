"""The commands, their help, and the forms in which they were written before."""

import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from headline.bundle import save_bundle
from headline.cli.main import COMMANDS, main
from headline.cli.options import Option
from headline.settings.presets import Run
from headline.settings.sections import SECTIONS
from tests.corpora import bracket_pairs, write_pairs
from tests.scripted import tiny_bundle

GROUPS = {
    "prepare": ["Output", "Input files", "Vocabulary", "Lengths", "Machine"],
    "topics": ["Output", "Topics", "Updates", "Machine"],
    "train": ["Output", "Starting point", "Training time", "Machine", "Network"],
    "styles": ["Model", "Output", "Styles", "Learning", "Machine"],
    "find-lr": ["Output", "Starting point", "Training time", "Machine", "Network"],
    "evaluate": ["Model", "Output", "Search", "Random headlines", "Input files"],
    "score": ["Model", "Output", "Input files", "Machine"],
    "generate": [
        "Model",
        "Output",
        "Many articles",
        "Input files",
        "Search",
        "Machine",
    ],
    "serve": ["Model", "Address", "Machine", "Search", "Random headlines"],
}
SMALL = ("cat", "info", "completion", "calibrate")  # they have few options or none
# Settings that do something else in one command, and whose help says so there.
OWN_HELP = {("find-lr", "max_minutes"), ("score", "shortlist")}
OWN_HELP |= {("prepare", "on"), ("prepare", "stall_minutes")}
SPEED = re.compile(r"[\d,.]+ articles/s")


def headline(*args: str | Path) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args])


@pytest.fixture(autouse=True)
def _places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_bundle(Path("m"), tiny_bundle("天地玄黄"))
    write_pairs(Path("a.csv"), bracket_pairs(20))


@pytest.fixture(autouse=True)
def runs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Run, bool]]:
    """The trainings that were begun; none is carried out."""
    found: list[tuple[Run, bool]] = []

    def run_training(run: Run, find_lr: bool) -> str:
        found.append((run, find_lr))
        return "0.002"

    monkeypatch.setattr("headline.cli.train.run_training", run_training)
    return found


# --- older forms ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "now", "named"),
    [
        ("evaluate m a.csv", "evaluate -m m a.csv", "evaluate -m MODEL_DIR FILE"),
        ("evaluate m a.csv -o -", "evaluate -m m a.csv -o -", "evaluate -m MODEL_DIR"),
        ("evaluate m a.csv --score", "score -m m a.csv", "score -m MODEL_DIR FILE"),
        (
            "evaluate -m m a.csv --score --json",
            "score -m m a.csv --json",
            "score -m MODEL_DIR FILE",
        ),
        (
            "evaluate m a.csv --score -o - --shortlist 0",
            "score -m m a.csv -o - --shortlist 0",
            "score -m MODEL_DIR FILE",
        ),
    ],
)
def test_an_older_form_prints_the_same_and_says_how_it_is_written_now(
    before: str, now: str, named: str
) -> None:
    older, newer = headline(*before.split()), headline(*now.split())
    assert older.exit_code == newer.exit_code == 0, older.output
    assert SPEED.sub("", older.stdout) == SPEED.sub("", newer.stdout) != ""

    *story, last = SPEED.sub("", older.stderr).splitlines()

    assert "is now written" in last and f"`headline {named}" in last
    assert story == SPEED.sub("", newer.stderr).splitlines()


def test_find_lr_is_a_command(runs: list[tuple[Run, bool]]) -> None:
    options = ("--width", "64", "--preset", "large")
    older = headline("train", "d", "-o", "x", "--find-lr", *options)
    newer = headline("find-lr", "d", "-m", "x", *options)
    assert older.stdout == newer.stdout == "0.002\n"
    assert newer.stderr == "" and older.stderr.count("\n") == 1
    assert "`headline find-lr DATA_DIR -m MODEL_DIR`" in older.stderr
    assert runs[0] == runs[1] and runs[0][1] is True


def test_train_takes_o_and_m_alike(runs: list[tuple[Run, bool]]) -> None:
    for flag in ("-o", "-m", "--output", "--model"):
        result = headline("train", "d", flag, "x")
        assert result.exit_code == 0 and result.stderr == ""
    assert [run.model_dir for run, _ in runs] == [Path("x")] * 4


def test_a_model_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADLINE_MODEL", "m")
    for command in ("evaluate", "score"):
        assert headline(command, "a.csv").exit_code == 0
    monkeypatch.setenv("HEADLINE_MODEL", "nowhere")
    assert headline("evaluate", "m", "a.csv").exit_code == 0  # what is written counts
    assert headline("score", "a.csv").exit_code == 1
    # No training may go where a model is read from.
    assert "Missing option" in headline("train", "d").stderr


@pytest.mark.parametrize(
    ("command", "part"),
    [
        ("evaluate -m m a.csv a.csv", "unexpected extra argument (a.csv)"),
        ("evaluate m a.csv b.csv", "unexpected extra argument (b.csv)"),
        ("score m a.csv", "unexpected extra argument (a.csv)"),
        ("evaluate -m m b.csv", "'FILE': File 'b.csv' does not exist"),
        ("evaluate a.csv a.csv", "'a.csv' is a file"),
        ("score -m m a.csv --beam-size 3", "No such option"),
        ("find-lr d -m x --epochs 3", "No such option"),
        ("train d -m x --find-lr --resume", "leave out --resume"),
    ],
)
def test_what_is_too_much_or_missing_is_told(command: str, part: str) -> None:
    result = headline(*command.split())
    assert result.exit_code == 2 and part in result.stderr, result.output


def test_a_folder_that_is_no_corpus_is_told() -> None:
    for command in ("evaluate -m m m", "score -m m m", "prepare m -o x"):
        result = headline(*command.split())
        assert result.exit_code == 1
        assert result.stderr.startswith("Error: m is a folder without .txt files")
        assert result.stderr.count("\n") == 1


def test_a_training_may_not_overwrite_its_dataset() -> None:
    for command in ("train m -m m", "find-lr m -m m", "train m -o m --find-lr"):
        result = headline(*command.split())
        assert result.exit_code == 1
        assert result.stderr.startswith("Error: MODEL_DIR m would overwrite DATA_DIR")


# --- help -----------------------------------------------------------------------------


def listed(command: str, flag: str) -> list[str]:
    """Returns the options that the help of a command lists, by their first name."""
    text = headline(command, flag).stdout
    return re.findall(r"^  (?:-\w, )*(--[a-z-]+)", text, re.MULTILINE)


@pytest.mark.parametrize("command", GROUPS)
def test_help_lists_the_basic_options_and_help_all_every_one(command: str) -> None:
    options = [one for one in main.commands[command].params if isinstance(one, Option)]
    every = {next(flag for flag in one.opts if flag[1] == "-") for one in options}
    advanced = {one.opts[0] for one in options if one.advanced}

    basic, full = listed(command, "--help"), listed(command, "--help-all")

    assert set(full) == every | {"--help"} and len(full) == len(set(full))
    assert set(basic) == set(full) - advanced
    # About a dozen, beside eight that every command has.
    assert 5 <= len(basic) - 8 <= 18
    note = f"--help-all shows {len(advanced)} more options."
    assert advanced and note in headline(command, "--help").stdout
    assert "more options" not in headline(command, "--help-all").stdout


@pytest.mark.parametrize("command", GROUPS)
def test_help_has_headings(command: str) -> None:
    text = headline(command, "--help").stdout
    headings = re.findall(r"^([A-Z][A-Za-z ]+):$", text, re.MULTILINE)
    assert [one for one in headings if one in GROUPS[command]] == GROUPS[command]
    assert headings[-2:] == ["Settings", "Other options"]
    assert len(headings) == len(set(headings))


@pytest.mark.parametrize("command", SMALL)
def test_help_of_a_small_command_lists_all_of_its_options(command: str) -> None:
    options = {flag for one in main.commands[command].params for flag in one.opts}
    wanted = {flag for flag in options if flag.startswith("--")} | {"--help"}
    assert set(listed(command, "--help")) == wanted
    assert {*GROUPS, *SMALL} == {*COMMANDS}


def test_options_show_what_is_known_of_a_setting() -> None:
    text = " ".join(headline("train", "--help").stdout.split())
    shown = "--batch-size PAIRS Number of pairs in a batch. Range: 1 to 65536."
    assert f"{shown} [default: 32]" in text
    assert "--device [auto|cpu|gpu]" in text and "[default: auto]" in text
    assert "[default: (no limit)]" in text


def test_each_option_of_a_setting_is_made_from_it() -> None:
    made = 0
    for command in COMMANDS:
        for one in main.commands[command].params:
            known = [of[one.name] for of in SECTIONS.values() if one.name in of]
            if not isinstance(one, Option) or not known:
                continue
            made += 1
            assert one.default in [setting.default for setting in known]
            is_shared = any(setting.about.help in str(one.help) for setting in known)
            assert is_shared != ((command, one.name) in OWN_HELP)
            assert f"--{one.name}".replace("_", "-") in one.opts
            if isinstance(one.type, click.Choice):
                assert tuple(one.type.choices) in [setting.choices for setting in known]
    assert made > 100


def test_each_command_is_told_in_the_list_of_them() -> None:
    text = headline("--help").stdout
    for name, what in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(what)}$", text, re.MULTILINE)
        assert isinstance(main.commands[name], click.Command)
        assert main.commands[name].name == name
    assert headline("wrong").exit_code == 2
    assert "No such command 'wrong'" in headline("wrong").stderr
