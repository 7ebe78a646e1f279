"""The sample corpus: what its generator promises about it."""

import csv
import re
from pathlib import Path

import pytest

from data.make_sample import DEFAULT_PAIRS, DEFAULT_SEED, write_sample
from data.sample.assemble import Pair, is_sound, make_pairs
from data.sample.fill import slots_in
from data.sample.kinds import Kind, load_kinds

DATA = Path(__file__).parents[1] / "data"
SAMPLE = DATA / "sample.csv"
KINDS = load_kinds()


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    with SAMPLE.open(encoding="utf-8", newline="") as file:
        return [Pair(row["title"], row["content"]) for row in csv.DictReader(file)]


def whole_runs(text: str) -> set[str]:
    """Numbers (with a percent sign) and Latin words, each as long as it gets."""
    return set(re.findall(r"[0-9.]+%?|[A-Za-z]+", text))


def test_generator_makes_the_very_file(tmp_path: Path) -> None:
    again = tmp_path / "again.csv"
    write_sample(again, DEFAULT_PAIRS, DEFAULT_SEED)
    assert again.read_bytes() == SAMPLE.read_bytes()


def test_file_has_its_header_and_plain_line_ends() -> None:
    written = SAMPLE.read_bytes()
    assert written.startswith(b"title,content\n")
    assert written.endswith(b"\n")
    assert b"\r" not in written


def test_there_are_enough_pairs_and_kinds(pairs: list[Pair]) -> None:
    assert len(pairs) >= 3000
    assert len({kind.name for kind in KINDS}) == len(KINDS) >= 60


def test_lengths_are_in_range(pairs: list[Pair]) -> None:
    assert all(60 <= len(pair.content) <= 400 for pair in pairs)
    assert all(8 <= len(pair.title) <= 28 for pair in pairs)


def test_nothing_comes_twice(pairs: list[Pair]) -> None:
    assert len(set(pairs)) == len(pairs)
    assert len({pair.content for pair in pairs}) == len(pairs)
    assert len({pair.title for pair in pairs}) > 0.99 * len(pairs)


def test_runs_of_a_headline_are_whole_runs_of_its_article(pairs: list[Pair]) -> None:
    for pair in pairs:
        assert whole_runs(pair.title) <= whole_runs(pair.content), pair


def test_no_headline_is_copied_from_the_article(pairs: list[Pair]) -> None:
    for pair in pairs:
        first = re.split("[。！？]", pair.content)[0]
        assert pair.title != first
        assert not pair.content.startswith(pair.title)
        assert "".join(pair.title.split()) not in pair.content, pair


def test_every_slot_is_filled(pairs: list[Pair]) -> None:
    for pair in pairs:
        assert not set("{}[]|@") & set(pair.title + pair.content), pair


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_slots_of_a_headline_are_in_its_key_sentences(kind: Kind) -> None:
    for variant in kind.variants:
        told = set().union(*map(slots_in, variant.key))
        assert slots_in(variant.title) <= told, variant.title


def test_another_seed_gives_other_pairs() -> None:
    first, again, other = (set(make_pairs(200, seed)) for seed in (1, 1, 2))
    assert first == again
    assert not first & other


def test_unsound_pairs_are_refused() -> None:
    article = "某地15日开通地铁，全长3.5公里。" + "市民纷纷前来乘坐。" * 6
    assert is_sound(Pair("某地开通地铁 长3.5公里", article))
    assert not is_sound(Pair("某地开通地铁 长3公里", article))
    assert not is_sound(Pair("某地15日开通地铁", article))
    assert not is_sound(Pair("开通地铁", article))
    assert not is_sound(Pair("某地开通地铁 长3.5公里", article[:40]))


def test_demo_articles_are_short_and_not_in_the_sample(pairs: list[Pair]) -> None:
    contents = {pair.content for pair in pairs}
    articles = sorted((DATA / "articles").glob("*.txt"))
    assert len(articles) == 5
    for path in articles:
        article = path.read_text(encoding="utf-8").strip()
        assert 80 <= len(article) <= 250, path.name
        assert article not in contents
