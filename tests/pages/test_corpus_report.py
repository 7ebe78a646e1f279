"""The report of a corpus: true to its numbers, self-contained, safe with any text."""

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import headline
from headline.data.corpus import Pair
from headline.data.prepare import Job, prepare
from headline.data.profile import Drawn, Profile, found_share
from headline.formats.tables import CorpusFormat
from headline.pages.corpus_advice import advice
from headline.pages.corpus_report import (
    change,
    differences,
    histogram,
    marked,
    render,
)
from headline.settings.clean import CleanConfig
from headline.settings.prepare import PrepareConfig
from tests.data import dirt
from tests.markup import Tags, parse

HOSTILE = "<script>alert('&\"')</script>{{ 7 * 7 }}"


def dirty(count: int = 1200) -> list[Pair]:
    """Pairs of the sample corpus with every kind of dirt."""
    rng, pairs = Random(3), []
    kinds = (dirt.with_affix, dirt.with_title, dirt.with_dateline, dirt.with_closing)
    for number, pair in enumerate(dirt.sample_pairs(count)):
        pairs.append(kinds[number % 5](pair, rng) if number % 5 < 4 else pair)
        if number % 20 == 0:
            pairs.append(dirt.reprinted(pair, rng))
        if number % 100 == 0:
            pairs.append(Pair(pair.source + "。", "云岭在线新媒体平台"))
    return [*pairs, Pair("短", "标题")]


def written(path: Path, pairs: Sequence[Pair]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["title", "content"])
        writer.writerows((target, source) for source, target in pairs)
    return path


def profile_of(folder: Path, pairs: Sequence[Pair], **cleaning: Any) -> Profile:
    kept: list[Profile] = []

    def page(profile: Profile) -> str:
        kept.append(profile)
        return ""

    job = Job(
        files=[written(folder / "news.csv", pairs)],
        data_dir=folder / "data",
        format=CorpusFormat(),
        config=PrepareConfig(min_count=2, test_size=0.1, valid_size=0.1),
        cleaning=CleanConfig(**cleaning),
        page=page,
        dry_run=True,
    )
    prepare(job)
    return kept[0]


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Profile:
    return profile_of(tmp_path_factory.mktemp("dirty"), dirty())


@pytest.fixture(scope="module")
def tags(profile: Profile) -> Tags:
    return parse(render(profile))


def test_page_is_well_formed_and_needs_nothing_from_elsewhere(
    profile: Profile, tags: Tags
) -> None:
    assert {"svg", "table", "style", "del", "code"} <= tags.seen
    assert "script" not in tags.seen and not tags.links
    page = render(profile)
    assert "url(" not in page and "@import" not in page


def test_page_begins_with_the_counts(profile: Profile, tags: Tags) -> None:
    counts = profile.summary["counts"]
    pairs = sum(counts[split] for split in ("train", "valid", "test"))
    assert f"{pairs:,} pairs from {counts['rows']:,} rows" in tags.text
    assert f"rejected{counts['rejected']:,}" in tags.text


def test_every_kind_of_dirt_is_shown_with_its_count(
    profile: Profile, tags: Tags
) -> None:
    found = profile.summary["cleaning"]
    for title, total in (
        ("Affixes of headlines", sum(one["pairs"] for one in found["affixes"])),
        ("Title lines", found["titles"]["pairs"]),
        ("Datelines", sum(one["pairs"] for one in found["openings"])),
        ("Closing lines", sum(one["pairs"] for one in found["closings"])),
    ):
        assert total and f"{title} {total:,} removed" in tags.text
    for rule in found["affixes"]:
        assert f"{rule['text']}{rule['pairs']:,}" in tags.text
    (repeated,) = found["repeated_headlines"]
    assert f"{repeated['headline']}{repeated['articles']}" in tags.text
    twins = found["near_duplicates"]
    assert twins["test"] and f"so {twins['test']} test articles" in tags.text


def test_every_reason_has_its_row_and_its_examples(
    profile: Profile, tags: Tags
) -> None:
    rejects = profile.summary["rejects"]
    assert {"article too short", "near-duplicate"} <= set(rejects)
    for reason, examples in profile.rejects.items():
        if examples:
            assert f"{reason}{rejects[reason]:,}" in tags.text
            assert f"row {examples[0].row}{examples[0].excerpt}" in tags.text


def test_a_corpus_without_cleaning_says_so(tmp_path: Path) -> None:
    text = parse(render(profile_of(tmp_path, dirty(300), clean=False))).text
    assert "Off: the texts are as they were" in text
    assert "Removed from the texts" not in text and "Cleaning was off" in text


def test_a_dry_run_is_named_and_leads_to_the_dataset(profile: Profile) -> None:
    dry, real = render(profile), render(replace(profile, dry_run=False))
    assert "no dataset" in dry and "no dataset" not in real
    assert "headline train DATA_DIR" in real and "headline train" not in dry
    assert "--dry-run" in dry and "--overwrite" in real


def test_texts_are_shown_and_never_become_tags(profile: Profile) -> None:
    summary = _poisoned(profile.summary)
    rejects = {
        reason: [replace(one, excerpt=HOSTILE) for one in some]
        for reason, some in profile.rejects.items()
    }
    page = render(
        replace(
            profile,
            summary=summary,
            rejects=rejects,
            sample=[Drawn(HOSTILE, HOSTILE, HOSTILE)],
        )
    )
    tags = parse(page)
    assert "script" not in tags.seen
    assert tags.text.count(HOSTILE) > 20
    assert "{{ 7 * 7 }}" in tags.text and "49" not in page.split(HOSTILE)[0][-9:]


def _poisoned(value: Any, key: str = "") -> Any:
    """Replaces every text of a corpus in data.json."""
    if isinstance(value, dict):
        return {name: _poisoned(one, name) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_poisoned(one, key) for one in value]
    own = {"text", "rule", "examples", "headline", "file", "why", "kept", "dropped"}
    return HOSTILE if key in own and isinstance(value, str) else value


def test_hostile_rows_make_a_safe_page(tmp_path: Path) -> None:
    pairs = [
        Pair(f"{pair.source}{HOSTILE}", f"{pair.target}&lt;b&gt;\x00\u202e{number}")
        for number, pair in enumerate(dirt.sample_pairs(200))
    ]
    tags = parse(render(profile_of(tmp_path, pairs)))
    assert "script" not in tags.seen
    assert set(tags.seen) <= {
        *("html", "head", "meta", "title", "style", "body", "header", "p", "h1", "dl"),
        *("div", "dt", "dd", "h2", "h3", "figure", "figcaption", "svg", "g", "line"),
        *("text", "rect", "tspan", "table", "tr", "th", "td", "span", "b", "del"),
        *("ul", "li", "code"),
    }


def test_the_same_corpus_gives_the_same_bytes_for_any_number_of_workers(
    tmp_path: Path,
) -> None:
    corpus = written(tmp_path / "news.csv", dirty() * 3)
    for workers in (1, 2, 3):
        headline.prepare(corpus, tmp_path / f"{workers}", workers=workers)
    pages = {(tmp_path / f"{n}" / "report.html").read_bytes() for n in (1, 2, 3)}
    assert len(pages) == 1


# --- parts ----------------------------------------------------------------------------


def test_lengths_are_grouped_and_the_tail_is_one_bar() -> None:
    assert histogram({3: 5, 5: 2, 4: 0}) == (["3", "4", "5"], [5, 0, 2])
    labels, counts = histogram(Counter({n: 100 for n in range(1, 101)} | {9000: 7}))
    assert labels[0] == "1–4" and labels[-1] == "97+"
    assert sum(counts) == 10007 and counts[-1] == 407


@given(st.dictionaries(st.integers(1, 5000), st.integers(0, 500)))
def test_no_text_is_lost_in_a_histogram(lengths: dict[int, int]) -> None:
    lengths = lengths | {7: 1}
    labels, counts = histogram(lengths)
    assert sum(counts) == sum(lengths.values())
    assert len(labels) == len(counts) <= 25


@given(st.text(), st.text(min_size=1, max_size=20), st.booleans())
def test_a_change_shows_what_was_removed(kept: str, gone: str, at_end: bool) -> None:
    before = kept + gone if at_end else gone + kept
    shown = change(before, kept, at_end)
    removed = shown.end if at_end else shown.start
    assert not (shown.start if at_end else shown.end)
    if at_end:
        assert before == kept + removed
    else:
        # What went may also be read as shorter, as in "ab" + "abc".
        assert gone.startswith(removed) and kept.startswith(before[len(removed) :])


def test_a_change_of_texts_that_are_cut() -> None:
    assert change("本报讯 今天开", "今天开幕的", False) == ("本报讯 ", "今天开幕的", "")
    assert change("闭幕。编辑：赵", "今天闭幕。", True) == (
        "",
        "今天闭幕。",
        "编辑：赵",
    )
    assert change("一二三", "四五", False) == ("一二三", "四五", "")


def test_what_differs_is_told() -> None:
    parts = differences("今天（5月3日）开幕", "今天（55月3日）开幕")
    assert "".join(text for text, _ in parts) == "今天（55月3日）开幕"
    assert [text for text, same in parts if not same] == ["5"]


def test_what_the_article_has_is_marked() -> None:
    pair = Drawn("train", "央行今天下调利率", "央行：下调存款利率")
    assert marked(pair).parts == [("央行：下调", True), ("存款", False), ("利率", True)]
    assert found_share(pair) == 6 / 8
    assert found_share(Drawn("train", "文", "！？")) == 1


@pytest.mark.parametrize(
    ("change_of", "flag"),
    [
        ({"counts": {"articles_cut": 2000}}, "--max-source-length 800"),
        ({"rejects": {"headline too long": 900}}, "--max-target-length 96"),
        ({"rejects": {"unreadable row": 900}}, "cannot be read"),
        ({"counts": {"test": 199}}, "--test-size"),
        ({"counts": {"train": 4999}}, "--unpaired"),
    ],
)
def test_advice_follows_the_counts(
    profile: Profile, change_of: dict[str, dict[str, int]], flag: str
) -> None:
    fine = {"articles_cut": 0, "train": 9000, "test": 900, "rows": 9900}
    summary = {**profile.summary, "rejects": {}}
    summary["counts"] = {**summary["counts"], **fine}
    assert flag not in told(replace(profile, summary=summary))
    for part, values in change_of.items():
        summary[part] = {**summary[part], **values}
    assert flag in told(replace(profile, summary=summary))


def test_advice_follows_the_texts(profile: Profile) -> None:
    fine = replace(profile, rare={})
    assert "OpenCC" not in told(fine) and "--vocab-size" not in told(fine)
    assert "OpenCC" in told(fine, traditional=50)
    assert "OpenCC" not in told(fine, simplified=0, traditional=50)
    assert "--vocab-size" in told(replace(profile, rare=profile.characters))
    assert "columns" in told(fine, found_share=0.3) and "columns" not in told(fine)


def told(profile: Profile, found_share: float = 0.9, **scripts: int) -> str:
    found = advice(profile, found_share, {"simplified": 1000, **scripts})
    return " ".join(f"{one.text} {one.command}" for one in found)


def test_a_command_quotes_what_a_shell_would_read(profile: Profile) -> None:
    affix = {"text": "'; rm -rf ~ #", "pairs": 9, "end": "end", "examples": []}
    cleaning = {**profile.summary["cleaning"], "affixes": [affix]}
    summary = {**profile.summary, "cleaning": cleaning}
    commands = told(replace(profile, summary=summary))
    assert """--keep-affix ''"'"'; rm -rf ~ #'""" in commands
