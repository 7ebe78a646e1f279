"""The benchmarks come out with a tiny model, and measure what they say."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from headline.bundle import Bundle, load_bundle, save_bundle
from headline.data.corpus import Pair
from headline.engines.base import Engine
from headline.engines.numpy.engine import NumpyEngine
from headline.generation.generator import Generator
from headline.settings.model import ModelConfig
from headline.settings.search import DecodeConfig
from tests.benchmarks import (
    bench,
    bulk,
    cold,
    gpu,
    gpu_generate,
    growth,
    processes,
    training,
)
from tests.benchmarks.engines import FixedSteps, Staying
from tests.benchmarks.flops import Cost, article_flops
from tests.benchmarks.processes import Finished, run
from tests.benchmarks.rows import Row, compared, line
from tests.benchmarks.texts import of_length, write_repeated
from tests.commands import HEADLINE
from tests.corpora import CHARACTERS, bracket_pairs, write_pairs
from tests.scripted import texts, tiny_bundle


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model that was never trained, and a corpus."""
    folder = tmp_path_factory.mktemp("bench")
    bundle = replace(tiny_bundle(CHARACTERS), decode=DecodeConfig(beam_size=2))
    save_bundle(folder / "model", bundle)
    write_pairs(folder / "corpus.csv", bracket_pairs(300))
    return folder


def measured(folder: Path, theme: str, *options: str) -> list[dict[str, Any]]:
    """The rows of a theme as they come to the file, with sizes as small as can be."""
    sizes = {"rounds": 1, "articles": 80, "seconds": 0.001, "megabytes": 0.08}
    names = ["--corpus", folder / "corpus.csv", "--model", folder / "model"]
    names += ["--only", theme, "--output", folder / "bench.json"]
    arguments = [*map(str, names), *(f"--{key}={size}" for key, size in sizes.items())]
    arguments += options
    result = CliRunner().invoke(bench.main, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    found = json.loads((folder / "bench.json").read_text("utf-8"))
    assert found["machine"]["cores"] >= 1
    rows: list[dict[str, Any]] = found["rows"]
    for row in rows:
        assert row["name"] in result.stdout
    return rows


def check_ratios(rows: Sequence[dict[str, Any]]) -> None:
    """In one round a ratio is that of the two figures."""
    values = {row["name"]: row["value"] for row in rows}
    assert len(values) == len(rows)
    ratios = [row for row in rows if "ratio" in row]
    assert ratios
    for row in ratios:
        expected = row["value"] / values[row["to"]]
        assert row["ratio"] == pytest.approx(expected, rel=2e-3)


def test_the_ratio_is_that_of_a_round_whatever_drifts() -> None:
    samples = {"slow": [8.0, 1.0, 80.0], "fast": [2.0, 0.25, 20.0]}

    slow, fast = compared("theme", samples, "s", "slow")

    assert (slow.value, slow.ratio) == (8, None)
    assert (fast.value, fast.ratio, fast.to) == (2, 0.25, "slow")
    assert "0.25 times slow" in line(fast)


PLAIN = ModelConfig(
    vocab_size=10,
    width=4,
    heads=2,
    decoder_layers=1,
    pointer=False,
    match_length=0,
    bigrams=0,
)


def test_operations_are_those_counted_by_hand() -> None:
    cost = Cost(length=3, distinct=2, steps=1, beam_size=2, shortlist=5)
    # Of a position: two directions of 4 inputs and 2 own values times 8 gate values,
    # keys and values of 4 by 4.
    positions = 3 * (2 * (4 + 2) * 8 + 2 * 16)
    # Of the step: LSTM; query; scores and context; hidden; logits of the whole vocab.
    step = (4 + 4) * 16 + 16 + 2 * 3 * 4 + 8 * 4 + 4 * 10
    assert article_flops(PLAIN, cost) == 2 * (positions + step)


def test_operations_of_a_pointer_are_those_counted_by_hand() -> None:
    cost = Cost(length=3, distinct=2, steps=3, beam_size=2, shortlist=5)
    model = replace(PLAIN, pointer=True, match_length=1)
    positions = 3 * (2 * (4 + 2) * 8 + 3 * 16)
    row = (4 + 4) * 16 + 16 + 2 * 3 * 4 + 8 * 4 + 4 * (5 + 2)
    row += 4 * (2 * 2) + 2 * 2 * 3  # two features of a match, in two heads
    row += 8 * 4 + 3 * 4 + 8 + 8 * 2 + 2 * 3  # query, copy scores, gate, features
    # One hypothesis reads the first step, two each of the others.
    assert article_flops(model, cost) == 2 * (positions + 5 * row)


@pytest.mark.parametrize("size", [200, 5000, 20_000])
def test_a_repeated_corpus_has_the_size_and_no_article_twice(
    size: int, tmp_path: Path
) -> None:
    pairs = [Pair(article, title) for title, article in bracket_pairs(30)]

    path = write_repeated(tmp_path / "large.csv", pairs, size)

    assert size - 120 < path.stat().st_size <= size
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len({row["content"] for row in rows}) == len(rows) > 1
    for row, pair in zip(rows, pairs, strict=False):
        assert row["title"] == pair.target and row["content"].endswith(pair.source)


@pytest.mark.parametrize(("length", "number"), [(1, 3), (7, 5), (50, 4)])
def test_articles_have_the_length_that_is_asked_for(length: int, number: int) -> None:
    found = of_length(["天地", "玄黄宇宙"], length, number)
    assert list(map(len, found)) == [length] * number
    assert "".join(found).startswith("天地玄黄宇宙"[: length * number])


class Counting:
    """An engine that keeps how many rows it steps."""

    def __init__(self, engine: Engine[Any]) -> None:
        self.engine = engine
        self.rows: list[int] = []
        self.encode = engine.encode

    def step(self, state: Any, step: Any) -> Any:
        self.rows.append(len(step.tokens))
        return self.engine.step(state, step)


def plain_engine(folder: Path) -> Counting:
    bundle = load_bundle(folder / "model")
    return Counting(NumpyEngine(bundle.model, bundle.weights))


def written(folder: Path, engine: Engine[Any]) -> list[list[str]]:
    """The headlines for some articles, which are one batch."""
    bundle = load_bundle(folder / "model")
    once = replace(bundle.decode, exact_names=False)  # with it, some are searched again
    generator = Generator(bundle.tokenizer, engine, once, 50)
    articles = [article for _, article in bracket_pairs(20, seed=2)]
    return texts(generator.generate(articles))


def test_articles_that_stay_get_the_same_headlines(folder: Path) -> None:
    leaving, staying = plain_engine(folder), plain_engine(folder)

    assert written(folder, leaving) == written(folder, Staying(staying))

    assert min(leaving.rows[1:]) < 2 * 20
    assert len(leaving.rows) == len(staying.rows)
    assert staying.rows == [20] + [2 * 20] * (len(staying.rows) - 1)


def test_every_headline_has_the_steps_that_are_asked_for(folder: Path) -> None:
    engine = plain_engine(folder)

    found = written(folder, FixedSteps(engine, 6))

    assert {len(headline) for (headline,) in found} == {5}
    assert len(engine.rows) == 6


def test_a_process_has_its_own_memory_and_exit_code() -> None:
    def python(code: str) -> list[str]:
        return [sys.executable, "-c", code]

    ballast = b"x" * 100_000_000  # which a child process would count as its own
    small = run(python("import sys; assert sys.stdin.read() == 'text'"), b"text")
    large = run(python("x = b'x' * 50_000_000; raise SystemExit(3)"), exit_code=3)
    assert small.megabytes < 50 < large.megabytes < len(ballast) / 1e6
    with pytest.raises(click.ClickException, match="ZeroDivisionError"):
        run(python("1 / 0"))


def test_prepare_comes_out(folder: Path) -> None:
    rows = measured(folder, "prepare")
    check_ratios(rows)
    assert {row["unit"] for row in rows} == {"MB/s", "MB", "s"}


def test_bulk_comes_out_beside_another_command(folder: Path) -> None:
    code = (
        "import csv, json, sys; rows = list(csv.DictReader(open(sys.argv[1])));"
        "print(json.dumps({'articles_per_second': len(rows), 'system': 'other'}))"
    )
    command = f"{sys.executable} -X utf8 {write_script(folder, code)} {{articles}}"

    *rows, other = measured(folder, "bulk", "--against-bulk", command)

    check_ratios(rows)
    plain, best = (row["value"] for row in rows if row["unit"] == "ROUGE-L")
    # The vocab is smaller than the shortlist; the beam threshold costs next to nothing.
    assert plain == pytest.approx(best, abs=1)
    assert (other["name"], other["value"], other["to"]) == ("other", 80, bulk.COMMAND)
    assert other["ratio"] > 0


@pytest.mark.slow
def test_a_server_is_measured_with_clients_and_with_too_many(folder: Path) -> None:
    options = ("--serve-seconds", "1", "--served", "40")
    rows = {row["name"]: row for row in measured(folder, "serve", *options)}
    for count in (1, 8, 64, 256):
        alone = rows[f"{count} clients, batches of one"]["value"]
        served = rows[f"{count} clients"]["value"]
        times = rows[f"{count} clients: batches pay off"]["value"]
        assert times == pytest.approx(served / max(alone, 1e-9), rel=0.01)
    assert rows["1 clients"]["value"] > 0
    assert 0 < rows["1 clients, p50"]["value"] <= rows["1 clients, p99"]["value"]
    assert 0 <= rows["4 times too many: served"]["value"] < 200
    assert rows["… its growth after a tenth of them"]["unit"] == "%"


def test_shards_are_measured_beside_a_plain_file(folder: Path) -> None:
    *rates, start, plan, _, shard, search, share = measured(folder, "cluster")

    check_ratios(rates)
    assert len(rates) == 4 and start["unit"] == "s"
    assert min(row["value"] for row in (*rates, start, plan, shard, search)) > 0
    assert share["unit"] == "%" and share["value"] > 0


def test_single_articles_come_out(folder: Path) -> None:
    middle, slow = measured(folder, "single")
    assert 0 < middle["value"] <= slow["value"]


def test_growth_comes_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, sizes in {
        "LENGTHS": (50, 100),
        "BATCH_SIZES": (1, 32),
        "VOCAB_SIZES": (1000, 3000),
        "WIDTHS": (64, 128),
    }.items():
        monkeypatch.setattr(growth, name, sizes)

    rows = measured(folder, "growth")

    check_ratios(rows)
    names = [row["name"] for row in rows]
    assert "article of 50 characters, of the limit" in names
    assert "vocab of 1,000, no shortlist" in names and "width of 64" in names
    cost = {row["name"]: row["value"] for row in rows if row["unit"] == "MFLOP"}
    short, usual = cost.values()
    assert short < usual < 2 * short  # for the steps of the headline are the same


def test_a_cold_start_is_compared_with_keras(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pretend(command: list[str], stdin: bytes, exit_code: int) -> Finished:
        assert len(stdin.decode()) == cold.LENGTH
        if "tests.benchmarks.keras_generate" in command:
            return Finished(3.0, 600.0)
        if exit_code:
            assert "--no-such-option" in command
        return Finished(0.3, 60.0)

    monkeypatch.setattr(cold, "run", pretend)
    rows = measured(folder, "cold")
    check_ratios(rows)
    ratios = {row["name"]: row.get("ratio") for row in rows}
    assert ratios[cold.KERAS] == ratios[f"{cold.KERAS}, peak memory"] == 10


@pytest.mark.slow
def test_the_keras_engine_does_the_same(folder: Path) -> None:
    article = "天地「月盈昃」玄黄。"
    module = [sys.executable, "-m", "tests.benchmarks.keras_generate"]
    keras = [*module, str(folder / "model")]
    plain = [*HEADLINE, "generate", "-m", str(folder / "model")]
    assert output(keras, article) == output(plain, article) != ""


def output(command: Sequence[str], stdin: str) -> str:
    """What a command prints."""
    done = subprocess.run(
        command, input=stdin.encode(), stdout=-1, check=True, cwd=processes.ROOT
    )
    return done.stdout.decode()


# Stands for `headline`: a training tells of three epochs at once, and one with
# --max-minutes goes on until it is stopped.
PRETENDED = """
import pathlib, sys, time
if sys.argv[1] == "train":
    model_dir = pathlib.Path(sys.argv[sys.argv.index("-o") + 1])
    width = 128
    if "--width" in sys.argv:
        width = int(sys.argv[sys.argv.index("--width") + 1])
    model_dir.mkdir(exist_ok=True)
    rows = [(5, 30), (51200 // width, 61), (76800 // width, 59)]
    lines = ["source_tokens_per_second,rouge_l", *("%d,%d" % row for row in rows)]
    (model_dir / "history.csv").write_text("\\n".join(lines))
    if "--max-minutes" in sys.argv:
        time.sleep(60)
"""


@pytest.fixture
def pretended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Trainings are only pretended."""
    path = tmp_path / "pretended.py"
    path.write_text(PRETENDED)
    monkeypatch.setattr(training, "HEADLINE", [sys.executable, str(path)])
    yield


def training_rows(folder: Path, *options: str) -> dict[str, dict[str, Any]]:
    arguments = ["--corpus", str(folder / "corpus.csv"), "--only", "training"]
    arguments += ["--model", str(folder / "model"), "--rounds", "1"]
    arguments += ["--output", str(folder / "bench.json"), *options]
    result = CliRunner().invoke(bench.main, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    rows = json.loads((folder / "bench.json").read_text("utf-8"))["rows"]
    return {row["name"]: row for row in rows}


@pytest.mark.usefixtures("pretended")
def test_training_is_compared_and_stopped_once_it_is_good(folder: Path) -> None:
    answer = '{"system": "other", "source_characters_per_second": 250}'
    code = f"print('a line before'); print('''{answer}''')"
    command = f"{sys.executable} {write_script(folder, code)}"

    rows = training_rows(folder, "--against-training", command)

    speeds = [rows[f"width of {width}"]["value"] for width in (64, 128, 256)]
    assert speeds == [1000, 500, 250] and rows["width of 64"]["ratio"] == 2
    assert (rows["other"]["value"], rows["other"]["ratio"]) == (250, 0.5)
    assert rows["to ROUGE-L 60"]["unit"] == "s"
    assert rows["to ROUGE-L 60"]["value"] < 60


def write_script(folder: Path, code: str) -> Path:
    path = folder / "other.py"
    path.write_text(code)
    return path


def test_a_theme_that_does_not_exist_is_refused(folder: Path) -> None:
    corpus = str(folder / "corpus.csv")
    result = CliRunner().invoke(bench.main, ["--corpus", corpus, "--only", "bulk,ufo"])
    assert result.exit_code == 2 and "'ufo'" in result.stderr


def test_a_corpus_that_cannot_be_prepared_is_refused_in_a_line(tmp_path: Path) -> None:
    corpus = write_pairs(tmp_path / "corpus.csv", [])
    result = CliRunner().invoke(bench.main, ["--corpus", str(corpus)])
    assert result.exit_code == 1 and result.stderr.startswith("Error: ")
    assert "prepare" in result.stderr and "Traceback" not in result.stderr


def test_what_is_compared_with_nothing_has_no_ratio() -> None:
    row = Row("bulk", "a", 12.34567, "s").to_dict()
    assert row == {"theme": "bulk", "name": "a", "value": 12.35, "unit": "s"}


@pytest.fixture
def pretended_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something answers for a GPU that is at work for 7 % of the time."""
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 7\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)


@pytest.mark.usefixtures("pretended", "pretended_gpu")
def test_a_gpu_comes_out_on_request(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = '{"articles_per_second": 40, "busy": 8, "compiled": 2}'
    script = write_script(folder, f"print('{answer}')")
    monkeypatch.setattr(gpu, "WRITER", [sys.executable, str(script)])
    rows = {row["name"]: row["value"] for row in measured(folder, "gpu")}
    assert rows["write, 256 articles at once"] == 40
    assert rows["write, 256 articles at once: GPU at work"] == 8
    assert rows["train, batches of 64"] == 500
    assert rows["train, batches of 64: after 4 epochs"] == 61


@pytest.mark.usefixtures("pretended_gpu")
def test_writing_is_timed_once_all_is_compiled(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    batches: list[int] = []

    def on_cpu(bundle: Bundle, decode: DecodeConfig, device: str) -> Generator:
        batches.append(decode.batch_size)
        engine = NumpyEngine(bundle.model, bundle.weights)
        return Generator(bundle.tokenizer, engine, decode, bundle.max_source_length)

    monkeypatch.setattr(Generator, "from_bundle", on_cpu)
    gpu_generate.main(folder / "model", folder / "corpus.csv", 7, 1)
    found = json.loads(capsys.readouterr().out)
    assert found["busy"] == 7 and found["articles_per_second"] > 0
    assert batches == [7]


def test_without_a_gpu_its_theme_is_left_out_and_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "has_gpu", lambda: False)
    assert "gpu" not in bench.chosen(None)
    arguments = ["--corpus", str(folder / "corpus.csv"), "--only", "gpu"]
    result = CliRunner().invoke(bench.main, arguments)
    assert result.exit_code == 2 and "no GPU" in result.stderr
