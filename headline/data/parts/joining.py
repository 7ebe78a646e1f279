"""The last task: from finished parts to a DATA_DIR."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from headline.data.findings import choices, removals
from headline.data.parts.blocks import BlockFile
from headline.data.parts.comparing import choice_of
from headline.data.parts.encoding import add_tallies, ids_of, sample_of
from headline.data.parts.folder import EXPECTED, IDS, JOIN, TALLY, Work
from headline.data.parts.tallying import Tallies
from headline.data.profile import PairSample, Profile, characters_of, rare_of
from headline.data.report import summarise
from headline.data.store import (
    CLEANING,
    REJECTS,
    SPLITS,
    Draft,
    is_prepared,
    outline,
    replacing_dataset,
    text_file,
)
from headline.errors import DataError
from headline.system.files import read_json, write_json


def join(
    work: Work, _: int = 0, written: Callable[[int], None] = lambda _: None
) -> None:
    """Writes the DATA_DIR.

    Raises:
        DataError: the folder exists and must not be overwritten.
        HeadlineError: the folder cannot be written.
    """
    job = work.job
    tallies, counts, _firsts = add_tallies(work)
    summary = summarise(job.config, counts, work.tokenizer)
    if job.cleaning.clean:
        summary |= {CLEANING: _cleaning(work, tallies)}
    with replacing_dataset(job.data_dir, job.splits, job.overwrite) as draft:
        _copy_texts(work, draft)
        for split in job.splits:
            draft.write_ids(split, partial(ids_of, work, split), written)
        if job.page is not None:
            draft.write_report(job.page(_profile(work, tallies, summary)))
        content = draft.finish(work.tokenizer, summary)
        # A process that is killed before the next line leaves the whole dataset.
        write_json(work.path(JOIN).with_name(EXPECTED), content)
    write_json(work.path(JOIN), {})


def is_joined(work: Work) -> bool:
    """Tells whether DATA_DIR has the dataset; notes it if a killed process has not.

    Raises:
        DataError: DATA_DIR has had the dataset, but has it no longer.
    """
    expected = work.path(JOIN).with_name(EXPECTED)
    data_dir = work.job.data_dir
    is_there = expected.exists() and is_prepared(data_dir)
    if is_there and outline(data_dir).summary == read_json(expected, DataError):
        if not work.was_joined:
            write_json(work.path(JOIN), {})
        return True
    if work.was_joined:
        raise DataError(
            f"{work.folder} is of a dataset that is no longer in {data_dir}: remove it "
            "to prepare the dataset again"
        )
    return False


def _cleaning(work: Work, tallies: Tallies) -> dict[str, Any]:
    """Returns the part of data.json about the cleaning."""
    _entries, chosen = choice_of(work)
    return {
        "config": work.job.cleaning.to_dict(),
        **removals(work.rules, tallies.findings),
        **choices(chosen, tallies.shown),
        "rejects": tallies.rejected.to_dict(),
    }


def _copy_texts(work: Work, draft: Draft) -> None:
    for part in work.plan.parts:
        found = BlockFile(work.path(TALLY, part.index))
        draft.append_rows(REJECTS, found.whole("rejects").tobytes())
        for split in SPLITS[1:]:
            draft.append_rows(text_file(split), found.whole(split).tobytes())


def _profile(work: Work, tallies: Tallies, summary: Mapping[str, Any]) -> Profile:
    sample = _sample(work)
    characters = characters_of(tallies.pieces)
    return Profile(
        summary=summary,
        lengths=tallies.lengths,
        characters=characters,
        rare=rare_of(characters, work.tokenizer.vocab),
        sample=sample.pairs(),
        measured=sample.measures(),
        rejects=tallies.rejected.examples,
    )


def _sample(work: Work) -> PairSample:
    sample = sample_of(work)
    for part in work.plan.parts:
        sample.add(BlockFile(work.path(IDS, part.index)).about)
    return sample
