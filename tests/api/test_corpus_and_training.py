"""``headline.prepare`` and ``headline.train``."""

import csv
import logging
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

import headline
from tests.corpora import bracket_pairs, write_pairs
from tests.trained import TRAINED

PAIRS = bracket_pairs(300)
OF_ARTICLES = [(article, title) for title, article in PAIRS]
SMALL: dict[str, Any] = {
    "width": 8,
    "heads": 1,
    "encoder_layers": 1,
    "bigrams": 0,
    "epochs": 2,
    "valid_articles": 4,
    "r_drop": 0.0,
}


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a dataset whose bytes come of its pairs alone."""
    kinds = ("*.npy", "vocab.json", "test.csv")
    return {
        path.name: path.read_bytes() for kind in kinds for path in folder.glob(kind)
    }


def test_pairs_and_a_file_give_the_same_dataset(tmp_path: Path) -> None:
    corpus = write_pairs(tmp_path / "news.csv", PAIRS)
    of_file = headline.prepare(corpus, tmp_path / "file", min_count=1)
    pairs = (pair for pair in OF_ARTICLES)
    of_pairs = headline.prepare(pairs, tmp_path / "pairs", min_count=1, workers=2)
    assert contents(tmp_path / "file") == contents(tmp_path / "pairs")
    assert of_file["counts"] == of_pairs["counts"]
    assert of_pairs["corpora"][0]["file"] == "pairs"
    assert of_file["config"]["min_count"] == 1


def test_rejected_pairs_are_listed_by_their_number(tmp_path: Path) -> None:
    pairs = [*OF_ARTICLES[:200], ("短", "标题"), *OF_ARTICLES[200:]]
    headline.prepare(pairs, tmp_path / "data", min_source_length=5)
    with (tmp_path / "data" / "rejects.csv").open(encoding="utf-8") as stream:
        (reject,) = csv.DictReader(stream)
    assert (reject["file"], reject["row"]) == ("pairs", "201")


def test_several_files_have_weights(tmp_path: Path) -> None:
    files = [
        write_pairs(tmp_path / f"{seed}.csv", bracket_pairs(100, seed=seed))
        for seed in (1, 2)
    ]
    weights = {str(files[1]): 0.5}
    found = headline.prepare(map(str, files), tmp_path / "data", weights=weights)
    assert [corpus["weight"] for corpus in found["corpora"]] == [1.0, 0.5]


JIEBA = """
import sys, headline
from tests.api.test_corpus_and_training import OF_ARTICLES
headline.prepare(OF_ARTICLES, sys.argv[1])
headline.load({model!r}).write(OF_ARTICLES[0][0])
assert "jieba" not in sys.modules
headline.prepare(OF_ARTICLES, sys.argv[1], tokenizer="word", overwrite=True)
assert "jieba" in sys.modules and "pkg_resources" not in sys.modules
"""


def test_only_words_load_jieba_and_nothing_warns(tmp_path: Path) -> None:
    code = JIEBA.format(model=str(TRAINED))
    command = [sys.executable, "-W", "always", "-c", code, str(tmp_path / "data")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("given", "settings", "error"),
    [
        ([], {}, "nothing to prepare: give a file"),
        ([("only one",)], {}, "pair 1 must be a tuple of two texts"),
        ([("article", None)], {}, "pair 1 must be a tuple of two texts"),
        (OF_ARTICLES, {"vocab": 3}, "unknown setting 'vocab'"),
        (
            OF_ARTICLES,
            {"weights": {"x.csv": 2}},
            "weights: 'x.csv' is not one of the files",
        ),
        ("x.csv", {"weights": {"x.csv": 0}}, "must be a number above 0"),
        ("data/x.csv", {"overwrite": True}, "data_dir"),
    ],
)
def test_what_cannot_be_prepared_is_refused(
    given: Any,
    settings: dict[str, Any],
    error: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(headline.HeadlineError, match=error):
        headline.prepare(given, "data", **settings)
    assert not (tmp_path / "data").exists()


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepared") / "data"
    headline.prepare(OF_ARTICLES, folder, valid_size=0.1, test_size=0.1)
    return folder


def test_a_training_in_a_thread_stops_on_a_wish_and_goes_on(
    data_dir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model_dir, rows, wish = tmp_path / "model", [], headline.Wish()
    ended: list[BaseException] = []

    def stop(row: Mapping[str, Any]) -> None:
        rows.append(row)
        wish.stop()

    def train() -> None:
        try:
            headline.train(data_dir, model_dir, on_epoch=stop, wish=wish, **SMALL)
        except headline.Interrupted as error:
            ended.append(error)

    with caplog.at_level(logging.INFO, "headline"):
        thread = Thread(target=train)
        thread.start()
        thread.join()
    assert len(ended) == len(rows) == 1
    assert "epoch 1" in caplog.text
    seen: list[float] = []
    scores = headline.train(
        data_dir,
        model_dir,
        resume=True,
        on_epoch=lambda row: seen.append(row["rouge_l"]),
        **SMALL,
    )
    assert len(seen) == 1
    assert round(scores.rouge_l, 2) in [rows[0]["rouge_l"], *seen]
    assert headline.load(model_dir).write(OF_ARTICLES[0][0]).error is None


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"preset": "huge"}, "preset must be"),
        ({"max_minute": 3}, "unknown setting 'max_minute'"),
        ({"vocab_size": 3}, "unknown setting 'vocab_size'"),
        ({"init_from": "no/model"}, "no/model"),
    ],
)
def test_a_wrong_training_is_refused(
    settings: dict[str, Any], error: str, data_dir: Path, tmp_path: Path
) -> None:
    with pytest.raises(headline.HeadlineError, match=error):
        headline.train(data_dir, tmp_path / "model", **settings)


def test_a_training_destroys_nothing_that_it_reads(data_dir: Path) -> None:
    with pytest.raises(headline.HeadlineError, match="model_dir"):
        headline.train(data_dir, data_dir, overwrite=True)
    with pytest.raises(headline.HeadlineError, match="init_from"):
        headline.train(data_dir, TRAINED, init_from=TRAINED, overwrite=True)
