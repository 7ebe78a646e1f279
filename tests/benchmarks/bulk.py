"""Bulk: articles a second of files, with each measure alone and with all of them."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import fmean

from headline.bundle import Bundle
from headline.engines.numpy.engine import NumpyEngine
from headline.evaluation.metrics import rouge
from headline.generation.batching import windows
from headline.generation.generator import Generator
from headline.generation.parallel import ParallelGenerator
from headline.system.workers import cores
from tests.benchmarks.against import Rival, beside
from tests.benchmarks.engines import Staying
from tests.benchmarks.processes import Finished, run
from tests.benchmarks.rows import Row, compared, in_turns
from tests.benchmarks.subject import Subject
from tests.commands import HEADLINE
from tests.corpora import write_pairs

PLAIN = "plain search, one process"
ALL = "all measures, one process"
COMMAND = "generate FILE -o FILE"
LONGER = 4  # times as long a file


@dataclass(frozen=True)
class Way:
    """A way to search: which of the measures it takes."""

    by_length: bool = False  # articles of like length share a batch
    leave: bool = False  # who has a headline leaves the batch
    shortlist: bool = False
    give_up: bool = False  # hypotheses far behind end
    workers: int = 1

    def headlines(self, bundle: Bundle) -> Callable[[Sequence[str]], list[str]]:
        """Returns what writes headlines in this way."""
        generator = self._generator(bundle)

        def write(texts: Sequence[str]) -> list[str]:
            # A batch at a time cannot be sorted.
            size = len(texts) if self.by_length else generator.config.batch_size
            parts = map(generator.generate, windows(texts, size))
            return [found[0].text for part in parts for found in part]

        return write

    def _generator(self, bundle: Bundle) -> Generator:
        shortlist = bundle.decode.shortlist if self.shortlist else 0
        engine = NumpyEngine(bundle.model, bundle.weights, shortlist)
        generator = Generator(
            bundle.tokenizer,
            engine if self.leave else Staying(engine),
            bundle.decode if self.give_up else replace(bundle.decode, beam_threshold=0),
            bundle.max_source_length,
        )
        if self.workers == 1:
            return generator
        return ParallelGenerator(generator, self.workers)


WAYS = {
    PLAIN: Way(),
    "plain, articles sorted by length": Way(by_length=True),
    "plain, finished articles leave": Way(leave=True),
    "plain, shortlist": Way(shortlist=True),
    "plain, beam threshold": Way(give_up=True),
    ALL: Way(by_length=True, leave=True, shortlist=True, give_up=True),
}


def measure(subject: Subject) -> Iterator[Row]:
    """Yields articles a second and ROUGE-L of the ways, and of whole files."""
    count = cores()
    shipped = f"all measures, {count} processes"
    ways = WAYS | {shipped: replace(WAYS[ALL], workers=count)}
    writers = {name: way.headlines(subject.bundle) for name, way in ways.items()}
    actions = {
        name: partial(_rate, write, subject.texts) for name, write in writers.items()
    }
    samples = in_turns(actions, subject.rounds)
    yield from compared("bulk", samples, "articles/s", PLAIN)
    for name in (PLAIN, ALL):
        score = _rouge_l(subject, writers[name])
        yield Row("bulk", f"{name}, test split", score, "ROUGE-L")
    yield from _files(subject)


def _rate(write: Callable[[Sequence[str]], object], texts: Sequence[str]) -> float:
    begin = time.perf_counter()
    write(texts)
    return len(texts) / (time.perf_counter() - begin)


def _rouge_l(
    subject: Subject, write: Callable[[Sequence[str]], Sequence[str]]
) -> float:
    pairs = subject.held_out
    found = write([pair.source for pair in pairs])
    return fmean(
        rouge(headline, pair.target).rouge_l
        for headline, pair in zip(found, pairs, strict=True)
    )


def _files(subject: Subject) -> Iterator[Row]:
    """The command as a whole process, with a file and with a longer one."""
    short, long = COMMAND, f"{COMMAND}, {LONGER} times as long"
    times = {short: 1, long: LONGER}
    sizes = {name: number * len(subject.texts) for name, number in times.items()}
    done: dict[str, list[Finished]] = {name: [] for name in sizes}

    def rate(name: str) -> float:
        done[name].append(_write_file(subject, times[name]))
        return sizes[name] / done[name][-1].seconds

    samples = in_turns({name: partial(rate, name) for name in sizes}, subject.rounds)
    yield from compared("bulk", samples, "articles/s", short)
    peaks = {
        f"{name}, peak memory": [one.megabytes for one in found]
        for name, found in done.items()
    }
    yield from compared("bulk", peaks, "MB", f"{short}, peak memory")
    if subject.against_bulk is not None:
        yield _against(subject, subject.against_bulk)


def _write_file(subject: Subject, times: int) -> Finished:
    path = subject.scratch / f"articles-{times}.csv"
    if not path.exists():
        write_pairs(path, [("", text) for text in subject.texts] * times)
    output = subject.scratch / "written.csv"
    model = str(subject.model_dir)
    return run([*HEADLINE, "generate", "-m", model, str(path), "-o", str(output)])


def _against(subject: Subject, command: str) -> Row:
    """Compares with another system: its articles a second of the same file."""
    command = command.replace("{articles}", str(subject.scratch / "articles-1.csv"))
    key = "articles_per_second"
    return beside(
        Rival(command, key, "bulk", "articles/s", COMMAND),
        lambda: len(subject.texts) / _write_file(subject, 1).seconds,
        subject.rounds,
    )
