"""``headline.load`` and what a ``Writer`` does, in threads and processes too."""

import math
import multiprocessing
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import headline
from headline.bundle import save_bundle
from headline.errors import ConfigError
from headline.generation.generator import Generator
from headline.generation.parallel import ParallelGenerator
from headline.system.blas import blas_threads, check_blas_threads
from tests.corpora import bracket_pairs
from tests.scripted import confident_bundle
from tests.trained import TRAINED

PAIRS = bracket_pairs(60, seed=2)
ARTICLES = [article for _, article in PAIRS]
TITLES = [title for title, _ in PAIRS]


@pytest.fixture(scope="module")
def writer() -> headline.Writer:
    return headline.load(TRAINED)


@pytest.fixture(scope="module")
def expected() -> list[str]:
    """What the generator writes by itself."""
    found = Generator.load(TRAINED).generate(ARTICLES)
    return [headlines[0].text for headlines in found]


def texts(found: Any) -> list[str]:
    return [one.text for one in found]


# --- one process ------------------------------------------------------------------


def test_one_text_gives_one_result_and_many_a_list(
    writer: headline.Writer, expected: list[str]
) -> None:
    one = writer.write(ARTICLES[0])
    assert isinstance(one, headline.Headline)
    assert (one.text, one.error) == (expected[0], None)
    assert texts(writer.write(iter(ARTICLES))) == expected
    assert writer.write([]) == []


def test_pipe_yields_what_write_returns(
    writer: headline.Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Generator, "window_size", 7)
    read: list[str] = []
    found = writer.pipe(read.append(text) or text for text in ARTICLES)  # type: ignore[func-returns-value]
    first = next(found)
    assert len(read) == 7
    assert [first, *found] == writer.write(ARTICLES)
    with pytest.raises(TypeError, match="many"):
        writer.pipe(ARTICLES[0])
    with pytest.raises(headline.ConfigError, match="max_lenght"):
        writer.pipe(ARTICLES, max_lenght=3)  # now, not at the first headline


def test_settings_are_for_all_or_for_one_article(writer: headline.Writer) -> None:
    own = {"text": ARTICLES[1], "options": {"max_length": 2}, "id": 7}
    plain = {"text": ARTICLES[1]}
    short, long = writer.write([own, plain])
    assert len(short.text) <= 2 < len(long.text)
    both = writer.write([ARTICLES[0], own], max_length=3)
    assert [len(one.text) for one in both] == [3, 2]
    (several,) = writer.write([ARTICLES[0]], num_headlines=3)
    assert len({several.text, *texts(several.others)}) == 3
    assert writer.write(ARTICLES[0]).others == ()


@pytest.mark.parametrize(
    ("article", "told"),
    [
        (None, "must be a text; got None"),
        (float("nan"), "must be a text; got nan"),
        ({"title": "……"}, "must be a text; got None"),
        ({"text": "……", "options": {"max_lenght": 2}}, "max_lenght"),
        ({"text": "……", "options": {"beam_size": 0}}, "beam_size must be"),
        ({"text": "……", "options": 3}, "options must be a mapping"),
        ({"text": "……", "options": {"max_length": 1, "prefix": "快讯"}}, "no room"),
    ],
)
def test_an_error_is_of_one_article_alone(
    writer: headline.Writer, expected: list[str], article: Any, told: str
) -> None:
    before, wrong, after = writer.write([ARTICLES[0], article, ARTICLES[1]])
    assert texts([before, after]) == expected[:2]
    assert wrong.text == "" and wrong.error is not None and told in wrong.error


def test_blank_options_of_pandas_set_nothing(writer: headline.Writer) -> None:
    options = {"max_length": 2.0, "prefix": float("nan"), "avoid": None}
    found = writer.write({"text": ARTICLES[0], "options": options})
    assert found.error is None and len(found.text) <= 2


@pytest.mark.parametrize(
    "settings",
    [{"shortlist": 0}, {"num_headlines": 0}, {"max_length": 1, "prefix": "快讯"}],
)
def test_a_wrong_setting_for_all_is_raised(
    writer: headline.Writer, settings: dict[str, Any]
) -> None:
    with pytest.raises(headline.ConfigError):
        writer.write(ARTICLES, **settings)


def test_samples_turn_off_the_consensus_of_a_model(writer: headline.Writer) -> None:
    assert writer.write(ARTICLES[0], sample=True, temperature=0.5).error is None


def test_score(writer: headline.Writer) -> None:
    found = writer.write(ARTICLES)
    scores = writer.score(ARTICLES, texts(found))
    assert scores == pytest.approx([one.score for one in found], abs=1e-4)
    assert writer.score(ARTICLES[0], found[0].text) == pytest.approx(
        scores[0], abs=1e-4
    )
    assert math.isnan(writer.score(" ", "标题"))
    with pytest.raises(ValueError, match="1 for 2"):
        writer.score(ARTICLES[:2], ["标题"])
    with pytest.raises(TypeError, match="one text"):
        writer.score(ARTICLES[0], ["标题"])


def test_explain(writer: headline.Writer) -> None:
    found = writer.write(ARTICLES[0])
    ours, given = (
        writer.explain(ARTICLES[0], one).headlines[0] for one in (found, found.text)
    )
    assert "".join(token.text for token in ours.tokens) == found.text
    assert given.score == pytest.approx(found.score, abs=1e-4)
    assert [token.copy_share for token in given.tokens] == pytest.approx(
        [token.copy_share for token in ours.tokens]
    )
    probabilities = [math.log(token.probability) for token in ours.tokens]
    assert sum(probabilities) == pytest.approx(found.score, abs=1e-4)
    assert writer.explain("", found.text).headlines == ()


def test_evaluate_takes_pairs_or_a_file(
    writer: headline.Writer, tmp_path: Path
) -> None:
    pairs = [(article, title) for title, article in PAIRS]
    found = headline.evaluate(writer, pairs)
    path = tmp_path / "test.csv"
    rows = [f"{article},{title}\n" for article, title in pairs]
    path.write_text("content,title\n" + "".join(rows), "utf-8")
    same = headline.evaluate(writer, path, source_column="content")
    assert found.scores == same.scores
    assert found.scores["model"].values["rouge_l"] > 80
    short = headline.evaluate(writer, [*pairs, ("", "x")], max_length=1)
    assert short.scores["model"].values["length"] == 1
    with pytest.raises(headline.CorpusError, match="pair 2"):
        headline.evaluate(writer, [pairs[0], ("only one",)])  # type: ignore[list-item]
    with pytest.raises(headline.CorpusError, match="no pair"):
        headline.evaluate(writer, [("", "x")])
    with pytest.raises(headline.ConfigError, match="encoding"):
        headline.evaluate(writer, pairs, encoding="utf-8")


# --- threads and processes --------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2])
def test_threads_share_a_writer(expected: list[str], workers: int) -> None:
    writer = headline.load(TRAINED, workers=workers)
    with ThreadPoolExecutor(4) as pool:
        found = list(
            pool.map(lambda at: writer.write(ARTICLES[at::4], batch_size=3), range(4))
        )
    for at, headlines in enumerate(found):
        assert texts(headlines) == expected[at::4]


def test_a_writer_pickles_as_its_folder(
    expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(TRAINED.parent)
    pickled = pickle.dumps(headline.load(TRAINED.name, workers=2))
    assert len(pickled) < 1000
    monkeypatch.chdir(tmp_path)
    again = pickle.loads(pickled)
    assert again.write(ARTICLES[0]).text == expected[0]
    assert pickle.dumps(again) == pickled


def test_spawned_processes_get_a_writer(
    writer: headline.Writer, expected: list[str]
) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert texts(pool.map(writer.write, ARTICLES[:4])) == expected[:4]


@pytest.mark.forks
@pytest.mark.parametrize("workers", [1, 2])
def test_forked_processes_get_a_writer(expected: list[str], workers: int) -> None:
    writer = headline.load(TRAINED, workers=workers)
    assert texts(writer.write(ARTICLES, batch_size=20)) == expected
    with multiprocessing.get_context("fork").Pool(2) as pool:
        found = pool.map(_written, [(writer, ARTICLES)] * 2)
    assert found == [expected, expected]
    assert texts(writer.write(ARTICLES, batch_size=20)) == expected


def _written(asked: tuple[headline.Writer, list[str]]) -> list[str]:
    writer, articles = asked
    return texts(writer.write(articles, batch_size=20))


WORKS = """
import os, sys
import headline
from tests.api.test_writer import ARTICLES, TRAINED, texts

writer = headline.load(TRAINED, workers=2)
asked = {0: ARTICLES[::-1], 1: ARTICLES}  # by whether it is the parent
wanted = {at: texts(writer.write(some, batch_size=9)) for at, some in asked.items()}
child = os.fork()
at = int(child != 0)
same = all(
    texts(writer.write(asked[at], batch_size=9)) == wanted[at] for _ in range(10)
)
if child == 0:
    os._exit(0 if same else 3)
assert same
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""


@pytest.mark.forks
def test_a_fork_uses_workers_of_its_own() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WORKS], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr


# --- threads of BLAS --------------------------------------------------------------


def blas() -> int:
    from headline.system.blas import _libraries

    return int(_libraries()[0].get_num_threads())


@pytest.fixture
def two_threads() -> Any:
    with blas_threads(2):
        if blas() != 2:
            pytest.skip("NumPy's BLAS has one thread here")
        yield


def test_a_call_limits_the_threads_of_blas(
    two_threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    generate = Generator.generate

    def watched(self: Generator, *args: Any) -> Any:
        seen.append(blas())
        return generate(self, *args)

    monkeypatch.setattr(Generator, "generate", watched)
    headline.load(TRAINED).write(ARTICLES[0])
    headline.load(TRAINED, threads=2).write(ARTICLES[0])
    assert (seen, blas()) == ([1, 2], 2)


class Telling(Generator):
    """Writes how many threads BLAS has, in the process that searches."""

    def generate(self, articles: Any, *args: Any, **more: Any) -> Any:
        return [[headline.Headline(str(blas()), 0.0)] for _ in articles]


@pytest.mark.forks
@pytest.mark.parametrize(("threads", "seen"), [(1, "1"), (None, "2")])
def test_worker_processes_have_the_limit_too(
    two_threads: None, threads: int | None, seen: str
) -> None:
    single = Telling.load(TRAINED, headline.DecodeConfig(batch_size=20))
    found = ParallelGenerator(single, 2, threads=threads).generate(ARTICLES)
    assert {headlines[0].text for headlines in found} == {seen}


def _in_a_fork() -> int:
    with blas_threads(1):
        return blas()


@pytest.mark.forks
def test_a_fork_forgets_the_limits_of_others(two_threads: None) -> None:
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply(_in_a_fork) == 1
        assert pool.apply(blas) == 2


def test_the_smallest_limit_holds_and_the_last_restores(two_threads: None) -> None:
    first, second = blas_threads(1), blas_threads(3)
    first.__enter__()
    second.__enter__()
    assert blas() == 1
    first.__exit__(None, None, None)
    assert blas() == 2
    second.__exit__(None, None, None)
    assert blas() == 2


@pytest.mark.parametrize("number", [0, -1, 1.5, True])
def test_threads_are_a_whole_number(number: Any) -> None:
    with pytest.raises(headline.ConfigError, match="threads must be 1 or more"):
        headline.load(TRAINED, threads=number)


def test_threads_without_effect_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headline.system.blas._libraries", list)
    check_blas_threads(1)
    with pytest.raises(headline.ConfigError, match="cannot be 2"):
        headline.load(TRAINED, threads=2)


def test_a_writer_tells_how_sure_it_is(tmp_path: Path) -> None:
    save_bundle(tmp_path / "m", confident_bundle(ARTICLES[0]))
    writer = headline.load(tmp_path / "m")
    plain = writer.write(ARTICLES[:8])
    sure = writer.write(ARTICLES[:8], with_confidence=True)
    assert texts(sure) == texts(plain) and all(one.confidence is None for one in plain)
    chances = [one.confidence or 0.0 for one in sure]
    least = sorted(chances)[4]
    found = writer.write(ARTICLES[:8], min_confidence=least)
    assert [one.confidence for one in found] == chances
    assert texts(found) == [
        one.text if chance >= least else ""
        for one, chance in zip(sure, chances, strict=True)
    ]
    several = writer.write(ARTICLES[0], num_headlines=2, with_confidence=True)
    assert several.others[0].confidence is not None
    evaluation = headline.evaluate(writer, PAIRS)
    assert evaluation.confidence is not None
    with pytest.raises(ConfigError, match="headline calibrate"):
        headline.load(TRAINED).write(ARTICLES[0], with_confidence=True)
