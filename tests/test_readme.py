"""The README stays true: its commands have a right form, and the first of them run.

`make stress` runs them all.
"""

import csv
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import pytest

from headline.cli.main import main
from tests.corpora import bracket_pairs, write_pairs
from tests.trained import TRAINED

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def code_blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands() -> list[str]:
    """The lines that run ``headline``, in their order."""
    lines = [line for block in code_blocks("sh") for line in block.splitlines()]
    return [line for line in lines if re.search(r"(^|\| )headline ", line)]


def arguments(command: str) -> list[str]:
    """What ``headline`` is given, without what belongs to the shell."""
    words = shlex.split(re.sub(r" [<>] \S+", "", command))
    return words[words.index("headline") + 1 :]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files that the README speaks of."""
    folder = tmp_path
    write_pairs(folder / "news.csv", bracket_pairs(300))
    articles = [article for _, article in bracket_pairs(5, seed=2)]
    write_pairs(folder / "old.csv", bracket_pairs(100, seed=3))
    bodies = "".join(article for _, article in bracket_pairs(99, seed=4)).split("。")
    archive = [("", "。".join(bodies[at : at + 3])) for at in range(90)]
    write_pairs(folder / "archive.csv", archive)
    write_pairs(folder / "articles.csv", bracket_pairs(5, seed=2))
    lines = [json.dumps({"text": article}) for article in articles]
    (folder / "articles.jsonl").write_text("\n".join(lines), "utf-8")
    (folder / "articles.txt").write_text("\n".join(articles), "utf-8")
    (folder / "article.txt").write_text(articles[0], "utf-8")
    return folder


def run_as_they_stand(some: Sequence[str], folder: Path) -> None:
    for command in some:
        # A smaller model and fewer epochs: the command is what is tested, not news.
        command = command.replace(
            "--max-minutes 10", "--max-minutes 10 --epochs 2 --width 16"
        ).replace("headline find-lr ", "headline find-lr --width 16 ")
        shell = re.sub(
            r"(^|\| )headline ", rf"\1{sys.executable} -m headline ", command
        )
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", shell],
            cwd=folder,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, (command, done.stderr)


def test_the_first_commands_run_as_they_stand(folder: Path) -> None:
    """From a corpus to a headline."""
    names = [arguments(command)[0] for command in commands()]
    first = commands()[: names.index("generate") + 1]
    assert {"prepare", "train"} <= {arguments(command)[0] for command in first}
    run_as_they_stand(first, folder)


def test_every_headline_command_has_a_right_form() -> None:
    assert len(commands()) >= 9
    for command in commands():
        name, *rest = arguments(command)
        context = click.Context(main.commands[name])
        parser = main.commands[name].make_parser(context)
        values, left, _ = parser.parse_args(rest)
        assert not left, command
        for parameter in main.commands[name].params:
            if parameter.name in values and not isinstance(parameter.type, click.Path):
                parameter.type_cast_value(context, values[parameter.name])


@pytest.mark.slow
def test_every_headline_command_runs_as_it_stands(folder: Path) -> None:
    run_as_they_stand(commands(), folder)
    assert (folder / "with_headlines.csv").exists()
    assert (folder / "predictions.csv").exists()
    assert (folder / "out.html").exists()
    with (folder / "models" / "more" / "history.csv").open(encoding="utf-8") as stream:
        phases = [row["phase"] for row in csv.DictReader(stream)]
    assert phases == sorted(phases) and set(phases) == {"1", "2"}


def test_the_python_example_runs(folder: Path) -> None:
    shutil.copytree(TRAINED, folder / "models" / "news")
    (example,) = code_blocks("python")
    done = subprocess.run(
        [sys.executable, "-c", example], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 3


def test_every_make_command_is_a_target() -> None:
    named = set(re.findall(r"`?make ([a-z-]+)", README))
    assert {"demo", "test", "train"} <= named
    for target in sorted(named | {"setup", "check", "bench", "clean", "generate"}):
        done = subprocess.run(
            ["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == 0, (target, done.stderr)


def test_every_command_is_in_the_readme() -> None:
    for name in main.commands:
        assert f"headline {name} " in README


def test_every_option_in_the_readme_exists() -> None:
    known = {
        flag
        for command in main.commands.values()
        for parameter in command.get_params(click.Context(command))
        for flag in (*parameter.opts, *parameter.secondary_opts)
    }
    # click adds --help to every command.
    assert set(re.findall(r"(--[a-z][a-z-]+)", README)) <= known | {"--help"}
