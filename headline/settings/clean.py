"""Settings of ``headline prepare`` that find and remove what dirties a corpus."""

from dataclasses import dataclass

from headline.settings.base import SHARE, Config, Range, Words, setting

_CLEANING = "Cleaning"


@dataclass(frozen=True, kw_only=True)
class CleanConfig(Config):
    """What is removed from a corpus."""

    section = "clean"

    clean: bool = setting(
        True,
        "Find and remove what dirties a corpus: headlines that belong to no article,"
        " names of sites in headlines, datelines, closing lines and near-duplicates.",
        group=_CLEANING,
        level="basic",
    )
    # 3 costs 16 of the 34,754 pairs of a corpus of TV news, and none of another.
    max_repeats: int = setting(
        3,
        "Reject a headline that more than this many different articles share"
        " (0: allow any number).",
        group=_CLEANING,
        unit="articles",
        range=Range(low=1, also=0),
    )
    # 0.1 costs at most 0.07% of the pairs of clean news; data/README.md has others.
    min_overlap: float = setting(
        0.1,
        "Reject a headline if the article has a smaller share of its characters; rare"
        " characters count more (0: allow any share).",
        group=_CLEANING,
        unit="share",
        range=SHARE,
    )
    strip_affix: Words = setting(
        (),
        "Remove this text from either end of every headline. Repeatable.",
        group=_CLEANING,
        unit="text",
    )
    keep_affix: Words = setting(
        (),
        "Keep this text at the ends of headlines, even if it looks like the name of a"
        " site. Repeatable.",
        group=_CLEANING,
        unit="text",
    )
    keep_near_duplicates: bool = setting(
        False,
        "Keep articles in the train split that are almost the same as others there."
        " They are never kept in two splits.",
        group=_CLEANING,
    )
