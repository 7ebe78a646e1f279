"""The first pass of ``prepare``: from files to pieces."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from headline.data.corpus import RowReader, rows_of
from headline.data.job import Job, check_usable, check_usable_articles
from headline.data.keeping import Keeper, Sink
from headline.data.pieces import Pairs
from headline.data.report import Counts
from headline.data.sorting import Sorting
from headline.data.store import UNPAIRED
from headline.formats.records import Rows
from headline.system.workers import spread

FEW = 4  # blocks that this process handles before it starts others

Advance = Callable[[int], None]


def read(job: Job, sink: Sink, advance: Advance) -> Counts:
    """Reads all files into a sink; returns the counts before anything is left out.

    Raises:
        CorpusError: a file cannot be read, or there is no usable pair or article.
    """
    counts = job.new_counts()
    _read_corpora(job, counts, sink, advance)
    check_usable(job, counts)
    if job.unpaired:
        _read_unpaired(job, counts, sink, advance)
    return counts


def _read_corpora(job: Job, counts: Counts, sink: Sink, advance: Advance) -> None:
    sorting = job.pair_sorting()
    reader = sorting.reader
    keeper = Keeper(job, reader, counts, sink)
    found: Iterable[Rows] = reader.read()
    if job.pairs is not None:
        found = chain(found, rows_of(job.pairs, len(job.files)))
    found, advance = _cleaned(sink, reader, found, advance)
    for rows, pairs in _sorted_rows(sorting, found, job, advance):
        counts.corpora[rows.file].pairs += keeper.keep(rows, pairs)


def _cleaned(
    sink: Sink, reader: RowReader, found: Iterable[Rows], advance: Advance
) -> tuple[Iterable[Rows], Advance]:
    """Makes the first pass of a cleaning, and gives the reader its cleaner.

    Returns:
        the same rows, and how to report progress on them.
    """
    if sink.cleaning is None:
        return found, advance
    halves = Halves(advance)
    position = 0
    for rows in sink.cleaning.first_pass(found):
        halves.first(max(0, rows.position - position))
        position = max(position, rows.position)
    reader.cleaner = sink.cleaning.cleaner
    return sink.cleaning.second_pass(), halves.second


@dataclass(frozen=True)
class Halves:
    """Reports the bytes of rows that are read twice: half of them each time."""

    advance: Advance

    def first(self, step: int) -> None:
        self.advance(step // 2)

    def second(self, step: int) -> None:
        self.advance(step - step // 2)


def _read_unpaired(job: Job, counts: Counts, sink: Sink, advance: Advance) -> None:
    rows_before, rejects_before = counts.rows, counts.rejects.copy()
    sorting = job.unpaired_sorting()
    reader = sorting.reader
    keeper = Keeper(job, reader, counts, sink)
    found, advance = _cleaned(sink, reader, reader.read(), advance)
    for rows, pairs in _sorted_rows(sorting, found, job, advance):
        counts.unpaired[reader.names[rows.file]] += keeper.keep(rows, pairs)[UNPAIRED]
    check_usable_articles(
        job, counts, counts.rows - rows_before, counts.rejects - rejects_before
    )


def _sorted_rows(
    sorting: Sorting, found: Iterable[Rows], job: Job, advance: Advance
) -> Iterator[tuple[Rows, Pairs]]:
    """Yields the rows with their pairs, and reports progress to ``advance``.

    This process handles the first ``FEW`` blocks: all of a small corpus. For a large
    one, forked processes then share what this one has loaded.
    """
    under_way: deque[Rows] = deque()

    def texts() -> Iterator[Sequence[Sequence[str]]]:
        for rows in found:
            under_way.append(rows)
            yield rows.texts

    position = 0
    for pairs in spread(sorting.sort, texts(), job.workers, FEW):
        rows = under_way.popleft()
        yield rows, pairs
        advance(max(0, rows.position - position))  # pairs in memory have no position
        position = max(position, rows.position)
