"""The READMEs stay true: their commands are right, and the first of them run.

`make stress` runs every ``headline`` command of theirs.
"""

import csv
import importlib.util
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import pytest

from headline.cli.main import main
from tests.corpora import bracket_pairs, write_pairs
from tests.trained import TRAINED

ROOT = Path(__file__).parent.parent
LANGUAGES = ("README.md", "README.zh.md")
FOLDERS = ("data", "headline", "tests")
PAGES = [page for one in FOLDERS for page in sorted((ROOT / one).rglob("README.md"))]
NAMES = (*LANGUAGES, *(page.relative_to(ROOT).as_posix() for page in PAGES))
READMES = {name: (ROOT / name).read_text("utf-8") for name in NAMES}
EVERYTHING = "\n".join(READMES.values())
NUMBER = r"\d+(?:[.,]\d+)*"


def code_blocks(language: str, text: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def lines_of(text: str) -> list[str]:
    """The lines of the blocks ``sh``, and of ``console`` those behind ``$``."""
    blocks = re.findall(r"```(sh|console)\n(.*?)```", text, flags=re.DOTALL)
    return [
        line.removeprefix("$ ")
        for language, block in blocks
        for line in block.splitlines()
        if line and (language == "sh" or line.startswith("$ "))
    ]


def commands(text: str) -> list[str]:
    """The lines that run ``headline``, in their order."""
    return [line for line in lines_of(text) if re.search(r"(^|\| |\()headline ", line)]


def arguments(command: str) -> list[str]:
    """What ``headline`` is given, without what belongs to the shell."""
    command = re.sub(r'^eval "\$\((.*)\)"$', r"\1", command)
    words = shlex.split(re.sub(r" [<>] \S+", "", command))
    return words[words.index("headline") + 1 :]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files that the READMEs speak of."""
    folder = tmp_path
    articles = [article for _, article in bracket_pairs(5, seed=2)]
    for name in ("news.csv", "data/sample.csv"):
        (folder / name).parent.mkdir(exist_ok=True)
        write_pairs(folder / name, bracket_pairs(300))
    (folder / "data" / "articles").mkdir()
    for article in (ROOT / "data" / "articles").iterdir():
        (folder / "data" / "articles" / article.name).write_text(articles[0], "utf-8")
    write_pairs(folder / "old.csv", bracket_pairs(100, seed=3))
    write_pairs(folder / "scraped.csv", bracket_pairs(300, seed=5))
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
        small = "--epochs 2" if "--init-from" in command else "--epochs 2 --width 16"
        command = re.sub(r"--max-minutes \d+", rf"--max-minutes 5 {small}", command)
        command = command.replace("headline find-lr ", "headline find-lr --width 16 ")
        shell = re.sub(
            r"(^|\| |\()headline ", rf"\1{sys.executable} -m headline ", command
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
    names = [arguments(command)[0] for command in commands(READMES["README.md"])]
    first = commands(READMES["README.md"])[: names.index("generate") + 1]
    assert names[: len(first)] == ["prepare", "train", "evaluate", "generate"]
    run_as_they_stand(first, folder)


@pytest.mark.parametrize("name", NAMES)
def test_every_line_of_a_shell_has_a_right_form(name: str) -> None:
    for line in lines_of(READMES[name]):
        first, *_ = shlex.split(line)
        if line in commands(READMES[name]):
            check_headline(line)
        elif first == "make":
            check_make(line)
        elif first == "python":
            check_python(line)
        else:
            assert first == "pip", line
            check_pip(line)


def check_headline(line: str) -> None:
    name, *rest = arguments(line)
    command = main.commands[name]
    if rest == ["--help-all"]:
        return
    context = click.Context(command)
    values, left, _ = command.make_parser(context).parse_args(rest)
    assert not left, line
    for parameter in command.params:
        value = values.get(parameter.name or "")
        is_path = isinstance(parameter.type, click.Path)
        if parameter.nargs == -1 and not isinstance(value, list | tuple):
            continue  # any number of them, and none is given
        if parameter.name in values and not is_path:
            parameter.type_cast_value(context, value)


def check_make(line: str) -> None:
    done = subprocess.run(
        ["make", "--dry-run", *shlex.split(line)[1:]],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, (line, done.stderr)


def check_python(line: str) -> None:
    """``python -m MODULE`` or ``python FILE``: it is there, and knows the options."""
    _, file, *rest = shlex.split(line)
    if file == "-m":
        module, *rest = rest
        found = importlib.util.find_spec(module)
        assert found and found.origin, line
        file = found.origin
    code = (ROOT / file).read_text("utf-8")
    for word in rest:
        if word.startswith("-"):
            assert word.partition("=")[0] in code, (line, word)


def check_pip(line: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = re.fullmatch(r"pip install '?\.(?:\[([a-z,]+)\])?'?", line)
    assert extras, line
    if extras[1]:
        assert set(extras[1].split(",")) <= set(project["optional-dependencies"]), line


def test_every_inline_module_has_a_right_form() -> None:
    inline = re.findall(r"`(python -m [^`]+)`", EVERYTHING)
    assert len(inline) >= 7
    for line in inline:
        check_python(line)


@pytest.mark.slow
def test_every_headline_command_runs_as_it_stands(folder: Path) -> None:
    prepare = "headline prepare news.csv -o prepared/news"
    train = "headline train prepared/news -m models/{} --max-minutes 10"
    run_as_they_stand([prepare, train.format("news"), train.format("base")], folder)
    lines = dict.fromkeys(line for text in READMES.values() for line in commands(text))
    # A server runs until it is ended: tests/serving tries what its page says.
    done = {prepare, train.format("news")}
    done |= {line for line in lines if arguments(line)[0] == "serve"}
    run_as_they_stand(
        [with_overwrite(line) for line in lines if line not in done], folder
    )
    assert (folder / "with_headlines.csv").exists()
    assert (folder / "predictions.csv").exists()
    assert (folder / "out.html").exists()
    with (folder / "models" / "more" / "history.csv").open(encoding="utf-8") as stream:
        phases = [row["phase"] for row in csv.DictReader(stream)]
    assert phases == sorted(phases) and set(phases) == {"1", "2"}


def with_overwrite(line: str) -> str:
    """Lets a command come again: the pages share their folders."""
    name, *rest = arguments(line)
    again = name in {"prepare", "topics", "train"} and not {
        "--dry-run",
        "--overwrite",
        "--help-all",
    } & {*rest}
    return f"{line} --overwrite" if again and ">" not in line else line


@pytest.mark.parametrize("name", (*LANGUAGES, "headline/api/README.md"))
def test_the_python_example_runs(name: str, folder: Path) -> None:
    shutil.copytree(TRAINED, folder / "models" / "news")
    (example,) = code_blocks("python", READMES[name])
    done = subprocess.run(
        [sys.executable, "-c", example], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) >= 3


def test_objects_with_options_have_a_right_form() -> None:
    blocks = code_blocks("json", EVERYTHING)
    assert blocks
    for line in "".join(blocks).splitlines():
        assert set(json.loads(line)) == {"text", "options"}


@pytest.mark.parametrize("name", LANGUAGES)
def test_the_first_page_is_short(name: str) -> None:
    assert len(READMES[name].splitlines()) <= 150


def test_both_languages_have_the_same_commands() -> None:
    english, chinese = (READMES[name] for name in LANGUAGES)
    assert code_blocks("python", english) == code_blocks("python", chinese)
    for language in ("sh", "console"):
        assert code_blocks(language, english) == code_blocks(language, chinese)
    assert commands(english)


def sections(text: str) -> Iterator[str]:
    """The parts between headings, without links."""
    yield from re.split(r"^## ", re.sub(r"\]\([^)]*\)", "]", text), flags=re.MULTILINE)


def test_both_languages_have_the_same_figures() -> None:
    english, chinese = (list(sections(READMES[name])) for name in LANGUAGES)
    assert len(english) == len(chinese) >= 10
    for one, other in zip(english, chinese, strict=True):
        figures = Counter(re.findall(NUMBER, one))
        assert figures == Counter(re.findall(NUMBER, other)), other.splitlines()[0]


def anchors(text: str) -> set[str]:
    """The names that a page of GitHub gives to its headings."""
    titles = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", title).lower().replace(" ", "-") for title in titles
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_relative_link_leads_somewhere(name: str) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", READMES[name]):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / name).parent / path if path else ROOT / name
        assert target.resolve().exists(), link
        if anchor:
            assert anchor in anchors(target.read_text("utf-8")), link


def test_every_page_can_be_reached_from_the_first() -> None:
    seen, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop().resolve()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
        waiting += [page.parent / link for link in links]
    assert {ROOT / name for name in NAMES} <= seen


def test_every_promise_names_a_test_that_exists() -> None:
    folder, text = ROOT / "tests" / "stress", READMES["tests/stress/README.md"]
    for line in re.findall(r"^\| `test_.*$", text, flags=re.MULTILINE):
        row = re.fullmatch(r"\| `(test_\w+)` \| \[[\w.]+\]\((.+)\) \|", line)
        assert row, line
        assert f"def {row[1]}(" in (folder / row[2]).read_text("utf-8"), line
    promises = text.split("\n## ")[1:]
    assert promises and all("| `test_" in promise for promise in promises)


def test_every_make_command_is_a_target() -> None:
    named = set(re.findall(r"make ([a-z]+(?:-[a-z]+)*)", code_of(EVERYTHING)))
    assert {"demo", "test", "train"} <= named
    for target in sorted(named | {"setup", "check", "bench", "clean", "generate"}):
        check_make(f"make {target}")


def code_of(text: str) -> str:
    """What stands between backticks."""
    return "\n".join(re.findall(r"`[^`\n]+`", text) + code_blocks("sh", text))


def test_every_command_is_in_a_readme() -> None:
    for name in main.commands:
        assert f"headline {name} " in EVERYTHING


def test_every_room_is_in_the_architecture() -> None:
    rooms = {one.parent.name for one in (ROOT / "headline").glob("*/__init__.py")}
    for room in rooms:
        assert f"| `{room}/` |" in READMES["headline/README.md"]


def test_every_option_in_the_readmes_exists() -> None:
    known = {
        flag
        for command in main.commands.values()
        for parameter in command.get_params(click.Context(command))
        for flag in (*parameter.opts, *parameter.secondary_opts)
    }
    # Options of make bench and of the trials are checked with their commands.
    lines = [line for line in EVERYTHING.splitlines() if not _of_another(line)]
    text = "\n".join(lines)
    # click adds --help to every command.
    assert set(re.findall(r"(--[a-z][a-z-]+)", text)) <= known | {"--help"}


def _of_another(line: str) -> bool:
    ours = r"python (-m tests|data/)|BENCH='"
    launchers = r"^#SBATCH |^ray |spark-submit|--array"
    return bool(re.search(f"{ours}|{launchers}", line))
