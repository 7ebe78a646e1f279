"""Shards: articles a second beside plain ``generate``, and what shards cost."""

import io
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import median

from headline.cluster.plan import Splitting, plan
from headline.cluster.settings import ShardSettings
from headline.cluster.shards import ShardWorker, open_run
from headline.generation.files import Task, write_headlines
from headline.generation.generator import Advance, Generator, ignore
from headline.generation.headlines import Headline
from headline.generation.inputs import Shard
from headline.settings.commands import ShardsConfig
from headline.settings.search import DecodeConfig
from headline.text.source import Readable
from tests.benchmarks import map_batches
from tests.benchmarks.processes import run
from tests.benchmarks.rows import Row, compared, in_turns
from tests.benchmarks.subject import Subject
from tests.cluster.engines import missing
from tests.commands import HEADLINE
from tests.corpora import write_pairs

LONGER = 4  # times as many articles as `bulk` has
ROWS = 2048  # of a shard of the commands: a window that is sorted by length
MANY = 20  # times as many articles, whose headlines take no time
SHARDS = 20  # into which these are split
PLAIN = "generate -o, 1 worker"


class Instant(Generator):
    """A generator whose headlines take no time, so that only the rest is measured."""

    def generate(
        self,
        articles: Sequence[Readable],
        configs: Sequence[DecodeConfig] | None = None,
        advance: Advance = ignore,
    ) -> list[list[Headline]]:
        return [[Headline("央行今日宣布降准", -1.0)] for _ in articles]


def measure(subject: Subject) -> Iterator[Row]:
    """Yields the rates of commands, and the costs of workers, shards and rows.

    The schedulers of Ray and Spark take minutes: see ``schedulers``.
    """
    yield from _commands(subject)
    yield _start(subject)
    yield from _costs(subject)
    if not missing("ray"):
        yield from map_batches.measure(subject.model_dir, subject.texts)


def _articles(subject: Subject, times: int) -> Path:
    path = subject.scratch / f"shards-{times}.csv"
    if not path.exists():
        write_pairs(path, [("", text) for text in subject.texts] * times)
    return path


def _commands(subject: Subject) -> Iterator[Row]:
    path = _articles(subject, LONGER)
    actions = {
        f"{name}, {workers} worker{'s' * (workers > 1)}": partial(
            _rate, subject, path, options, str(workers)
        )
        for workers in (1, 2)
        for name, options in {
            "generate -o": ["-o", "plain.csv"],
            "generate --output-dir": ["--rows-per-shard", str(ROWS)],
        }.items()
    }
    samples = in_turns(actions, subject.rounds)
    yield from compared("cluster", samples, "articles/s", PLAIN)


def _rate(subject: Subject, path: Path, options: list[str], workers: str) -> float:
    """Returns the articles a second of a command, with its start."""
    out = subject.scratch / "out"
    shutil.rmtree(out, ignore_errors=True)
    if options[0] == "-o":
        options = ["-o", str(subject.scratch / options[1])]
    else:
        options = [*options, "--output-dir", str(out)]
    model = ["-m", str(subject.model_dir), "--workers", workers]
    done = run([*HEADLINE, "generate", str(path), *model, *options])
    return LONGER * len(subject.texts) / done.seconds


def _start(subject: Subject) -> Row:
    """A worker that starts from nothing, as on another machine, and loads its model."""
    code = (
        "from pathlib import Path; import sys;"
        "from headline.cluster.settings import ShardSettings;"
        "from headline.cluster.shards import ShardWorker;"
        "ShardSettings.of(Path(sys.argv[1])).generator()"
    )
    command = [sys.executable, "-c", code, str(subject.model_dir)]
    seconds = [run(command).seconds for _ in range(subject.rounds)]
    return Row("cluster", "a worker starts and loads its model", median(seconds), "s")


def _costs(subject: Subject) -> Iterator[Row]:
    """What planning, shards and rows cost beside the search for headlines."""
    path = _articles(subject, MANY)
    count = MANY * len(subject.texts)
    settings = ShardSettings.of(subject.model_dir)
    instant = Instant.from_bundle(subject.bundle, settings.search)
    one, many = (
        partial(_shards, subject, path, settings, instant, rows)
        for rows in (count, -(-count // SHARDS))
    )
    splitting = Splitting(settings.corpus_format(), count, False)
    generator = Generator.from_bundle(subject.bundle, settings.search)
    actions: dict[str, Callable[[], object]] = {
        "plan": partial(plan, [path], splitting),
        "plain": partial(_plain, path, settings, instant),
        "one": one,
        "many": many,
        "search": partial(generator.generate, subject.texts),
    }
    timed = {name: partial(_seconds, action) for name, action in actions.items()}
    samples = in_turns(timed, subject.rounds)
    seconds = {name: median(values) for name, values in samples.items()}
    plan_row = seconds["plan"] / count
    row = (seconds["one"] - seconds["plain"] - seconds["plan"]) / count
    shard = (seconds["many"] - seconds["one"]) / (SHARDS - 1)
    search = seconds["search"] / len(subject.texts)
    usual = ShardsConfig().rows_per_shard
    share = (plan_row + max(row, 0) + shard / usual) / search
    yield Row("cluster", "planning, a row", 1e6 * plan_row, "µs of CPU time")
    yield Row(
        "cluster", "a row in a shard, more than without", 1e6 * row, "µs of CPU time"
    )
    yield Row("cluster", "a shard", 1e3 * shard, "ms of CPU time")
    yield Row("cluster", "the search, an article", 1e6 * search, "µs of CPU time")
    yield Row("cluster", f"all of that with {usual} rows a shard", 100 * share, "%")


def _seconds(action: Callable[[], object]) -> float:
    """Returns CPU seconds: other programs and slow disks do not count."""
    begin = time.process_time()
    action()
    return time.process_time() - begin


def _plain(path: Path, settings: ShardSettings, generator: Generator) -> None:
    task = Task(settings.corpus_format())
    write_headlines(generator, [Shard(path)], io.StringIO(newline=""), task)


def _shards(
    subject: Subject,
    path: Path,
    settings: ShardSettings,
    generator: Generator,
    rows: int,
) -> None:
    out = subject.scratch / "costs"
    shutil.rmtree(out, ignore_errors=True)
    run = open_run([path], settings, out, rows)
    worker = ShardWorker(settings, run.folder, generator)
    for job in run.plan.jobs:
        worker.run(job)
    run.finish()
