"""What a part gives once it is known which of its pairs stay."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headline.data.cleaner import Hit
from headline.data.cleaning import Reason, Reject, rejects
from headline.data.cleaning_pass import cleaned_pair
from headline.data.corpus import Pair
from headline.data.findings import Findings, Rejected, wanted_texts
from headline.data.parts.blocks import (
    Array,
    Block,
    BlockFile,
    packed,
    unpacked,
    write_blocks,
)
from headline.data.parts.comparing import choice_of, duplicates_within
from headline.data.parts.counting import NO_PAIR, reject_values
from headline.data.parts.folder import COUNT, TALLY, Work
from headline.data.parts.plan import Part, read_part
from headline.data.pieces import COUNTED
from headline.data.selection import ALL_SPLITS, REASONS, STAYS
from headline.data.store import SIDES, SPLITS, UNPAIRED, rows_as_csv
from headline.formats.records import Rows
from headline.text.ids import Ragged

Mask = NDArray[np.bool_]


def tally_part(work: Work, task: int) -> None:
    """Counts the pairs of a part that stay, and writes its rejects and texts."""
    part = work.plan.parts[task]
    fates = Fates.of(work, part)
    found = BlockFile(work.path(COUNT, task))
    kept = fates.kept(found.whole("split"))
    again = _Again(work, part, fates, found)
    all_rejects = again.rejects()
    rejected = Rejected()
    for one in all_rejects:
        rejected.add(one)
    columns = {
        "kept": kept,
        "rejects": rows_as_csv([one.file, *reject_values(one)] for one in all_rejects),
        **_texts(found, kept),
        **_lengths(found, kept),
        "pieces": packed(_pieces(found, kept).items()),
    }
    about = _about(work, found, kept)
    about |= {
        "reasons": Counter(one.reason.value for one in all_rejects),
        "rejected": [
            reject_values(one) for some in rejected.examples.values() for one in some
        ],
        "shown": [(entry, *pair) for entry, pair in again.shown()],
        **_findings(found, fates),
    }
    write_blocks(work.path(TALLY, task), columns, about)


@dataclass(frozen=True)
class Fates:
    """Which entries of a part are not used.

    Attributes:
        duplicates: whether each entry repeats an earlier one.
        verdicts: STAYS, or why a pair is left out.
        wanted: the entries whose texts are shown.
    """

    duplicates: Mask
    verdicts: NDArray[np.uint8]
    wanted: Sequence[int]

    @classmethod
    def of(cls, work: Work, part: Part) -> "Fates":
        """Returns what is known of the entries of a part."""
        begin, end = work.totals.range_of(part.index)
        duplicates = np.zeros(end - begin, bool)
        duplicates[duplicates_within(work, begin, end) - begin] = True
        entries, chosen = choice_of(work)
        verdicts = np.zeros(end - begin, np.uint8)
        mine = slice(*np.searchsorted(entries, (begin, end)))
        verdicts[entries[mine] - begin] = chosen.verdicts[mine]
        wanted = sorted(one - begin for one in wanted_texts(chosen))
        return cls(
            duplicates, verdicts, [one for one in wanted if 0 <= one < end - begin]
        )

    def kept(self, splits: Array) -> Mask:
        """Returns which entries are pairs that stay."""
        return np.asarray(self.new(splits) & (self.verdicts == STAYS))

    def new(self, splits: Array) -> Mask:
        """Returns which entries are pairs and no duplicates."""
        return np.asarray((splits != NO_PAIR) & ~self.duplicates)

    def late(self, splits: Array) -> dict[int, Reason]:
        """Returns why entries are rejected that had a pair."""
        found = {
            entry: REASONS[self.verdicts[entry]]
            for entry in np.flatnonzero(self.verdicts).tolist()
        }
        again = np.flatnonzero(self.duplicates & (splits != NO_PAIR))
        return found | dict.fromkeys(again.tolist(), Reason.DUPLICATE)


class _Again:
    """Reads the rows of a part again, if some are needed."""

    def __init__(self, work: Work, part: Part, fates: Fates, found: BlockFile) -> None:
        self._work, self._part, self._fates = work, part, fates
        self._found = found
        self._rejects = [*self._early()]
        self._shown: dict[int, Pair] = {}
        late = fates.late(found.whole("split"))
        if late or fates.wanted:
            work.check_input(part)
            numbers = found.whole("number")
            reasons = {int(numbers[entry]): reason for entry, reason in late.items()}
            wanted = {int(numbers[entry]): entry for entry in fates.wanted}
            self._read(reasons, wanted)
            work.check_input(part)

    def rejects(self) -> list[Reject]:
        """Returns all rejects of the part, in the order of the rows."""
        return sorted(self._rejects, key=lambda one: one.row)

    def shown(self) -> Iterator[tuple[int, Pair]]:
        """Yields the wanted entries of all parts' with their cleaned pairs."""
        first = int(self._work.totals.firsts[self._part.index])
        for entry, pair in self._shown.items():
            yield first + entry, pair

    def _early(self) -> Iterator[Reject]:
        """Yields the rejects that the count has found."""
        name = self._work.name_of(self._part)
        for (some,) in self._found.blocks("rejects"):
            for row, reason, excerpt, entry in unpacked(some):
                again = entry is not None and self._fates.duplicates[entry]
                kind = Reason.DUPLICATE if again else Reason(reason)
                yield Reject(name, row, kind, excerpt)

    def _read(self, reasons: Mapping[int, Reason], wanted: Mapping[int, int]) -> None:
        name = self._work.name_of(self._part)
        for rows in read_part(self._work.reader(self._part), self._part):
            faults = {
                place: reasons[number]
                for place, number in enumerate(rows.numbers)
                if number in reasons
            }
            self._rejects += rejects(replace(rows, others=()), name, faults)
            for place, number in enumerate(rows.numbers) if wanted else ():
                if number in wanted:
                    self._shown[wanted[number]] = self._pair(rows, place)

    def _pair(self, rows: Rows, place: int) -> Pair:
        texts = [column[place] for column in rows.texts]
        return cleaned_pair(self._work.cleaner, texts)


def _texts(found: BlockFile, kept: Mask) -> Block:
    """Returns the held-out pairs as lines of CSV, by split."""
    splits = found.whole("split")
    texts: dict[str, list[Sequence[str]]] = {split: [] for split in SPLITS[1:]}
    for (some,) in found.blocks("texts"):
        for entry, source, target in unpacked(some):
            if kept[entry]:
                texts[ALL_SPLITS[splits[entry]]].append((target, source))
    return {split: rows_as_csv(rows) for split, rows in texts.items()}


def _lengths(found: BlockFile, kept: Mask) -> Block:
    """Returns the lengths of pairs that stay, with how many pairs have each."""
    counted = kept & (found.whole("split") != ALL_SPLITS.index(UNPAIRED))
    lengths = found.whole("lengths")[counted]
    columns: dict[str, Array] = {}
    for number, side in enumerate(SIDES):
        values, counts = np.unique(lengths[:, number], return_counts=True)
        columns |= {f"{side} lengths": values, f"{side} counts": counts}
    return columns


def sides_of(block: Sequence[Array]) -> Sequence[Ragged]:
    """Returns the sources and targets of a block with the columns ``SPOOL``."""
    sources, source_lengths, targets, target_lengths = block
    return [
        Ragged(np.asarray(sources), np.asarray(source_lengths)),
        Ragged(np.asarray(targets), np.asarray(target_lengths)),
    ]


SPOOL = [f"{side} {what}" for side in SIDES for what in ("numbers", "lengths")]


def _pieces(found: BlockFile, kept: Mask) -> dict[str, int]:
    """Returns how often the pairs that are trained on have each piece."""
    pieces = [*unpacked(found.whole("pieces"))]
    counts = np.zeros(len(pieces), np.int64)
    trained = [ALL_SPLITS.index(split) for split in COUNTED]
    begin = 0
    for split, *block in found.blocks("split", *SPOOL):
        end = begin + len(split)
        stays = kept[begin:end] & np.isin(split, trained)
        begin = end
        for side in sides_of(block):
            numbers = side.where(stays).numbers
            counts += np.bincount(numbers, minlength=len(pieces))
    return {pieces[one]: int(counts[one]) for one in np.flatnonzero(counts).tolist()}


def _about(work: Work, found: BlockFile, kept: Mask) -> dict[str, Any]:
    splits = found.whole("split")
    longest = work.job.config.max_source_length
    counts = np.bincount(splits[kept], minlength=len(ALL_SPLITS))
    return {
        "rows": found.about["rows"],
        "splits": counts.tolist(),
        "cut": int((found.whole("lengths")[kept, 0] > longest).sum()),
    }


def _findings(found: BlockFile, fates: Fates) -> dict[str, Any]:
    """Counts what was removed from pairs that are no duplicates."""
    new, findings = fates.new(found.whole("split")), Findings()
    for (some,) in found.blocks("hits"):
        hits = [Hit(*hit) for hit in unpacked(some)]
        findings.add((hit for hit in hits if new[hit.row]), ())
    return {
        "removed": findings.counts,
        "examples": [[*key, some] for key, some in findings.examples.items()],
    }


# --- all parts together ---------------------------------------------------------------


@dataclass
class Tallies:
    """What all parts give together."""

    rows: int = 0
    cut: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    pieces: Counter[str] = field(default_factory=Counter)
    lengths: Mapping[str, Counter[int]] = field(
        default_factory=lambda: {side: Counter() for side in SIDES}
    )
    rejected: Rejected = field(default_factory=Rejected)
    findings: Findings = field(default_factory=Findings)
    shown: dict[int, Pair] = field(default_factory=dict)

    def add(self, work: Work, part: Part) -> Mapping[str, Any]:
        """Adds a part, in the order of parts; returns what its file is about."""
        found = BlockFile(work.path(TALLY, part.index))
        about = found.about
        self.rows += about["rows"]
        self.cut += about["cut"]
        self.reasons.update(about["reasons"])
        self.pieces.update(dict(map(tuple, unpacked(found.whole("pieces")))))
        for side in SIDES:
            columns = (found.whole(f"{side} {what}") for what in ("lengths", "counts"))
            lengths, counts = (column.tolist() for column in columns)
            self.lengths[side].update(dict(zip(lengths, counts, strict=True)))
        for row, reason, excerpt in about["rejected"]:
            name = work.name_of(part)
            self.rejected.add(Reject(name, row, Reason(reason), excerpt))
        self._add_findings(about)
        self.shown |= {entry: Pair(*pair) for entry, *pair in about["shown"]}
        return about  # type: ignore[no-any-return]

    def _add_findings(self, about: Mapping[str, Any]) -> None:
        for kind, counts in about["removed"].items():
            self.findings.counts[kind].update(counts)
        for kind, rule, examples in about["examples"]:
            self.findings.show(kind, rule, map(tuple, examples))
