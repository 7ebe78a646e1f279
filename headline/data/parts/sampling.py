"""The sample that the rules of cleaning are learned from, taken part by part."""

from headline.data.parts.blocks import BlockFile, packed, unpacked, write_blocks
from headline.data.parts.folder import RULES, SAMPLE, Work, rules_about
from headline.data.parts.plan import Part, read_part
from headline.data.rules import learn
from headline.data.sample import SIZE, Sample

# Each part keeps pairs whose hash is below a limit, so that all together have about so
# many times as many as are wanted.
SPARE = 4


def sample_part(work: Work, task: int) -> None:
    """Keeps the pairs of a part that the sample may need."""
    part = work.plan.parts[task]
    sample = Sample(SIZE, _limit(work))
    if part.is_pairs:
        _add(sample, work, part)
    write_blocks(work.path(SAMPLE, task), {"pairs": packed(sample.kept())})


def learn_rules(work: Work, _: int) -> None:
    """Joins the samples of all parts, and learns the rules."""
    sample = Sample(SIZE)
    for part in work.plan.parts:
        found = BlockFile(work.path(SAMPLE, part.index)).whole("pairs")
        sample.keep((place, *texts) for place, *texts in unpacked(found))
    if len(sample.kept()) < SIZE and _limit(work) < Sample.ALL:
        # So many pairs occur more than once that the limit was too low.
        sample = Sample(SIZE)
        for part in work.plan.parts:
            if part.is_pairs:
                _add(sample, work, part)
    rules = learn(*sample.texts(), work.job.cleaning)
    write_blocks(work.path(RULES), {"weights": rules.weights}, rules_about(rules))


def _limit(work: Work) -> int:
    return min(Sample.ALL, SPARE * SIZE * Sample.ALL // max(1, work.plan.rows))


def _add(sample: Sample, work: Work, part: Part) -> None:
    for rows in read_part(work.reader(part), part):
        sample.add(*rows.texts)
