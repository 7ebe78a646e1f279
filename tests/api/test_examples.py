"""The examples run as they stand, each in a process of its own."""

import csv
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.engines import needs_ray, needs_spark, spark_environment
from tests.corpora import bracket_pairs, write_pairs
from tests.trained import TRAINED

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = ROOT / "examples"
PAIRS = bracket_pairs(40, seed=2)
TITLES = [title for title, _ in PAIRS]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a model and the articles that the examples read."""
    shutil.copytree(TRAINED, tmp_path / "models" / "news")
    write_pairs(tmp_path / "news.csv", PAIRS)
    return tmp_path


def output_of(folder: Path, *command: str) -> str:
    # The cache of ``datasets`` stays in the folder of the test.
    environment = os.environ | {"HF_HOME": str(folder / "cache"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def hits(headlines: list[str]) -> float:
    """The share of the headlines that the articles really have."""
    assert len(headlines) == len(TITLES)
    return sum(map(str.__eq__, headlines, TITLES)) / len(TITLES)


def run_example(folder: Path, name: str) -> str:
    return output_of(folder, str(EXAMPLES / name), "models/news", "news.csv")


def test_script(folder: Path) -> None:
    lines = run_example(folder, "script.py").splitlines()
    assert hits([line.split("\t")[1] for line in lines]) > 0.8


def needs(package: str) -> pytest.MarkDecorator:
    absent = importlib.util.find_spec(package) is None
    return pytest.mark.skipif(absent, reason=f"{package} is not installed")


@needs("pandas")
def test_pandas(folder: Path) -> None:
    rows = csv.DictReader(run_example(folder, "pandas_column.py").splitlines())
    assert hits([row["headline"] for row in rows]) > 0.8


@needs("datasets")
def test_datasets(folder: Path) -> None:
    assert hits(run_example(folder, "datasets_map.py").splitlines()) > 0.8


def test_notebook(folder: Path) -> None:
    content = json.loads((EXAMPLES / "notebook.ipynb").read_text("utf-8"))
    cells = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    assert all(not cell["outputs"] for cell in cells)  # none that grow old
    code = "\n".join("".join(cell["source"]) for cell in cells)
    assert TITLES[0] in output_of(folder, "-c", code).splitlines()
    assert (folder / "prepared" / "own" / "data.json").exists()


@pytest.mark.cluster
@needs_ray
def test_ray(folder: Path) -> None:
    check_pairs(run_example(folder, "ray_map_batches.py"))


@pytest.mark.cluster
@needs_spark
def test_spark(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in spark_environment(folder).items():
        monkeypatch.setenv(name, value)
    check_pairs(run_example(folder, "spark_map_in_arrow.py"))


def check_pairs(output: str) -> None:
    """Checks lines of titles and headlines; parts of a dataset may change places."""
    pairs = dict(line.split("\t") for line in output.splitlines() if "\t" in line)
    assert sorted(pairs) == sorted(TITLES)
    assert hits([pairs[title] for title in TITLES]) > 0.8


def test_every_example_has_a_test() -> None:
    tested = {"script.py", "pandas_column.py", "datasets_map.py", "notebook.ipynb"}
    tested |= {"ray_map_batches.py", "spark_map_in_arrow.py"}
    assert {path.name for path in EXAMPLES.iterdir() if path.is_file()} == tested


PROGRAM = """
import headline

writer: headline.Writer = headline.load("models/news", workers=2, threads=1)
one: headline.Headline = writer.write("……", max_length=12)
many: list[headline.Headline] = writer.write(["……", {"text": "……"}])
asked: headline.Article = {"text": "……", "options": {"prefix": "快讯"}}
again: headline.Headline = writer.write(asked)
streamed: list[str] = [found.text for found in writer.pipe(iter(["……"]))]
error: str | None = one.error
score: float = writer.score("……", "……")
scores: list[float] = writer.score(["……"], ["……"])
shown: headline.Explanation = writer.explain("……", one)
summary: dict[str, object] = headline.prepare([("……", "……")], "prepared/news")
wish = headline.Wish()
rouge: float = headline.train(
    "prepared/news", "models/news", preset="large", wish=wish, max_minutes=10
).rouge_l
found: headline.Evaluation = headline.evaluate(writer, "test.csv")
failures: tuple[type[headline.HeadlineError], ...] = (headline.ConfigError,)
settings: headline.DecodeConfig = writer.settings
"""


def mypy(code: str, folder: Path) -> str:
    path = folder / "program.py"
    path.write_text(code, "utf-8")
    # As of an installed package, what mypy says of our own files does not count.
    silent = "--follow-imports=silent"
    command = ["-m", "mypy", "--strict", "--config-file=", silent, str(path)]
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, capture_output=True, text=True
    )
    return done.stdout


def test_a_typed_program_passes_mypy_strict(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    assert "Success" in mypy(PROGRAM, tmp_path)
    wrong = "count: int = writer.write(['……'])\n"
    assert "list[Headline]" in mypy(PROGRAM + wrong, tmp_path)
