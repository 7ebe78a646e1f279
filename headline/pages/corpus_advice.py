"""What to do after looking at the report of a corpus."""

from collections.abc import Iterator, Mapping, Sequence
from shlex import quote
from typing import NamedTuple

from headline.data.cleaning import Reason
from headline.data.profile import Profile
from headline.data.store import CLEANING, SPLITS

AGAIN = "headline prepare FILES -o DATA_DIR --overwrite"
TRY = "headline prepare FILES -o DATA_DIR --dry-run"

FEW_PAIRS = 5000  # to train on
FEW_TESTED = 200  # articles, with which ROUGE-L is right to about two points
MUCH_CUT, MUCH_RARE = 0.1, 0.01  # shares of the articles and of the characters
TOO_LONG, UNREADABLE = 0.01, 0.001  # shares of the rows
LITTLE_FOUND = 0.6  # of the headlines in the articles
SCRIPT = 0.02  # share of the pairs in the rarer script


class Advice(NamedTuple):
    """Something to do: why, and the command."""

    text: str
    command: str = ""


def advice(
    profile: Profile, found_share: float, scripts: Mapping[str, int]
) -> Sequence[Advice]:
    """Returns what this corpus suggests, and the next commands.

    Args:
        found_share: the mean share of the headlines' characters that articles have.
        scripts: the pairs of the sample by script.
    """
    again = TRY if profile.dry_run else AGAIN
    return [
        *_on_rows(profile, again),
        *_on_cleaning(profile, again),
        *_on_texts(profile, again, found_share, scripts),
        *_next(profile),
    ]


def _on_rows(profile: Profile, again: str) -> Iterator[Advice]:
    summary = profile.summary
    counts, rejects, config = summary["counts"], summary["rejects"], summary["config"]
    if rejects.get(Reason.UNREADABLE, 0) > UNREADABLE * counts["rows"]:
        yield Advice(
            "Some rows cannot be read. Look at the examples above: a quote or a"
            " delimiter may be wrong, or the encoding."
        )
    if rejects.get(Reason.LONG_TARGET, 0) > TOO_LONG * counts["rows"]:
        longer = 2 * config["max_target_length"]
        yield Advice(
            "Many headlines are too long. If they are real headlines, allow"
            " longer ones.",
            f"{again} --max-target-length {longer}",
        )
    if counts["articles_cut"] > MUCH_CUT * sum(counts[split] for split in SPLITS):
        longer = 2 * config["max_source_length"]
        yield Advice(
            "Many articles are cut. If the news is not at their beginning, let"
            " the model read more; training takes longer then.",
            f"{again} --max-source-length {longer}",
        )
    if counts["train"] < FEW_PAIRS:
        yield Advice(
            f"{counts['train']:,} pairs are few to train on. Articles without"
            " headlines help.",
            f"{again} --unpaired ARCHIVE",
        )
    if counts["test"] < FEW_TESTED:
        yield Advice(
            "The test split is small, so scores will be rough. Hold out more.",
            f"{again} --test-size 0.1",
        )


def _on_cleaning(profile: Profile, again: str) -> Iterator[Advice]:
    found, rejects = profile.summary.get(CLEANING), profile.summary["rejects"]
    if found is None:
        yield Advice(
            "Cleaning was off. Let it look for names of sites, datelines and"
            " near-duplicates.",
            again,
        )
        return
    for one in found["affixes"][:1]:
        yield Advice(
            "If a text was removed that belongs to the headlines, keep it.",
            f"{again} --keep-affix {quote(one['text'])}",
        )
    for one in found["kept_affixes"][:1]:
        yield Advice(
            "If a text that stayed is only a label, remove it.",
            f"{again} --strip-affix {quote(one['text'])}",
        )
    if found["repeated_headlines"]:
        yield Advice(
            "If the repeated headlines are real, such as those of a series,"
            " allow them.",
            f"{again} --max-repeats 0",
        )
    if rejects.get(Reason.UNRELATED):
        least = found["config"]["min_overlap"]
        yield Advice(
            "If headlines that fit their articles were rejected as unlike, ask"
            " for less in common.",
            f"{again} --min-overlap {least / 2:g}",
        )


def _on_texts(
    profile: Profile, again: str, found_share: float, scripts: Mapping[str, int]
) -> Iterator[Advice]:
    both = scripts.get("simplified", 0), scripts.get("traditional", 0)
    other = min(both) + scripts.get("mixed", 0)
    if other > SCRIPT * sum(scripts.values()):
        yield Advice(
            "The corpus mixes simplified and traditional Chinese. A model learns"
            " better from one of them: convert the files first, for example"
            " with OpenCC."
        )
    if sum(profile.rare.values()) > MUCH_RARE * sum(profile.characters.values()):
        larger = 2 * profile.summary["config"]["vocab_size"]
        yield Advice(
            "Many characters can only be copied from the article. A larger"
            " vocabulary lets the model write them.",
            f"{again} --vocab-size {larger}",
        )
    if found_share < LITTLE_FOUND:
        yield Advice(
            "The articles have few of the headlines' characters. Check that the"
            " columns of articles and headlines are the right ones."
        )


def _next(profile: Profile) -> Iterator[Advice]:
    if profile.dry_run:
        yield Advice(
            "If the examples look right, write the dataset, with the same options.",
            "headline prepare FILES -o DATA_DIR",
        )
        return
    yield Advice(
        "Train a model on this dataset.", "headline train DATA_DIR -m MODEL_DIR"
    )
    yield Advice(
        "Then score it on the held-out articles.",
        "headline evaluate MODEL_DIR DATA_DIR/test.csv",
    )
