"""The passes of a preparation in parts, in their order.

Each pass has tasks that need no other task of the pass. A pass begins once the one
before is complete. Whoever runs the tasks, and wherever, the result is the same.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from headline.data.parts.comparing import decide, find_candidates, find_duplicates
from headline.data.parts.counting import add_up, count_part
from headline.data.parts.encoding import encode_part, make_vocab
from headline.data.parts.folder import (
    CANDIDATES,
    CHOICE,
    COUNT,
    DUPLICATES,
    IDS,
    JOIN,
    PLAN,
    RULES,
    SAMPLE,
    TALLY,
    TOTALS,
    VOCAB,
    Work,
)
from headline.data.parts.joining import is_joined, join
from headline.data.parts.plan import cut
from headline.data.parts.sampling import learn_rules, sample_part
from headline.data.parts.tallying import tally_part
from headline.data.store import is_prepared
from headline.errors import DataError
from headline.system.files import write_json


@dataclass(frozen=True)
class Pass:
    """Tasks that can run at the same time.

    Attributes:
        name: the name of the pass, and of its folder.
        about: what it does, for people.
        run: does a task, by its number.
        count: returns the number of tasks, once the passes before are complete.
        needs_cleaning: whether it is left out without cleaning.
    """

    name: str
    about: str
    run: Callable[[Work, int], None]
    count: Callable[[Work], int]
    needs_cleaning: bool = False

    def left(self, work: Work) -> list[int]:
        """Returns the tasks that are not finished."""
        done = work.done(self.name)
        return [task for task in range(self.count(work)) if task not in done]


def plan_file(work: Work, task: int) -> None:
    """Finds where the parts of a file begin."""
    files = len(work.job.files)
    if task < files:
        found = cut(work.job.pair_sorting().reader, task, work.rows)
    else:
        reader = work.job.unpaired_sorting().reader
        found = cut(reader, task - files, work.rows)
    write_json(work.path(PLAN, task), found)


def _files(work: Work) -> int:
    return len(work.job.files) + len(work.job.unpaired)


def _parts(work: Work) -> int:
    return len(work.plan.parts)


def _buckets(work: Work) -> int:
    return work.plan.buckets


def _one(_: Work) -> int:
    return 1


PASSES = (
    Pass(PLAN, "finds where parts of the files begin", plan_file, _files),
    Pass(SAMPLE, "draws pairs to learn the rules from", sample_part, _parts, True),
    Pass(RULES, "learns the rules", learn_rules, _one, True),
    Pass(COUNT, "cleans the rows, cuts and counts them", count_part, _parts),
    Pass(TOTALS, "adds up the counts", add_up, _one),
    Pass(DUPLICATES, "finds duplicates by buckets", find_duplicates, _buckets),
    Pass(
        CANDIDATES, "finds near-duplicates by buckets", find_candidates, _buckets, True
    ),
    Pass(CHOICE, "chooses the pairs that stay", decide, _one, True),
    Pass(TALLY, "counts the pairs that stay", tally_part, _parts),
    Pass(VOCAB, "chooses the vocabulary", make_vocab, _one),
    Pass(IDS, "turns texts into ids", encode_part, _parts),
    Pass(JOIN, "joins the dataset", join, _one),
)


def passes_of(work: Work) -> Sequence[Pass]:
    """Returns the passes of a preparation."""
    clean = work.job.cleaning.clean
    return [one for one in PASSES if clean or not one.needs_cleaning]


def open_work(work: Work) -> bool:
    """Begins a preparation, or goes on with it; returns whether it is finished.

    Raises:
        ClusterError: the working folder is of other files or settings.
        DataError: DATA_DIR holds a dataset that must not be overwritten.
        HeadlineError: the working folder cannot be written.
    """
    work.begin()
    if is_joined(work):
        return True
    if is_prepared(work.job.data_dir) and not work.job.overwrite:
        raise DataError(
            f"{work.job.data_dir} holds a prepared corpus: choose another DATA_DIR, "
            "or give --overwrite"
        )
    return False


def unfinished(work: Work) -> Iterator[tuple[Pass, list[int]]]:
    """Yields the first pass with tasks left, and these, until none has any."""
    for one in passes_of(work):
        while left := one.left(work):
            yield one, left
