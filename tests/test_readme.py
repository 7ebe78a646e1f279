"""The README stays true: each command in it is run."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from headline.cli.main import main
from tests.corpora import bracket_pairs, write_pairs

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def code_blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands() -> list[str]:
    return [line for block in code_blocks("sh") for line in block.splitlines() if line]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the README speaks of."""
    folder = tmp_path_factory.mktemp("readme")
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


def test_every_headline_command_runs_as_it_stands(folder: Path) -> None:
    ran = []
    for command in commands():
        if command.startswith("make "):
            continue
        # A smaller model and fewer epochs: the command is what is tested, not news.
        command = command.replace(
            "--max-minutes 10", "--max-minutes 10 --epochs 2 --width 16"
        ).replace("headline find-lr ", "headline find-lr --width 16 ")
        shell = command.replace("headline ", f"{sys.executable} -m headline ", 1)
        if command.startswith("cat "):
            shell = re.sub(r"\| headline ", f"| {sys.executable} -m headline ", command)
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", shell],
            cwd=folder,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, (command, done.stderr)
        ran.append(command)
    assert len(ran) >= 9
    assert (folder / "with_headlines.csv").exists()
    assert (folder / "predictions.csv").exists()
    assert (folder / "out.html").exists()
    with (folder / "models" / "more" / "history.csv").open(encoding="utf-8") as stream:
        phases = [row["phase"] for row in csv.DictReader(stream)]
    assert phases == sorted(phases) and set(phases) == {"1", "2"}


def test_the_python_example_runs(folder: Path) -> None:
    (example,) = code_blocks("python")
    done = subprocess.run(
        [sys.executable, "-c", example], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2


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
        for parameter in command.params
        for flag in (*parameter.opts, *parameter.secondary_opts)
    }
    assert set(re.findall(r"(--[a-z][a-z-]+)", README)) <= known
