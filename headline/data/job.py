"""What one preparation reads and writes, and whether that gives anything usable."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from headline.data.corpus import CorpusReader, RowReader, shown
from headline.data.profile import Profile
from headline.data.pseudo import UnpairedReader
from headline.data.report import Counts, FileCounts
from headline.data.sorting import Sorting, split_of
from headline.data.store import SPLITS, UNPAIRED
from headline.errors import CorpusError
from headline.formats.tables import CorpusFormat
from headline.settings.clean import CleanConfig
from headline.settings.prepare import PrepareConfig

PAIRS = "pairs"  # the file name shown for pairs in memory
NO_CLEANING = CleanConfig(clean=False)


@dataclass(frozen=True, kw_only=True)
class Job:
    """One preparation: its files, its output folder and its settings."""

    files: Sequence[Path]
    data_dir: Path
    format: CorpusFormat
    config: PrepareConfig
    overwrite: bool = False
    cleaning: CleanConfig = NO_CLEANING
    weights: Mapping[Path, float] = field(default_factory=dict)  # 1 for other files
    # Articles and headlines in memory, in addition to the files.
    pairs: Iterable[tuple[str, str]] | None = None
    unpaired: Sequence[Path] = ()  # files of articles without headlines
    workers: int = 1  # processes, if the corpus is large
    # Makes the report of the corpus, an HTML page; without it there is none.
    page: Callable[[Profile], str] | None = None
    dry_run: bool = False  # write only the report

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that the dataset gets."""
        return (*SPLITS, UNPAIRED) if self.unpaired else SPLITS

    @property
    def names(self) -> list[str]:
        """The names of the files, and PAIRS for pairs in memory."""
        return [*map(shown, self.files), *([] if self.pairs is None else [PAIRS])]

    def new_counts(self) -> Counts:
        """Returns the counts of the files before any row is read."""
        weights = {shown(path): weight for path, weight in self.weights.items()}
        return Counts(
            [FileCounts(name, weights.get(name, 1.0)) for name in self.names],
            {shown(path): 0 for path in self.unpaired},
        )

    def pair_sorting(self) -> Sorting:
        """Returns the work on the rows of ``files``."""
        config = self.config
        reader: RowReader = CorpusReader(
            self.files,
            self.format,
            min_source_length=config.min_source_length,
            min_target_length=config.min_target_length,
            max_target_length=config.max_target_length,
        )
        reader.names = self.names
        return Sorting(reader, config)

    def unpaired_sorting(self) -> Sorting:
        """Returns the work on the rows of ``unpaired``."""
        held_out = partial(_is_held_out, self.config)
        reader = UnpairedReader(self.unpaired, self.format, self.config, held_out)
        return Sorting(reader, self.config, UNPAIRED)


def _is_held_out(config: PrepareConfig, article: str) -> bool:
    return split_of(article, config) != "train"


def check_usable(job: Job, counts: Counts) -> None:
    """Checks that an epoch has pairs.

    Raises:
        CorpusError: it would have none.
    """
    if any(corpus.train.epoch_pairs for corpus in counts.corpora):
        return
    if counts.pairs("train"):
        raise CorpusError("no epoch would see a pair: give a larger --weight")
    if held_out := counts.pairs("valid") + counts.pairs("test"):
        raise CorpusError(
            f"all {held_out} usable pairs fell into the held-out splits: "
            "give more pairs, or a smaller --valid-size and --test-size"
        )
    reasons = _reasons(counts.rows, counts.rejects)
    raise CorpusError(f"no usable pair in {', '.join(job.names)}: {reasons}")


def check_usable_articles(
    job: Job, counts: Counts, rows: int, rejects: Counter[str]
) -> None:
    """Checks that the files without headlines gave pseudo-pairs.

    Args:
        rows, rejects: the rows of these files, and those rejected by reason.

    Raises:
        CorpusError: they gave none.
    """
    if job.unpaired and not any(counts.unpaired.values()):
        files, reasons = ", ".join(map(str, job.unpaired)), _reasons(rows, rejects)
        raise CorpusError(f"no usable article in {files}: {reasons}")


def _reasons(rows: int, rejects: Counter[str]) -> str:
    reasons = ", ".join(f"{n} {reason}" for reason, n in rejects.most_common())
    return f"of {rows} rows {reasons}"
