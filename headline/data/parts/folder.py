"""The working folder of a preparation in parts: what is done, and by what settings.

Each pass has a folder with one file for each finished task. A file appears whole or not
at all, and its content depends on the input alone, so a task that is done twice loses
nothing.
"""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headline import __version__
from headline.data.affixes import Affix, Candidate, HeadlineRules
from headline.data.cleaner import Cleaner
from headline.data.corpus import RowReader
from headline.data.job import Job
from headline.data.parts.blocks import BlockFile
from headline.data.parts.plan import ROWS, Part, Plan, plan_of, stamp
from headline.data.rules import Rules
from headline.data.sorting import Sorting
from headline.data.store import UNPAIRED
from headline.errors import ClusterError, DataError
from headline.system.files import read_json, write_json
from headline.text.boilerplate import ArticleRules
from headline.text.tokenizer import Tokenizer, load_tokenizer

SUFFIX = ".parts"  # of the working folder, after the name of DATA_DIR
BEGUN = "begun.json"
LOCK = ".lock"  # suffix of the lock of a pass with one task
EXPECTED = (
    "expected.json"  # in the folder of the last pass: data.json, before it is in place
)
FORMAT = 1
# The folders of the passes.
(
    PLAN, SAMPLE, RULES, COUNT, TOTALS, DUPLICATES, CANDIDATES, CHOICE, TALLY, VOCAB,
    IDS, JOIN,
) = (
    "plan", "sample", "rules", "count", "totals", "duplicates", "candidates", "choice",
    "tally", "vocab", "ids", "join",
)  # fmt: skip


@dataclass(frozen=True)
class Work:
    """A preparation in parts; it can be pickled and sent to any machine.

    Args:
        job: the preparation, of files alone.
        rows: the most rows of a part.
    """

    job: Job
    rows: int = ROWS

    def __post_init__(self) -> None:
        # Several passes read a row, and each process that does would tell of it.
        form = replace(self.job.format, tell=None, note=None, detail=None)
        object.__setattr__(self, "job", replace(self.job, format=form))

    def __getstate__(self) -> dict[str, Any]:
        """Leaves out what has been read of the folder."""
        return {"job": self.job, "rows": self.rows}

    @property
    def folder(self) -> Path:
        """The working folder, beside DATA_DIR."""
        data_dir = self.job.data_dir
        return data_dir.with_name(data_dir.name + SUFFIX)

    def path(self, name: str, task: int = 0) -> Path:
        """Returns the file of a finished task of a pass."""
        return self.folder / name / f"{task:06}"

    def done(self, name: str) -> set[int]:
        """Returns the finished tasks of a pass."""
        with suppress(OSError):
            found = os.listdir(self.folder / name)
            return {int(name) for name in found if name.isdigit()}
        return set()

    # --- settings and input -----------------------------------------------------------

    def begin(self) -> None:
        """Makes the folder, or checks that it is of this preparation.

        Raises:
            ClusterError: it was begun with other files or settings.
            HeadlineError: it cannot be written.
        """
        path = self.folder / BEGUN
        wanted = json.loads(json.dumps(self._fingerprint))
        if not path.exists():
            write_json(path, wanted)
        found = read_json(path, DataError)
        for name in wanted | found:
            if found.get(name) != wanted.get(name):
                raise ClusterError(
                    f"{self.folder} was begun with {_differing(name, found, wanted)}: "
                    "give the same again, or remove that folder to begin anew"
                )

    @property
    def _fingerprint(self) -> dict[str, Any]:
        """All that decides about the dataset, ready for JSON."""
        job, form = self.job, self.job.format
        weights = [job.weights.get(path, 1.0) for path in job.files]
        return {
            "format": FORMAT,
            "version": __version__,
            "files": [*map(stamp, job.files)],
            UNPAIRED: [*map(stamp, job.unpaired)],
            "weights": weights,
            "settings": job.config.to_dict() | job.cleaning.to_dict(),
            "encoding": form.encoding,
            "delimiter": form.delimiter,
            "columns": [form.source_column, form.target_column],
            "strict": form.strict,
            "rows of a part": self.rows,
        }

    def check_input(self, part: Part) -> None:
        """Checks that the file of a part is the one that was planned.

        Raises:
            ClusterError: it has changed.
        """
        files = self.job.files if part.is_pairs else self.job.unpaired
        before = read_json(self.folder / BEGUN, DataError)
        name = "files" if part.is_pairs else UNPAIRED
        if stamp(files[part.file]) != before[name][part.file]:
            raise ClusterError(
                f"{files[part.file]} changed since {self.folder} was begun: remove "
                "that folder to begin anew"
            )

    @property
    def was_joined(self) -> bool:
        """Whether the dataset was completed."""
        return self.path(JOIN).exists()

    def clear(self) -> None:
        """Removes what finished passes have left, but not that all is done."""
        for path in self.folder.iterdir():
            if path.is_dir() and path.name != JOIN:
                shutil.rmtree(path, ignore_errors=True)
            elif path.suffix == LOCK:
                path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Removes the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- what the passes have found ---------------------------------------------------

    @cached_property
    def plan(self) -> Plan:
        """All parts."""
        numbers = range(len(self.job.files) + len(self.job.unpaired))
        found = [read_json(self.path(PLAN, number), DataError) for number in numbers]
        files = len(self.job.files)
        return plan_of(found[:files], found[files:])

    @cached_property
    def rules(self) -> Rules:
        """The rules of the corpus; without cleaning there are none."""
        return loaded_rules(BlockFile(self.path(RULES)))

    @property
    def cleaner(self) -> Cleaner:
        """The cleaner with the rules of the corpus."""
        return Cleaner(self.rules, self.job.cleaning, self.job.config.max_source_length)

    def sorting(self, part: Part) -> Sorting:
        """Returns the work on the rows of a part."""
        job = self.job
        sorting = job.pair_sorting() if part.is_pairs else job.unpaired_sorting()
        if job.cleaning.clean:
            sorting.reader.cleaner = self.cleaner
        return sorting

    def reader(self, part: Part) -> RowReader:
        """Returns a reader of the raw rows of a part."""
        job = self.job
        sorting = job.pair_sorting() if part.is_pairs else job.unpaired_sorting()
        return sorting.reader

    def name_of(self, part: Part) -> str:
        """Returns the name of the file of a part, as reports show it."""
        return self.reader(part).names[part.file]

    @cached_property
    def totals(self) -> "Totals":
        """How many entries each part has."""
        found = BlockFile(self.path(TOTALS))
        return Totals(found.whole("firsts"))

    @cached_property
    def vocab(self) -> BlockFile:
        """The vocab, and the places of the parts in the splits."""
        return BlockFile(self.path(VOCAB))

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer of the dataset."""
        return load_tokenizer(self.path(VOCAB).with_suffix(".json"), DataError)


@dataclass(frozen=True)
class Totals:
    """The entries of all parts, numbered from 0.

    An entry is a row that no check has rejected but that may be a duplicate.

    Attributes:
        firsts: the number of the first entry of each part, and that of all.
    """

    firsts: NDArray[np.int64]

    @property
    def all(self) -> int:
        """The number of entries."""
        return int(self.firsts[-1])

    def part_of(self, entries: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns the parts of entries."""
        return np.searchsorted(self.firsts, entries, side="right") - 1

    def range_of(self, part: int) -> tuple[int, int]:
        """Returns the first entry of a part, and the one after its last."""
        begin, end = self.firsts[part : part + 2].tolist()
        return begin, end


def _differing(name: str, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Says what was different when a folder was begun."""
    before, now = found.get(name), wanted.get(name)
    if isinstance(before, dict) and isinstance(now, dict):
        one = next(key for key in before | now if before.get(key) != now.get(key))
        return f"{one.replace('_', '-')} {before.get(one)!r}, not {now.get(one)!r}"
    if name in ("files", UNPAIRED) and isinstance(before, list):
        return _differing_files(before, now)
    return f"{name} {before!r}, not {now!r}"


def _differing_files(before: Sequence[Any], now: Any) -> str:
    names = [one[0] for one in before]
    if names != [one[0] for one in now]:
        return f"other files: {', '.join(map(str, names))}"
    one = next(old[0] for old, new in zip(before, now, strict=True) if old != new)
    return f"another {one}, which has changed since"


# --- rules ----------------------------------------------------------------------------


def rules_about(rules: Rules) -> dict[str, Any]:
    """Returns rules without their weights, ready for JSON."""
    return {
        "headlines": [*rules.headlines.affixes],
        "kept": [*rules.kept.affixes],
        "candidates": [[one.affix, one.pairs, one.problem] for one in rules.candidates],
        "articles": rules.articles.to_dict(),
        "sampled": rules.sampled,
    }


def loaded_rules(found: BlockFile) -> Rules:
    """Returns the rules of a file with ``rules_about`` and their weights."""
    about = found.about
    return Rules(
        headlines=HeadlineRules([Affix(*one) for one in about["headlines"]]),
        articles=ArticleRules.from_dict(about["articles"]),
        candidates=[
            Candidate(Affix(*affix), pairs, problem)
            for affix, pairs, problem in about["candidates"]
        ],
        kept=HeadlineRules([Affix(*one) for one in about["kept"]]),
        weights=np.array(found.whole("weights")),
        sampled=about["sampled"],
    )
