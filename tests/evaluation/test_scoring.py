"""How likely a model finds given headlines: the numbers that its own search gives."""

import csv
import json
import math
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from headline.bundle import save_bundle
from headline.cli.main import main
from headline.data.corpus import Pair
from headline.errors import CorpusError
from headline.evaluation.predictions import EXCERPT
from headline.evaluation.scoring import COLUMNS, Scored, score_file
from headline.formats.tables import CorpusFormat
from headline.generation.generator import Generator
from headline.settings.search import DecodeConfig
from tests.corpora import bracket_pairs, write_pairs
from tests.scripted import tiny_bundle

PAIRS = bracket_pairs(20)
BUNDLE = tiny_bundle("".join(article for _, article in PAIRS), vocab_size=30)


def generator(**settings: Any) -> Generator:
    return Generator.from_bundle(BUNDLE, DecodeConfig(**settings))


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("batch_size", [1, 7])
def test_every_usable_pair_of_a_file_is_scored_in_its_order(
    tmp_path: Path, batch_size: int
) -> None:
    rows = [*PAIRS[:3], ("", "天地"), ("天地", " "), *PAIRS[3:]]
    path = write_pairs(tmp_path / "a.csv", rows)

    scored = score_file(generator(batch_size=batch_size), path, CorpusFormat())

    assert scored.pairs == [Pair(article, title) for title, article in PAIRS]
    for (title, article), found in zip(PAIRS, scored.scores, strict=True):
        expected = generator().score([article], [title])[0]
        assert found == pytest.approx(expected, abs=1e-4)


def test_an_article_is_read_whole_and_kept_in_part(tmp_path: Path) -> None:
    article = PAIRS[0][1] * 30
    path = write_pairs(tmp_path / "a.csv", [("天地", f"<p>{article}</p>")])

    scored = score_file(generator(), path, CorpusFormat())

    assert scored.pairs == [Pair(article[:EXCERPT], "天地")]
    expected = generator().score([article], ["天地"])
    assert scored.scores == pytest.approx(expected, abs=1e-4)


def test_a_file_without_pairs_is_refused(tmp_path: Path) -> None:
    path = write_pairs(tmp_path / "a.csv", [("", "天地")])

    with pytest.raises(CorpusError, match=r"a\.csv has no row"):
        score_file(generator(), path, CorpusFormat())


def test_the_means_are_those_of_the_scores() -> None:
    # Two characters and their end of 1/4 each, and one with its end of 1/16 each.
    scores = [3 * math.log(1 / 4), 2 * math.log(1 / 16)]
    scored = Scored([Pair("天地", "玄黄"), Pair("宇宙", "洪")], scores)

    assert scored.mean == pytest.approx(sum(scores) / 2)
    assert scored.perplexity == pytest.approx(2 ** (14 / 5))
    found = scored.to_dict()
    assert found.keys() == {"articles", "score", "perplexity", "scores"}
    assert found["articles"] == 2
    assert found["score"] == round(scored.mean, 4)
    assert found["perplexity"] == round(scored.perplexity, 4)
    assert found["scores"] == [round(score, 4) for score in scores]
    head, mean, perplexity = scored.table().splitlines()
    assert head == "2 headlines"
    assert float(mean.split()[-1]) == pytest.approx(scored.mean, abs=0.005)
    assert float(perplexity.split()[-1]) == pytest.approx(scored.perplexity, abs=0.005)


def test_scores_are_written_as_a_table(tmp_path: Path) -> None:
    pairs = [Pair('天,"地"', "玄,黄"), Pair("宇宙", "洪")]

    Scored(pairs, [-1.23456, -2.0]).write(tmp_path / "out.csv")

    assert [tuple(row.values()) for row in rows_of(tmp_path / "out.csv")] == [
        ("玄,黄", "-1.2346", '天,"地"'),
        ("洪", "-2.0000", "宇宙"),
    ]
    assert tuple(rows_of(tmp_path / "out.csv")[0]) == COLUMNS


@pytest.mark.parametrize(
    "options",
    [
        "",
        "--num-headlines 3 --diversity 0.5",
        "--num-headlines 3 --sample --temperature 2",
        "--prefix 囧天 --must-include 荒 --length-penalty 1 --target-length 5",
    ],
)
def test_score_gives_the_scores_that_generate_wrote(
    tmp_path: Path, options: str
) -> None:
    save_bundle(tmp_path / "model", BUNDLE)

    def headline(*args: str | Path) -> str:
        result = CliRunner().invoke(main, [str(arg) for arg in args])
        assert result.exit_code == 0, result.output
        return result.stdout

    articles, written = tmp_path / "articles.csv", tmp_path / "written.csv"
    articles.write_text("text\n" + "\n".join(a for _, a in PAIRS) + "\n", "utf-8")
    generate = ("generate", "-m", tmp_path / "model", articles, "-o", written)
    headline(*generate, "--with-scores", *options.split())

    every = rows_of(written)
    several = ["headline", "headline_2", "headline_3"][: 3 if "num" in options else 1]
    for column in several:
        # There may be fewer headlines than were asked for.
        rows = [row for row in every if row[column]]
        assert len(rows) >= (20 if column == "headline" else 15)
        score = ("score", "-m", tmp_path / "model", written)
        names = ("--target-column", column, "--source-column", "text")
        scores = tmp_path / "scores.csv"
        found = json.loads(headline(*score, *names, "--json", "-o", scores))
        expected = [float(row[f"{column}_score"]) for row in rows]
        assert found["scores"] == pytest.approx(expected, abs=2e-4)
        assert [float(row["score"]) for row in rows_of(scores)] == found["scores"]
        assert [row["headline"] for row in rows_of(scores)] == [
            row[column] for row in rows
        ]
    assert f"{len(rows)} headlines" in headline(*score, *names)
