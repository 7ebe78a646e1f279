"""The commands as a user runs them, on a task that is learned in seconds."""

import csv
import gzip
import io
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from headline.bundle import load_bundle, save_bundle
from headline.cli.main import main
from headline.network.weights import WeightSpec
from headline.settings.prepare import PrepareConfig
from headline.settings.presets import PRESETS
from headline.settings.search import DecodeConfig
from headline.settings.train import TrainConfig
from tests.corpora import bracket_pairs, write_pairs
from tests.markup import parse
from tests.scripted import tiny_bundle
from tests.trained import FILES, PAIRS, TRAINED, train

COMMANDS = (
    "prepare",
    "topics",
    "train",
    "styles",
    "find-lr",
    "evaluate",
    "score",
    "generate",
    "serve",
)
SMALL = ("cat", "info", "completion", "calibrate")  # they hide no option
STORY = "articles articles_per_second"
METRICS = (
    "rouge_1 rouge_2 rouge_l bleu chrf length copy_rate copy_rate_bigrams"
    " unsupported_numbers unsupported_latin unsupported_names repeated_bigrams exact"
    " intervals"
)
ARTICLES = [article for _, article in bracket_pairs(30, seed=99)]


def headline(*args: str | Path, stdin: str | bytes | None = None) -> Result:
    """Runs the command line in this process."""
    return CliRunner().invoke(main, [str(arg) for arg in args], input=stdin)


def run(
    *args: str | Path, stdin: bytes = b"", **environment: str
) -> subprocess.CompletedProcess[bytes]:
    """Runs the command line as a process of its own."""
    command = [sys.executable, "-m", "headline", *map(str, args)]
    environment = os.environ | environment
    return subprocess.run(command, input=stdin, capture_output=True, env=environment)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pairs(
        tmp_path_factory.mktemp("corpus") / "news.csv", bracket_pairs(PAIRS)
    )


@pytest.fixture(scope="module")
def data_dir(corpus: Path) -> Path:
    data_dir = corpus.parent / "prepared"
    result = headline("prepare", corpus, "-o", data_dir, "--test-size", "0.1")
    assert result.exit_code == 0, result.output
    return data_dir


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained model of the repository, in a folder of the tests."""
    return shutil.copytree(TRAINED, tmp_path_factory.mktemp("models") / "model")


# --- prepare --------------------------------------------------------------------------


def test_prepare_prints_the_folder_and_tells_the_counts_on_stderr(corpus: Path) -> None:
    result = headline("prepare", corpus, "-o", corpus.parent / "again")
    assert result.stdout.strip() == str(corpus.parent / "again")
    assert "rows" in result.stderr and "1,200" in result.stderr
    again = headline("prepare", corpus, "-o", corpus.parent / "again")
    assert again.exit_code == 1 and "--overwrite" in again.stderr
    done = headline("prepare", corpus, "-o", corpus.parent / "again", "--overwrite")
    assert done.exit_code == 0


def test_a_dry_run_prints_the_counts_and_writes_only_the_report(corpus: Path) -> None:
    folder = corpus.parent / "tried"
    result = headline("prepare", corpus, "-o", folder, "--dry-run")
    assert result.exit_code == 0
    assert result.stdout == f"{folder / 'report.html'}\n"
    assert "rows" in result.stderr and "train" in result.stderr
    assert [path.name for path in folder.iterdir()] == ["report.html"]

    both = headline("prepare", corpus, "-o", folder, "--dry-run", "--overwrite")
    assert both.exit_code == 2 and "--overwrite has no effect" in both.stderr
    assert headline("train", folder, "-m", corpus.parent / "m").exit_code == 1

    assert headline("prepare", corpus, "-o", folder).exit_code == 0
    written = (folder / "data.json").read_bytes()
    refused = headline("prepare", corpus, "-o", folder, "--dry-run")
    assert_one_line_error(refused, str(folder), "--dry-run", "another DATA_DIR")
    assert (folder / "data.json").read_bytes() == written
    assert "no dataset" not in (folder / "report.html").read_text("utf-8")


def test_prepare_reads_several_files_of_every_kind(tmp_path: Path) -> None:
    pairs = bracket_pairs(300)
    first = write_pairs(tmp_path / "a.csv", pairs[:100])
    lines = [
        json.dumps({"标题": title, "正文": article})
        for title, article in pairs[100:200]
    ]
    second = tmp_path / "b.jsonl"
    second.write_text("\n".join(lines), "utf-8")
    rows = [
        "headline\ttext",
        *(f"{title}\t{article}" for title, article in pairs[200:]),
    ]
    third = tmp_path / "c.tsv.gz"
    third.write_bytes(gzip.compress("\n".join(rows).encode()))

    result = headline("prepare", first, second, third, "-o", tmp_path / "data")

    assert result.exit_code == 0, result.output
    counts = json.loads((tmp_path / "data" / "data.json").read_text("utf-8"))["counts"]
    splits = sum(counts[split] for split in ("train", "valid", "test"))
    assert counts["rows"] == 300 and splits + counts["rejected"] == 300


def test_prepare_reads_gb18030_and_named_columns(tmp_path: Path) -> None:
    path = tmp_path / "gb.csv"
    rows = ["名,文", *(f"{title},{article}" for title, article in bracket_pairs(100))]
    path.write_bytes("\n".join(rows).encode("gb18030"))
    columns = ("--source-column", "文", "--target-column", "名")
    options = (path, "-o", tmp_path / "data", *columns)
    assert headline("prepare", *options, "--encoding", "gb18030").exit_code == 0
    wrong = headline("prepare", *options, "--overwrite", "--encoding", "utf-8")
    assert wrong.exit_code == 1 and "leave out --encoding" in wrong.stderr
    found = headline("prepare", *options, "--overwrite")
    assert found.exit_code == 0 and "detected encoding gb18030" in found.stderr


def test_prepare_says_why_no_pair_is_usable(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("title,content\n标题,\n题,短\n", "utf-8")
    result = headline("prepare", path, "-o", tmp_path / "data")
    assert_one_line_error(result, "no usable pair", "bad.csv", "empty article")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.csv"]


def test_prepare_weighs_corpora_by_their_names(tmp_path: Path) -> None:
    pairs = bracket_pairs(300)
    files = [write_pairs(tmp_path / "a.csv", pairs[:200])]
    files.append(write_pairs(tmp_path / "b=c.csv", pairs[200:]))

    result = headline(
        "prepare", *files, "--weight", f"{files[1]}=0.3", "-o", tmp_path / "data"
    )

    assert result.exit_code == 0, result.output
    assert f"  {files[1]}\n" in result.stderr
    summary = json.loads((tmp_path / "data" / "data.json").read_text("utf-8"))
    weights = {corpus["file"]: corpus["weight"] for corpus in summary["corpora"]}
    assert weights == {str(files[0]): 1, str(files[1]): 0.3}


def test_prepare_makes_pseudo_pairs_of_files_without_headlines(
    corpus: Path, tmp_path: Path
) -> None:
    articles = [article for _, article in bracket_pairs(300, seed=5)]
    lines = [json.dumps({"text": "".join(articles[at:][:3])}) for at in range(100)]
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    first.write_text("\n".join(lines), "utf-8")
    second.write_text("\n".join(lines[:1] + lines[50:60]), "utf-8")  # known ones
    options = ("--unpaired", first, "--unpaired", second, "-o", tmp_path / "data")

    result = headline("prepare", corpus, *options)

    assert result.exit_code == 0, result.output
    summary = json.loads((tmp_path / "data" / "data.json").read_text("utf-8"))
    found = summary["counts"]["unpaired"]
    assert summary["unpaired"] == {str(first): found, str(second): 0}
    held_out = summary["rejects"]["article of the valid or test split"]
    assert 80 < found <= 100 and found + held_out >= 100
    assert f"{found} pseudo-pairs  {first}\n" in result.stderr


@pytest.mark.parametrize(
    ("weights", "part"),
    [
        (["{0}"], "FILE=FACTOR"),
        (["c.csv=2"], "'c.csv' is none of"),
        (["a.csv=2"], "'a.csv' is none of"),  # it was given with its folder
        (["{0}=2", "{0}=2"], "two weights"),
        *((["{0}=" + factor], "above 0") for factor in ("", "x", "0", "-1", "nan")),
        (["{0}=inf"], "above 0"),
    ],
)
def test_prepare_says_what_is_wrong_with_a_weight(
    tmp_path: Path, weights: list[str], part: str
) -> None:
    path = write_pairs(tmp_path / "a.csv", bracket_pairs(9))
    given = [word for text in weights for word in ("--weight", text.format(path))]
    result = headline("prepare", path, "-o", tmp_path / "data", *given)
    assert_usage_error(result, "--weight: ")
    assert part in result.stderr and not (tmp_path / "data").exists()


# --- train, evaluate ------------------------------------------------------------------


def test_the_task_is_learned(model_dir: Path, data_dir: Path) -> None:
    result = headline("evaluate", model_dir, data_dir / "test.csv", "--json")
    scores = json.loads(result.stdout)
    assert scores["articles"] > 80
    assert scores["model"]["rouge_l"] > 90 > 60 > scores["lead"]["rouge_l"]
    assert scores["model"].keys() == scores["lead"].keys()
    assert scores["model"].keys() == set(METRICS.split())
    assert scores.keys() == {*STORY.split(), "model", "lead", "references"}


@pytest.mark.slow
def test_the_task_is_learned_again(data_dir: Path, tmp_path: Path) -> None:
    """As the trained model of the repository has learned it, by the same command."""
    done = train(data_dir, tmp_path / "m")
    assert done.stdout.strip() == str(tmp_path / "m")
    assert done.stderr.count("ROUGE-1/2/L") == 6 and "(kept)" in done.stderr
    assert all((tmp_path / "m" / name).exists() for name in FILES)
    test_the_task_is_learned(tmp_path / "m", data_dir)


def test_evaluate_prints_a_table_and_writes_predictions(
    model_dir: Path, data_dir: Path, tmp_path: Path
) -> None:
    output = tmp_path / "predictions.csv"
    result = headline("evaluate", model_dir, data_dir / "test.csv", "-o", output)
    head = result.stdout.splitlines()[1]
    assert head.split() == ["model", "lead", "references"]
    with output.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    mean = sum(float(row["rouge_l"]) for row in rows) / len(rows)
    lines = result.stdout.splitlines()
    row = next(line for line in lines if line.startswith("ROUGE-L"))
    assert float(row.split()[1]) == pytest.approx(mean, abs=0.01)


def test_the_table_is_utf8_whatever_the_locale_says(
    model_dir: Path, data_dir: Path
) -> None:
    done = run(
        "evaluate",
        model_dir,
        data_dir / "test.csv",
        LC_ALL="C",
        PYTHONUTF8="0",
        PYTHONIOENCODING="koi8-r",
    )
    assert done.returncode == 0, done.stderr.decode()
    assert "±" in done.stdout.decode("utf-8")


def test_evaluate_compares_with_a_model_or_its_predictions(
    model_dir: Path, data_dir: Path, tmp_path: Path
) -> None:
    test, output = data_dir / "test.csv", tmp_path / "predictions.csv"
    base = ("evaluate", model_dir, test, "--json", "--num-headlines", "3")
    first = json.loads(headline(*base, "-o", output).stdout)
    assert first["oracle"].keys() == first["model"].keys()
    assert first["oracle"]["rouge_l"] >= first["model"]["rouge_l"]

    for other in (model_dir, output):
        found = json.loads(headline(*base, "--compare", other).stdout)
        assert found.keys() == {*first, "compare"}
        assert found["model"] == first["model"]
        comparison = found["compare"]
        assert comparison.pop("other") == first["model"]
        same = {"difference": 0, "interval": [0, 0], "p": 1}
        assert comparison == dict.fromkeys(("rouge_1", "rouge_2", "rouge_l"), same)


def test_evaluate_says_why_it_cannot_compare(
    model_dir: Path, data_dir: Path, tmp_path: Path
) -> None:
    test, other = data_dir / "test.csv", tmp_path / "other.csv"
    lines = test.read_text("utf-8").splitlines(keepends=True)
    few = tmp_path / "few.csv"
    few.write_text("".join([lines[0], *lines[2:]]), "utf-8")
    assert headline("evaluate", model_dir, few, "-o", other).exit_code == 0

    def refused(compare: Path, *parts: str) -> None:
        result = headline("evaluate", model_dir, test, "--compare", compare)
        assert_one_line_error(result, str(compare), *parts)

    refused(other, "row 2")
    refused(test, "column 'reference'")
    refused(tmp_path, "headline train")
    other.write_text("")
    refused(other, "empty")


def test_a_training_starts_from_another_model_and_says_what_it_took(
    data_dir: Path, model_dir: Path, tmp_path: Path
) -> None:
    """It takes the model's network, and begins about where that had ended.

    Its search is that of the preset.
    """
    start = ("train", data_dir, "-o", tmp_path / "m", "--init-from", model_dir)
    quick = "--preset large --epochs 1 --valid-articles 30 --accumulate 2"
    quick += " --optimizer lion --r-drop 0"
    rates = ("--freeze", "^encoder", "--lr-multiplier", "^embedding=0.1")
    done = run(*start, *quick.split(), *rates)
    assert done.returncode == 0, done.stderr.decode()
    assert "new: 0 tokens, nothing else" in done.stderr.decode()
    first, second = (load_bundle(folder) for folder in (model_dir, tmp_path / "m"))
    assert done.stdout.decode().strip() == str(tmp_path / "m")
    assert second.model == first.model
    assert second.decode == PRESETS["large"].decode != first.decode
    assert second.decode.consensus and not first.decode.consensus
    for name, weight in second.weights.items():
        frozen = name.startswith("encoder")
        assert np.array_equal(weight, first.weights[name]) == frozen, name
    rouge = second.provenance["valid"]["rouge_l"]
    assert rouge > 0.8 * first.provenance["valid"]["rouge_l"]


def test_init_from_a_folder_without_a_model_is_one_line(
    data_dir: Path, tmp_path: Path
) -> None:
    result = headline("train", data_dir, "-o", tmp_path, "--init-from", tmp_path)
    assert_one_line_error(result, "holds no trained model")


def test_a_pattern_of_no_weight_is_one_line(data_dir: Path, tmp_path: Path) -> None:
    result = headline("train", data_dir, "-o", tmp_path / "m", "--freeze", "incoder")
    assert result.exit_code == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith("Error: --freeze incoder: no weight has")


def test_train_refuses_a_trained_folder_and_a_folder_that_is_no_dataset(
    model_dir: Path, data_dir: Path, tmp_path: Path
) -> None:
    result = headline("train", data_dir, "-o", model_dir)
    assert_one_line_error(result, str(model_dir), "--overwrite")
    result = headline("train", tmp_path, "-o", tmp_path / "m")
    assert_one_line_error(result, str(tmp_path), "headline prepare")


def test_find_lr_prints_a_rate_and_leaves_a_page_and_no_model(
    data_dir: Path, tmp_path: Path
) -> None:
    small = ["--width", "8", "--heads", "2", "--bigrams", "10", "--r-drop", "0"]
    small += ["--encoder-layers", "1", "--decoder-layers", "1"]
    place = tmp_path / "m"
    result = headline("train", data_dir, "-o", place, "--find-lr", *small)
    assert result.exit_code == 0, result.output
    rate = result.stdout.strip()
    assert 1e-4 < float(rate) < 0.2
    assert [path.name for path in place.iterdir()] == ["find_lr.html"]
    assert str(place / "find_lr.html") in result.stderr
    assert f'<p class="rate">{rate}</p>' in (place / "find_lr.html").read_text("utf-8")


# --- generate -------------------------------------------------------------------------


def expected(model_dir: Path, articles: list[str]) -> list[str]:
    lines = "\n".join(articles) + "\n"
    result = headline("generate", "-m", model_dir, "--lines", stdin=lines)
    return result.stdout.splitlines()


def test_stdin_is_one_article(model_dir: Path) -> None:
    article = ARTICLES[0]
    broken = article[:6] + "\n\n" + article[6:]  # a line end is no end
    result = headline("generate", "-m", model_dir, stdin=broken)
    assert result.stdout.count("\n") == 1
    assert result.stdout.strip() and not result.stderr


def test_one_line_out_for_each_line_in(model_dir: Path) -> None:
    lines = [ARTICLES[0], "", "   ", ARTICLES[1], ARTICLES[2]]
    found = expected(model_dir, lines)
    assert len(found) == 5 and found[1] == found[2] == ""
    assert all(found[place] for place in (0, 3, 4))
    alone = [expected(model_dir, [article])[0] for article in lines]
    assert found == alone


def test_lines_come_out_before_stdin_ends(model_dir: Path) -> None:
    command = [sys.executable, "-m", "headline", "generate", "-m", str(model_dir)]
    with subprocess.Popen(
        [*command, "--lines"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        for article in ARTICLES[:2]:
            process.stdin.write(f"{article}\n".encode())
            process.stdin.flush()
            assert process.stdout.readline().strip()
        process.stdin.close()
    assert process.returncode == 0


def test_the_model_can_come_from_the_environment(model_dir: Path) -> None:
    done = run("generate", stdin=ARTICLES[0].encode(), HEADLINE_MODEL=str(model_dir))
    assert done.stdout.decode().strip() == expected(model_dir, ARTICLES[:1])[0]


def test_output_is_utf8_whatever_the_locale_says(model_dir: Path) -> None:
    done = run(
        "generate",
        "-m",
        model_dir,
        stdin=ARTICLES[0].encode(),
        LC_ALL="C",
        PYTHONUTF8="0",
        PYTHONIOENCODING="ascii",
    )
    assert done.stdout.decode("utf-8").strip() == expected(model_dir, ARTICLES[:1])[0]


def test_csv_keeps_columns_and_order_and_gets_headlines(
    model_dir: Path, tmp_path: Path
) -> None:
    path = tmp_path / "articles.csv"
    rows = [(str(n), article, "附注，“甲”") for n, article in enumerate(ARTICLES)]
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("id", "content", "note"), *rows])

    result = headline("generate", "-m", model_dir, path)

    found = list(csv.reader(io.StringIO(result.stdout)))
    assert found[0] == ["id", "content", "note", "headline"]
    assert [tuple(row[:3]) for row in found[1:]] == rows
    assert [row[3] for row in found[1:]] == expected(model_dir, ARTICLES)


def test_jsonl_gets_a_key_and_a_bad_line_keeps_its_place(
    model_dir: Path, tmp_path: Path
) -> None:
    path, output = tmp_path / "articles.jsonl", tmp_path / "out.jsonl"
    lines = [json.dumps({"n": n, "text": ARTICLES[n]}) for n in range(3)]
    lines.insert(1, "{broken")
    path.write_text("\n".join(lines) + "\n", "utf-8")

    result = headline("generate", "-m", model_dir, path, "-o", output)

    assert result.stdout == ""
    text = output.read_text("utf-8")
    records = [json.loads(line) for line in text.splitlines()]
    assert [record.get("n") for record in records] == [0, None, 1, 2]
    assert records[1]["headline"] == "" and "line 2" in records[1]["error"]
    headlines = [records[place]["headline"] for place in (0, 2, 3)]
    assert headlines == expected(model_dir, ARTICLES[:3])
    assert "\\u" not in text


def test_text_files_by_name(model_dir: Path, tmp_path: Path) -> None:
    for n in range(2):
        (tmp_path / f"{n}.txt").write_text(ARTICLES[n], "utf-8")
    result = headline(
        "generate", "-m", model_dir, tmp_path / "0.txt", tmp_path / "1.txt"
    )
    assert result.stdout.splitlines() == expected(model_dir, ARTICLES[:2])


def test_several_headlines_differ_and_the_first_is_the_best(model_dir: Path) -> None:
    several = headline(
        "generate", "-m", model_dir, "--num-headlines", "3", stdin=ARTICLES[0]
    )
    found = several.stdout.rstrip("\n").split("\t")
    assert len(set(found)) == 3


def test_length_options_are_obeyed(model_dir: Path) -> None:
    text = "\n".join(ARTICLES) + "\n"
    base = ("generate", "-m", model_dir, "--lines")
    short = headline(*base, "--max-length", "2", stdin=text).stdout.splitlines()
    long = headline(*base, "--min-length", "9", stdin=text).stdout.splitlines()
    assert len(short) == len(long) == len(ARTICLES)
    assert all(1 <= len(line) <= 2 for line in short)
    assert all(9 <= len(line) <= DecodeConfig.max_length for line in long)


@pytest.mark.parametrize(
    "options", [["--batch-size", "1"], ["--batch-size", "7"], ["--beam-size", "4"]]
)
def test_batching_changes_no_headline(model_dir: Path, options: list[str]) -> None:
    text = "\n".join(ARTICLES) + "\n"
    result = headline("generate", "-m", model_dir, "--lines", *options, stdin=text)
    assert result.stdout.splitlines() == expected(model_dir, ARTICLES)


def test_any_number_of_processes_writes_the_same_file(
    untrained: Path, tmp_path: Path
) -> None:
    corpus = write_pairs(tmp_path / "news.csv", bracket_pairs(30, seed=99))
    options: list[str | Path] = [
        "generate",
        "-m",
        untrained,
        corpus,
        "--batch-size",
        "3",
    ]
    outputs = [
        headline(*options, *workers).stdout
        for workers in ([], ["--workers", "1"], ["--workers", "3"])
    ]
    assert outputs[0].count("\n") == 31
    assert outputs[0] == outputs[1] == outputs[2]


def test_lines_of_a_fast_pipe_too(untrained: Path) -> None:
    command = [sys.executable, "-m", "headline", "generate", "-m", str(untrained)]
    text = "\n".join(ARTICLES * 4).encode() + b"\n"
    one, two = (
        subprocess.run(
            [*command, "--lines", "--batch-size", "2", "--workers", str(workers)],
            input=text,
            capture_output=True,
            check=True,
        )
        for workers in (1, 2)
    )
    assert one.stdout == two.stdout and one.stdout.count(b"\n") == 4 * len(ARTICLES)
    assert one.stderr == two.stderr == b""


def test_hostile_bytes_on_stdin_give_a_headline_and_no_traceback(
    model_dir: Path,
) -> None:
    hostile = b"\x00\xff\xfe" + ARTICLES[0].encode()[:-1] + b"\x80\xed\xa0\x80\n\x00\n"
    done = run("generate", "-m", model_dir, "--lines", stdin=hostile)
    assert done.returncode == 0 and not done.stderr
    assert len(done.stdout.decode("utf-8").split("\n")) == 3


def test_a_cold_headline_takes_under_a_second(model_dir: Path) -> None:
    """Of processor time: the clock also counts what else the machine does."""
    seconds = []
    for _ in range(3):
        begin = processor_time_of_children()
        run("generate", "-m", model_dir, stdin=ARTICLES[0].encode())
        seconds.append(processor_time_of_children() - begin)
    assert 0 < min(seconds) < 1


def processor_time_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


# --- generate --explain ---------------------------------------------------------------


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that copies and writes at random."""
    model_dir = tmp_path_factory.mktemp("untrained")
    save_bundle(model_dir, tiny_bundle("".join(ARTICLES)))
    return model_dir


def test_a_models_own_consensus_gives_way_to_samples(
    untrained: Path, tmp_path: Path
) -> None:
    bundle = load_bundle(untrained)
    decode = replace(bundle.decode, beam_size=4, consensus=True)
    save_bundle(tmp_path / "model", replace(bundle, decode=decode))

    def written(model_dir: Path, *args: str) -> str:
        args = ("generate", "-m", str(model_dir), "--beam-size", "4", *args)
        result = headline(*args, stdin=ARTICLES[0] * 2)
        assert result.exit_code == 0, result.stderr
        return result.stdout

    own = written(tmp_path / "model", "--num-headlines", "3")
    asked = "--num-headlines", "3", "--consensus"
    assert own == written(untrained, *asked) != written(untrained, *asked[:2])
    several = "--num-headlines", "2"
    for other in (("--sample", *several), ("--diversity", "0.5", *several)):
        assert written(tmp_path / "model", *other) == written(untrained, *other)
    both = "generate", "-m", tmp_path / "model", "--sample", "--consensus"
    assert headline(*both, stdin=ARTICLES[0]).exit_code == 2


@pytest.mark.parametrize("kind", ["stdin", "--lines", "a.csv", "a.jsonl", "a.txt"])
def test_explain_writes_a_page_and_changes_no_output(
    untrained: Path, tmp_path: Path, kind: str
) -> None:
    text = "\n".join(ARTICLES[:3]) + "\n"
    contents = {
        "a.csv": "id,content\n" + "".join(f"1,{line}\n" for line in text.split()),
        "a.jsonl": "".join(f'{{"text": "{line}"}}\n' for line in text.split()),
        "a.txt": text,
    }
    place = tmp_path / kind
    if kind in contents:
        place.write_text(contents[kind], "utf-8")
    args = ["generate", "-m", str(untrained), "--num-headlines", "2"]
    args += [str(place)] if kind in contents else [kind] if kind == "--lines" else []

    plain = headline(*args, stdin=text)
    result = headline(*args, "--explain", tmp_path / "out.html", stdin=text)

    assert result.exit_code == 0 and result.stdout == plain.stdout and plain.stdout
    tags = parse((tmp_path / "out.html").read_text("utf-8"))
    articles = 1 if kind in ("stdin", "a.txt") else 3
    assert len(tags.of("section")) == articles
    labels = [attrs["aria-label"] for attrs in tags.of("div", "tokens")]
    assert len(labels) == 2 * articles and all(
        label in plain.stdout for label in labels
    )


@pytest.mark.parametrize("name", ["", "nowhere/out.html"])
def test_explain_to_no_file_is_told_in_one_line(
    untrained: Path, tmp_path: Path, name: str
) -> None:
    place = tmp_path / name
    result = headline("generate", "-m", untrained, "--explain", place, stdin="天地")
    assert_one_line_error(result, str(place), "folder")


def test_a_reader_that_goes_away_is_not_told_as_a_page_that_cannot_be_written(
    untrained: Path, tmp_path: Path
) -> None:
    place = tmp_path / "out.html"
    command = [sys.executable, "-m", "headline", "generate", "-m", str(untrained)]
    with subprocess.Popen(
        [*command, "--lines", "--explain", str(place)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin and process.stdout and process.stderr
        process.stdout.close()
        process.stdin.write(f"{ARTICLES[0]}\n".encode())
        process.stdin.close()
        assert process.stderr.read() == b"" and process.wait() == 1
    assert not place.exists()


def test_one_article_loads_no_modules_of_explanations_or_processes(
    untrained: Path,
) -> None:
    program = (
        "import sys; from headline.cli.main import main\n"
        "main(['generate', '-m', sys.argv[1]], standalone_mode=False)\n"
        "print({'headline.generation.explain', 'headline.pages.rendering', 'jinja2',"
        " 'concurrent', 'multiprocessing', 'jieba', 'tqdm', 'keras'}"
        " & sys.modules.keys())"
    )
    run = [sys.executable, "-c", program, str(untrained)]
    assert subprocess.check_output(run, input=b"").endswith(b"set()\n")


NO_NETWORK = """
import socket, sys
def refuse(*_):
    raise AssertionError("the network was asked for")
socket.socket.connect = socket.socket.connect_ex = refuse
socket.create_connection = socket.getaddrinfo = refuse
from headline.cli.main import main
main()
"""


@pytest.mark.parametrize(
    "command",
    [
        ["prepare", "CORPUS", "-o", "NEW"],
        ["generate", "-m", "MODEL", "CORPUS", "--workers", "2", "--batch-size", "2"],
        ["evaluate", "MODEL", "CORPUS"],
    ],
)
def test_no_command_asks_for_the_network(
    command: list[str], untrained: Path, tmp_path: Path
) -> None:
    places = {
        "CORPUS": write_pairs(tmp_path / "c.csv", bracket_pairs(200)),
        "MODEL": untrained,
        "NEW": tmp_path / "new",
    }
    args = [str(places.get(part, part)) for part in command]
    run = [sys.executable, "-c", NO_NETWORK, *args]
    done = subprocess.run(run, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# --- the controls of the search -------------------------------------------------------


def lines_of(untrained: Path, *options: str) -> list[str]:
    text = "\n".join(ARTICLES[:9]) + "\n"
    result = headline("generate", "-m", untrained, "--lines", *options, stdin=text)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def test_a_seed_gives_the_same_headlines_in_any_batch(untrained: Path) -> None:
    sample = ("--sample", "--top-p", "0.9", "--temperature", "1.5", "--seed", "7")
    found = lines_of(untrained, *sample, "--num-headlines", "3")

    assert len(found) == 9
    for batch_size in ("1", "2", "9"):
        options = (*sample, "--num-headlines", "3", "--batch-size", batch_size)
        assert lines_of(untrained, *options) == found
    assert lines_of(untrained, *sample[:-1], "8", "--num-headlines", "3") != found


def test_options_of_the_search_are_obeyed(untrained: Path) -> None:
    words = ("--must-include", "囧", "--must-include", "5G", "--avoid", "天")
    found = lines_of(untrained, "--prefix", "北京", *words, "--num-headlines", "2")
    assert len(found) == 9
    for line in found:
        assert len(line.split("\t")) == 2
        for text in line.split("\t"):
            assert text.startswith("北京") and "囧" in text and "5G" in text
            assert "天" not in text
    for line in lines_of(untrained, "--no-repeat-ngram-size", "1"):
        assert len(set(line)) == len(line)
    assert any(len(set(line)) < len(line) for line in lines_of(untrained))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ("--prefix 中国 --avoid 国", "--avoid"),
        ("--max-length 2 --must-include 北京冬奥", "--max-length"),
        ("--max-length 2 --must-include 5 --must-include 1", "--max-length"),
        ("--top-p 0.9", "--top-p"),
        ("--temperature 0.8", "--temperature"),
        ("--sample --top-p 0", "--top-p"),
        ("--sample --diversity 0.5", "--diversity"),
        ("--target-length 41", "--target-length"),
        ("--must-include \u200b", "--must-include"),
    ],
)
def test_options_that_contradict_each_other_are_told_in_one_line(
    untrained: Path, tmp_path: Path, options: str, named: str
) -> None:
    output = tmp_path / "out.txt"
    model, rest = ("-m", untrained), options.split()
    result = headline("generate", *model, "-o", output, *rest, stdin=ARTICLES[0])

    assert_usage_error(result, f"{named}: ")
    assert not output.exists()


def assert_usage_error(result: Result, part: str) -> None:
    """Exit code 2 and one line behind click's two about the usage."""
    assert result.exit_code == 2, result.output
    assert result.stdout == "" and "Traceback" not in result.stderr
    errors = [line for line in result.stderr.splitlines() if "Error: " in line]
    assert errors == result.stderr.splitlines()[-1:] and part in errors[0]


def test_score_does_not_go_with_compare(untrained: Path, tmp_path: Path) -> None:
    file = write_pairs(tmp_path / "a.csv", bracket_pairs(2))
    evaluate = ("evaluate", untrained, file, "--score")

    assert headline(*evaluate).exit_code == 0
    assert_usage_error(headline(*evaluate, "--compare", untrained), "--compare")


# --- what goes wrong ------------------------------------------------------------------


def assert_one_line_error(result: Result, *parts: str) -> None:
    assert result.exit_code == 1, result.output
    assert result.stdout == "" and result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    for part in parts:
        assert part in result.stderr


def test_bad_rows_are_told_and_strict_stops(untrained: Path, tmp_path: Path) -> None:
    corpus = tmp_path / "news.csv"
    article = ARTICLES[0].encode()
    corpus.write_bytes(b"title,content\na," + article + b"\n" + b"b,\xff\n" * 30)
    result = headline("generate", "-m", untrained, corpus)
    assert result.exit_code == 0 and len(result.stdout.splitlines()) == 32
    told = result.stderr.splitlines()
    assert len(told) == 21 and told[0].startswith(f"{corpus}, row 3: ")
    for command in (
        ["generate", "-m", str(untrained), str(corpus), "-o", str(tmp_path / "o.csv")],
        ["evaluate", str(untrained), str(corpus)],
        ["prepare", str(corpus), "-o", str(tmp_path / "data")],
    ):
        result = headline(*command, "--strict")
        assert_one_line_error(result, "row 3", "without --strict")
    assert [path.name for path in tmp_path.iterdir()] == ["news.csv"]


def test_a_damaged_model_is_named_in_one_line(model_dir: Path, tmp_path: Path) -> None:
    copy = tmp_path / "model"
    shutil.copytree(model_dir, copy)
    weights = bytearray((copy / "weights.safetensors").read_bytes())
    weights[-5] ^= 1
    (copy / "weights.safetensors").write_bytes(weights)
    result = headline("generate", "-m", copy, stdin="天地")
    assert_one_line_error(result, "weights.safetensors", "damaged")


def test_a_folder_without_a_model_says_what_to_run(tmp_path: Path) -> None:
    for model_dir in (tmp_path, tmp_path / "nowhere"):
        result = headline("generate", "-m", model_dir, stdin="天地")
        assert_one_line_error(result, str(model_dir), "headline train")


def test_a_file_without_articles_names_the_option(
    model_dir: Path, tmp_path: Path
) -> None:
    path = tmp_path / "odd.csv"
    path.write_text("a,b\n1,2\n", "utf-8")
    result = headline("generate", "-m", model_dir, path)
    assert_one_line_error(result, "odd.csv", "--source-column")


@pytest.mark.parametrize(
    ("args", "part"),
    [
        (["generate", "-m", "m", "--beam-size", "0"], "--beam-size: beam_size must"),
        (
            ["generate", "-m", "m", "--min-length", "9", "--max-length", "8"],
            "min_length",
        ),
        (["generate", "-m", "m", "--workers", "0"], "--workers"),
        (["generate"], "--model"),
        (["generate", "-m", "m", "no-such-file.csv"], "no-such-file.csv"),
        (["train", "data", "-o", "m", "--learning-rate", "-1"], "learning_rate"),
        (["train", "data", "-o", "m", "--width", "127"], "--width: "),
        (["train", "data", "-o", "m", "--freeze", "["], "--freeze: "),
        (["train", "data", "-o", "m", "--lr-multiplier", "embedding"], "FACTOR"),
        (["train", "data", "-o", "m", "--lr-multiplier", "a=-1"], "0 to 1000"),
        (["train", "data", "-o", "m", "--optimizer", "adagrad"], "rmsprop"),
        (["train", "data", "-o", "m", "--pretrain-share", "1"], "--pretrain-share: "),
        (["train", "data", "-o", "m", "--preset", "other"], "pointer"),
        (["train", "data", "-o", "m", "--find-lr", "--resume"], "--resume"),
        (["train", "d", "-o", "m", "--find-lr", "--tensorboard", "t"], "--tensorboard"),
        (["prepare", "-o", "d"], "FILES"),
        (["evaluate", "m", "no-such-file.csv"], "no-such-file.csv"),
        (["generate", "--no-such-option"], "--no-such-option"),
        (["wrong"], "wrong"),
    ],
)
def test_usage_errors_exit_with_2_and_name_the_option(
    args: list[str], part: str, model_dir: Path
) -> None:
    if args[-1] != "d":
        args = [str(model_dir) if arg == "m" else arg for arg in args]
    result = headline(*args)
    assert result.exit_code == 2, result.output
    assert part in result.stderr and "Traceback" not in result.output


def test_a_bug_keeps_its_traceback(
    model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(text: str) -> str:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("headline.text.source.normalise", broken)
    result = headline("generate", "-m", model_dir, stdin="天地")
    assert isinstance(result.exception, ZeroDivisionError)


def test_the_weights_are_checked_once(
    untrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[WeightSpec] = []
    monkeypatch.setattr(
        "headline.network.weights._check_weight", lambda spec, _: checked.append(spec)
    )
    page = tmp_path / "page.html"
    result = headline("generate", "-m", untrained, "--explain", page, stdin="天地")
    assert result.exit_code == 0, result.output
    assert checked and len(checked) == len(set(checked))


# --- help -----------------------------------------------------------------------------


def all_parameters() -> Iterator[tuple[str, str]]:
    for name, command in main.commands.items():
        for parameter in command.params:
            yield name, max(parameter.opts, key=len)


def test_every_command_has_help_with_an_example_and_every_option_is_explained() -> None:
    assert set(main.commands) == {*COMMANDS, *SMALL}
    for name in (*COMMANDS, *SMALL):
        text = headline(name, "--help").stdout
        assert "Example:" in text and f"headline {name}" in text
        for parameter in main.commands[name].params:
            if parameter.param_type_name == "option":
                assert getattr(parameter, "help", None), (name, parameter.name)
    for name, flag in all_parameters():
        if flag.startswith("--"):
            how = "--help" if name in SMALL else "--help-all"
            assert flag in headline(name, how).stdout


def test_defaults_in_help_are_those_of_the_settings() -> None:
    text = " ".join(headline("prepare", "--help").stdout.split())
    assert f"[default: {PrepareConfig.vocab_size}]" in text
    text = " ".join(headline("train", "--help-all").stdout.split())
    assert f"[default: {TrainConfig.patience}]" in text and "0.004 adam" in text
    text = " ".join(headline("generate", "--help-all").stdout.split())
    assert f"[default: {DecodeConfig.length_penalty}]" in text
