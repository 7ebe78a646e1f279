"""``headline calibrate``, and what its confidence is used for, by the commands."""

import csv
import json
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from headline.bundle import load_bundle, save_bundle
from headline.cli.main import main
from headline.evaluation.confidence import SUREST
from tests.corpora import bracket_pairs, write_pairs
from tests.markup import parse
from tests.scripted import tiny_bundle
from tests.trained import TRAINED
from tests.written import WRITERS

GOOD = "90"  # as good are the headlines between brackets, and no others


def pairs_of(count: int, seed: int) -> list[tuple[str, str]]:
    """Pairs whose headline stands between brackets, but for a third without brackets.

    The model has never seen articles without them.
    """
    return [
        (title, article if at % 3 else article.replace("「", "").replace("」", ""))
        for at, (title, article) in enumerate(bracket_pairs(count, seed=seed))
    ]


def headline(*args: str | Path, stdin: str = "") -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args], input=stdin)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a dataset, a model with a confidence, and one without."""
    folder = tmp_path_factory.mktemp("calibrate")
    write_pairs(folder / "news.csv", pairs_of(320, seed=5))
    made = headline(
        "prepare", folder / "news.csv", "-o", folder / "data", "--valid-size", "0.5"
    )
    assert made.exit_code == 0, made.output
    for name in ("m", "older"):
        save_bundle(folder / name, load_bundle(TRAINED))
    (folder / "m" / "report.html").write_text("<html><body>報告</body></html>", "utf-8")
    told = headline(
        *("calibrate", "-m", folder / "m", folder / "data", "--good-rouge-l", GOOD)
    )
    assert told.exit_code == 0, told.output
    assert told.stdout.startswith("confidence, cross-fitted on the valid split: AUROC")
    return folder


@pytest.fixture(autouse=True)
def _here(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(places)


def rows_of(path: str) -> list[dict[str, str]]:
    with Path(path).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_model_keeps_its_weights_and_gets_a_confidence() -> None:
    before, after = load_bundle(Path("older")), load_bundle(Path("m"))
    assert before.confidence is None and after.confidence is not None
    assert after.confidence.good_rouge_l == float(GOOD)
    assert before.weights.keys() == after.weights.keys()
    for name, weight in before.weights.items():
        assert (after.weights[name] == weight).all()
    assert before.decode == after.decode and before.provenance == after.provenance


def test_the_report_draws_both_curves() -> None:
    page = parse(Path("m/report.html").read_text("utf-8"))
    assert "報告" in page.text
    titles = [one["aria-label"] for one in page.of("svg")]
    assert titles == [
        "ROUGE-L of the surest headlines",
        "Good headlines by confidence, %",
    ]


def test_json_has_the_figures() -> None:
    found = headline(
        *("calibrate", "-m", "m", "data", "--good-rouge-l", GOOD, "--json")
    )
    figures = json.loads(found.stdout)
    assert figures["coverage"].keys() == {str(share) for share in SUREST}
    model = load_bundle(Path("m")).confidence
    assert model is not None and model.fit["auroc"] == figures["auroc"]


def test_an_older_model_says_in_one_line_that_it_has_none() -> None:
    for option in ("--with-confidence", "--min-confidence=50"):
        result = headline("generate", "-m", "older", option, stdin="《天地》玄黄")
        assert result.exit_code == 2 and result.stdout == ""
        assert result.stderr.splitlines()[-1] == (
            f"Error: {option.split('=')[0]}: this model has no confidence yet: run"
            " `headline calibrate -m MODEL_DIR DATA_DIR`"
        )


def test_too_few_pairs_are_told() -> None:
    write_pairs(Path("few.csv"), bracket_pairs(30))
    assert headline("prepare", "few.csv", "-o", "few").exit_code == 0
    result = headline("calibrate", "-m", "older", "few")
    assert result.exit_code == 1 and "--valid-size" in result.stderr
    assert load_bundle(Path("older")).confidence is None


@pytest.mark.parametrize("name", ["news.csv", "news.json", "news.parquet", "news.xlsx"])
def test_every_format_gets_the_same_confidence(name: str) -> None:
    rows = [{"content": article} for _, article in pairs_of(5, seed=8)]
    WRITERS[name](Path(name).with_stem("in"), rows)
    source = Path(name).with_stem("in")
    output = source.with_stem("out")
    options = ("--with-confidence", "--with-scores", "-o", output)
    result = headline("generate", "-m", "m", source, *options)
    assert result.exit_code == 0, result.output
    lines = "".join(f"{row['content']}\n" for row in rows)
    text = headline(
        *("generate", "-m", "m", "--lines", "--with-confidence"), stdin=lines
    )
    expected = [float(line.split("\t")[1]) for line in text.stdout.splitlines()]
    assert confidences(output) == expected and len(set(expected)) > 1
    assert all(one == round(one, 1) for one in expected)


def confidences(path: Path) -> list[float]:
    """The confidence of each row, as the type that the format has for numbers."""
    found: list[Any]
    if path.suffix == ".csv":
        return [float(row["headline_confidence"]) for row in rows_of(str(path))]
    if path.suffix == ".json":
        found = [row["confidence"] for row in json.loads(path.read_text("utf-8"))]
    elif path.suffix == ".parquet":
        found = pq.read_table(path)["headline_confidence"].to_pylist()
    else:
        header, *rows = openpyxl.load_workbook(path).active.iter_rows(values_only=True)
        found = [row[header.index("headline_confidence")] for row in rows]
    assert all(isinstance(one, float | int) for one in found)
    return found


def test_jsonl_has_it_for_each_headline() -> None:
    article = bracket_pairs(1, seed=8)[0][1]
    Path("in.jsonl").write_text(
        "".join(json.dumps({"text": text}) + "\n" for text in (article, "")), "utf-8"
    )
    result = headline(
        *("generate", "-m", "m", "in.jsonl", "--num-headlines", "3"),
        "--with-confidence",
    )
    one, blank = map(json.loads, result.stdout.splitlines())
    assert len(one["confidences"]) == len(one["headlines"]) == 3
    assert one["confidences"][0] == one["confidence"]
    assert blank["confidence"] is None and blank["headline"] == ""


def test_headlines_below_the_least_confidence_keep_their_row() -> None:
    pairs = pairs_of(40, seed=8)
    write_pairs(Path("in.csv"), pairs)
    all_of_them = headline("generate", "-m", "m", "in.csv", "--with-confidence")
    Path("all.csv").write_text(all_of_them.stdout, "utf-8")
    known = rows_of("all.csv")
    least = sorted(float(row["headline_confidence"]) for row in known)[20]
    result = headline("generate", "-m", "m", "in.csv", "--min-confidence", str(least))
    Path("some.csv").write_text(result.stdout, "utf-8")
    some = rows_of("some.csv")
    for before, after in zip(known, some, strict=True):
        below = float(before["headline_confidence"]) < least
        assert after == (before | {"headline": ""} if below else before)
    blank = sum(not row["headline"] for row in some)
    assert 0 < blank <= 20
    assert f"{blank} of 40 headlines are left blank" in result.stderr


def test_other_kinds_of_text_are_told() -> None:
    usual = headline(
        *("generate", "-m", "m", "--lines"),
        stdin="".join(f"{article}\n" for _, article in bracket_pairs(20, seed=8)),
    )
    assert "unlike" not in usual.stderr
    odd = headline(
        *("generate", "-m", "m", "--lines"),
        stdin="The abstract of a paper, 2024; no news.\n" * 20,
    )
    assert "20 of 20 articles are unlike those that the model was trained on" in (
        odd.stderr
    )
    few = "".join(f"{article}\n" for _, article in bracket_pairs(20, seed=8))
    mixed = headline(
        *("generate", "-m", "m", "--lines"), stdin=few + "The abstract 2024\n" * 9
    )
    assert "unlike" not in mixed.stderr  # most are usual


def test_evaluate_reports_the_confidence() -> None:
    write_pairs(Path("test.csv"), pairs_of(60, seed=9))
    result = headline("evaluate", "-m", "m", "test.csv", "--json", "-o", "p.csv")
    found = json.loads(result.stdout)["confidence"]
    assert found["auroc"] > 0.5 and 0 <= found["ece"] <= 1
    chances = [float(row["confidence"]) for row in rows_of("p.csv")]
    scores = [float(row["rouge_l"]) for row in rows_of("p.csv")]
    assert found["mean"] == pytest.approx(sum(chances) / 60, abs=0.01)
    assert found["good"] == pytest.approx(
        100 * sum(one >= float(GOOD) for one in scores) / 60, abs=0.01
    )
    table = headline("evaluate", "-m", "m", "test.csv").stdout
    assert f"AUROC {found['auroc']:.3f}" in table
    plain = headline("evaluate", "-m", "older", "test.csv", "--json")
    without = json.loads(plain.stdout)
    assert "confidence" not in without
    assert json.loads(result.stdout)["model"] == without["model"]


def test_the_page_of_explanations_shows_it() -> None:
    write_pairs(Path("in.csv"), pairs_of(2, seed=8))
    options = ("--with-confidence", "-o", "out.csv", "--explain", "e.html")
    assert headline("generate", "-m", "m", "in.csv", *options).exit_code == 0
    page = parse(Path("e.html").read_text("utf-8"))
    for row in rows_of("out.csv"):
        assert f"confidence {row['headline_confidence']}%" in page.text


def test_a_model_folder_is_not_a_dataset() -> None:
    save_bundle(Path("x"), tiny_bundle("天地"))
    assert headline("calibrate", "-m", "x", "x").exit_code == 1
