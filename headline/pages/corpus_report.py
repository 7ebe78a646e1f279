"""``report.html`` of a dataset: what is in a corpus and what was removed from it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from itertools import groupby, islice
from statistics import fmean
from typing import Any, NamedTuple

from headline.data.cleaning import Reason, Reject
from headline.data.profile import Drawn, Profile
from headline.data.report import PERCENTILES
from headline.data.store import CLEANING, REPORT_TITLE, SIDES, SPLITS, UNPAIRED
from headline.pages.chart import Picture, bar_chart
from headline.pages.corpus_advice import Advice, advice
from headline.pages.rendering import fill
from headline.text.scripts import SIMPLIFIED, TRADITIONAL, total

MOST_BARS = 25  # in a chart of lengths
LISTED = 30  # rows of a table
EXAMPLES = 3  # of each reason and each rule
AROUND = 30  # characters shown beside what was removed
SHOWN_CHARACTERS = 60
TENTHS = [f"{tenth * 10}-{tenth * 10 + 9}" for tenth in range(10)] + ["100"]
FOUND = {"all of them": 1.0, "at least 80 %": 0.8, "at least half": 0.5}
LONG_TAIL = 0.01  # share of the pairs that the last bar may hold together
NAMES = dict(zip(SIDES, ("Articles", "Headlines"), strict=True))


class Change(NamedTuple):
    """A text before and after cleaning: what went from its start or its end."""

    start: str
    kept: str
    end: str


@dataclass(frozen=True)
class Rule:
    """A text or a form of texts that was removed, with examples."""

    text: str
    pairs: str
    changes: Sequence[Change]


@dataclass(frozen=True)
class Removed:
    """The removals of one kind."""

    title: str
    note: str
    pairs: str
    rules: Sequence[Rule]
    more: int  # rules that are not shown


@dataclass(frozen=True)
class RejectedRows:
    """A reason to reject rows, with examples."""

    name: str
    rows: str
    share: str
    examples: Sequence[Reject]


@dataclass(frozen=True)
class Twin:
    """Two articles that are almost the same; each text in parts, equal or not."""

    headline: str
    article: str
    dropped_headline: Sequence[tuple[str, bool]]
    dropped_article: Sequence[tuple[str, bool]]


@dataclass(frozen=True, kw_only=True)
class Cleaning:
    """What cleaning has found."""

    removed: Sequence[Removed]
    kept_affixes: Sequence[tuple[str, str, str]]  # text, sampled headlines, why
    sampled: str
    repeated: Sequence[tuple[str, str]]  # headline, articles
    repeated_more: int
    twins: Mapping[str, str]  # those left out, by split
    examples: Sequence[Twin]


@dataclass(frozen=True)
class Marked:
    """A pair of the sample; the headline in parts that its article has or lacks."""

    split: str
    source: str
    parts: Sequence[tuple[str, bool]]


@dataclass(frozen=True, kw_only=True)
class View:
    """The content of the page; numbers are formatted texts."""

    title: str
    dry_run: bool
    files: Sequence[str]
    rows: str
    pairs: str
    figures: Mapping[str, str]
    lengths: Sequence[Picture]
    percentiles: Mapping[str, Sequence[str]]
    shares: Sequence[int]  # of the percentiles
    cut: str
    longest: str
    reasons: Sequence[RejectedRows]
    cleaning: Cleaning | None
    characters: Sequence[tuple[str, str]]
    distinct: str
    rare: Sequence[tuple[str, str]]
    rare_kinds: str
    rare_share: str
    sampled: str
    found: Picture
    found_mean: str
    found_by: Mapping[str, str]  # shares of headlines, by what is found
    scripts: Sequence[tuple[str, str]]
    traditional: str
    pairs_shown: Sequence[Marked]
    advice: Sequence[Advice] = field(default_factory=tuple)


def render(profile: Profile) -> str:
    """Returns the report of a corpus as a complete HTML page."""
    return fill("corpus_report.html", report=_view(profile))


def _view(profile: Profile) -> View:
    summary, counts = profile.summary, profile.summary["counts"]
    shares = [one.found for one in profile.measured]
    scripts = Counter(one.script for one in profile.measured)
    return View(
        title=REPORT_TITLE,
        dry_run=profile.dry_run,
        files=[
            *(one["file"] for one in summary["corpora"]),
            *summary.get(UNPAIRED, {}),
        ],
        rows=_count(counts["rows"]),
        pairs=_count(sum(counts[split] for split in SPLITS)),
        figures=_figures(counts),
        lengths=[_lengths_chart(NAMES[side], profile.lengths[side]) for side in SIDES],
        percentiles={
            NAMES[side]: [*map(_count, summary["lengths"][side].values())]
            for side in SIDES
        },
        shares=PERCENTILES,
        cut=_count(counts["articles_cut"]),
        longest=_count(summary["config"]["max_source_length"]),
        reasons=_reasons(profile),
        cleaning=_cleaning(summary.get(CLEANING)),
        sampled=_count(len(profile.measured)),
        found=_found_chart(shares),
        found_mean=f"{100 * fmean(shares):.0f} %",
        found_by=_found_by(shares),
        scripts=[(name, _percent(n, scripts.total())) for name, n in scripts.items()],
        pairs_shown=[*map(marked, profile.sample)],
        advice=advice(profile, fmean(shares), scripts),
        **_characters(profile),
    )


def _count(number: int) -> str:
    return f"{number:,}"


def _percent(part: float, whole: float) -> str:
    share = 100 * part / whole if whole else 0.0
    return f"{share:.1f} %" if share >= 0.05 or not part else "under 0.1 %"


def _figures(counts: Mapping[str, int]) -> dict[str, str]:
    names = {name: name for name in (*SPLITS, "rejected")}
    names |= {UNPAIRED: "pseudo-pairs", "articles_cut": "articles cut"}
    names |= {"tokens": "tokens in the vocab"}
    return {
        text: _count(counts[name]) for name, text in names.items() if name in counts
    }


# --- lengths --------------------------------------------------------------------------


def _lengths_chart(name: str, lengths: Mapping[int, int]) -> Picture:
    labels, counts = histogram(lengths)
    title = f"{name} by length in characters"
    return bar_chart(title, labels, {name.lower(): counts}, "characters")


def histogram(lengths: Mapping[int, int]) -> tuple[list[str], list[float]]:
    """Groups counted lengths into bars; the last one holds a long tail.

    Args:
        lengths: the number of texts of each length.

    Returns:
        labels such as ``12``, ``12–13`` or ``500+``, and a count for each.
    """
    counted = {length: n for length, n in sorted(lengths.items()) if n > 0}
    low, last, high = min(counted), max(counted), max(counted)
    tail = LONG_TAIL * sum(counted.values())
    for last in reversed(counted):
        tail -= counted[last]
        if tail < 0:
            break
    width = max(1, -(-(last - low + 1) // MOST_BARS))
    starts = range(low, last + 1, width)
    counts = [0.0] * len(starts)
    for length, n in counted.items():
        counts[min((length - low) // width, len(starts) - 1)] += n
    labels = [f"{one}–{one + width - 1}" if width > 1 else f"{one}" for one in starts]
    if high >= starts[-1] + width:
        labels[-1] = f"{starts[-1]}+"
    return labels, counts


# --- rejects and removals -------------------------------------------------------------


def _reasons(profile: Profile) -> list[RejectedRows]:
    rows = profile.summary["counts"]["rows"]
    found = sorted(profile.summary["rejects"].items(), key=lambda item: -item[1])
    return [
        RejectedRows(
            name,
            _count(n),
            _percent(n, rows),
            profile.rejects.get(Reason(name), ())[:EXAMPLES],
        )
        for name, n in found
    ]


def _cleaning(found: Mapping[str, Any] | None) -> Cleaning | None:
    if found is None:
        return None
    twins, repeated = found["near_duplicates"], found["repeated_headlines"]
    return Cleaning(
        removed=[*_removed(found)],
        kept_affixes=[
            (one["text"], _count(one["sampled"]), one["why"])
            for one in found["kept_affixes"][:LISTED]
        ],
        sampled=_count(found["sampled"]),
        repeated=[
            (one["headline"], _count(one["articles"])) for one in repeated[:LISTED]
        ],
        repeated_more=max(0, len(repeated) - LISTED),
        twins={split: _count(twins[split]) for split in SPLITS},
        examples=[_twin(one["kept"], one["dropped"]) for one in twins["examples"]],
    )


def _twin(kept: Sequence[str], dropped: Sequence[str]) -> Twin:
    headline, article = map(differences, kept, dropped)
    return Twin(kept[0], kept[1], headline, article)


def differences(text: str, other: str) -> list[tuple[str, bool]]:
    """Divides the other text into parts that are the same in the text, and others."""
    steps = SequenceMatcher(None, text, other, autojunk=False).get_opcodes()
    return [(other[begin:end], kind == "equal") for kind, *_, begin, end in steps]


def _removed(found: Mapping[str, Any]) -> Iterable[Removed]:
    """Yields the kinds of removals of which there are any."""
    titles = {"text": "the headline as the first line", **found["titles"]}
    kinds = (
        ("Affixes of headlines", "names of sites, columns and tags", "affixes"),
        ("Title lines", "the article began with its own headline", "titles"),
        ("Datelines", "how articles begin", "openings"),
        ("Closing lines", "how articles end", "closings"),
    )
    for title, note, key in kinds:
        rules = [titles] * bool(titles["pairs"]) if key == "titles" else found[key]
        ordered = sorted(rules, key=lambda rule: -rule["pairs"])
        if ordered:
            yield Removed(
                title,
                note,
                _count(sum(rule["pairs"] for rule in ordered)),
                [_rule(rule, key) for rule in ordered[:LISTED]],
                max(0, len(ordered) - LISTED),
            )


def _rule(rule: Mapping[str, Any], key: str) -> Rule:
    at_end = key == "closings" or rule.get("end") == "end"
    examples = rule["examples"][:EXAMPLES]
    changes = [change(before, after, at_end) for before, after in examples]
    return Rule(rule.get("text") or rule["rule"], _count(rule["pairs"]), changes)


def change(before: str, after: str, at_end: bool) -> Change:
    """Finds what was removed from one end of a text.

    Both texts may be cut at the other end. Of what stays, only a part is shown.
    """
    if at_end:
        ends = range(len(before), -1, -1)
        end = next(n for n in ends if after.endswith(before[:n]))
        beginning = "…" if len(after) > AROUND else ""
        return Change("", beginning + after[-AROUND:], before[end:])
    first = next(n for n in range(len(before) + 1) if after.startswith(before[n:]))
    rest = "…" if len(after) > AROUND else ""
    return Change(before[:first], after[:AROUND] + rest, "")


# --- characters -----------------------------------------------------------------------


def _characters(profile: Profile) -> dict[str, Any]:
    known, rare = profile.characters, profile.rare
    traditional = total(known, TRADITIONAL)
    return {
        "characters": _first(known),
        "distinct": _count(len(known)),
        "rare": _first(rare),
        "rare_kinds": _count(len(rare)),
        "rare_share": _percent(sum(rare.values()), sum(known.values())),
        "traditional": _percent(traditional, traditional + total(known, SIMPLIFIED)),
    }


def _first(counts: Mapping[str, int]) -> list[tuple[str, str]]:
    """Returns the first characters with their counts; some cannot be seen as such."""
    return [
        (one if one.isprintable() and one != " " else f"U+{ord(one):04X}", _count(n))
        for one, n in islice(counts.items(), SHOWN_CHARACTERS)
    ]


# --- the sample -----------------------------------------------------------------------


def _found_by(shares: Sequence[float]) -> dict[str, str]:
    return {
        text: _percent(sum(least <= share for share in shares), len(shares))
        for text, least in FOUND.items()
    }


def _found_chart(shares: Sequence[float]) -> Picture:
    counts = [0.0] * len(TENTHS)
    for share in shares:
        counts[int(share * 10)] += 1
    title = "Headlines by the share of their characters in the article, %"
    return bar_chart(title, TENTHS, {"headlines": counts}, "%")


def marked(pair: Drawn) -> Marked:
    """Divides the headline into parts that its article has and parts that it lacks."""
    known = set(pair.source)
    parts = groupby(pair.target, key=lambda one: one in known or not one.isalnum())
    texts = [("".join(part), found) for found, part in parts]
    return Marked(pair.split, pair.source, texts)
