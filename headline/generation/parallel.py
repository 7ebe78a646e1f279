"""``ParallelGenerator``: a ``Generator`` that uses several processor cores."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

from headline.bundle import Bundle
from headline.generation.batching import windows
from headline.generation.generator import Advance, Generator, cpu_or_gpu, ignore
from headline.generation.headlines import Headline
from headline.settings.base import Device
from headline.settings.search import DecodeConfig
from headline.system.blas import blas_threads
from headline.system.workers import Workers, cores
from headline.text.source import Readable


def make_generator(
    bundle: Bundle,
    config: DecodeConfig,
    device: Device,
    count: int | None = None,
    threads: int | None = None,
) -> Generator:
    """Runs a bundle, in several processes if that pays off.

    Args:
        config: how to search.
        device: see ``Generator.from_bundle``.
        count: number of processes; None for one per core, or one on a GPU.
        threads: see ``ParallelGenerator``.
    """
    if device != "cpu" and count not in (None, 1):
        from headline.network.backend import share_gpu

        share_gpu()  # before Keras looks for one
    found = cpu_or_gpu(device)
    make = partial(Generator.from_bundle, bundle, config, found)
    count = count or (cores() if found == "cpu" else 1)
    if count == 1:
        return make()
    # Once Keras is loaded, a fork would not survive the threads of its backend.
    loads_keras = device != "cpu"
    return ParallelGenerator(make(), count, make if loads_keras else None, threads)


@dataclass(frozen=True)
class Chunk:
    """Articles that one worker searches, and the search config of each."""

    articles: list[Readable]
    configs: list[DecodeConfig]


class ParallelGenerator(Generator):
    """A generator that uses several processes and writes the same headlines.

    A single batch is searched in this process, because starting others takes longer.

    Args:
        single: the generator for few articles; it also runs in each process, unless
            ``make`` is given.
        count: number of processes.
        make: creates the generator in each process. It is needed on a GPU, where a
            generator survives no fork and cannot be pickled.
        threads: threads of NumPy's matrix products in each process; None leaves that
            to the environment.
    """

    def __init__(
        self,
        single: Generator,
        count: int,
        make: Callable[[], Generator] | None = None,
        threads: int | None = None,
    ) -> None:
        super().__init__(
            single.tokenizer,
            single.engine,
            single.config,
            single.max_source_length,
            single.rules,
            single.styles,
            single.estimator,
        )
        search = partial(_search, single) if make is None else _Maker(make).search
        search = partial(_limited, threads, search)
        self._workers = Workers(search, count, forks=make is None)

    def generate(
        self,
        articles: Sequence[Readable],
        configs: Sequence[DecodeConfig] | None = None,
        advance: Advance = ignore,
    ) -> list[list[Headline]]:
        if len(articles) <= self.config.batch_size:
            return super().generate(articles, configs, advance)
        configs = self._configs(articles, configs)
        # Longest first, so that the last chunks to finish are short ones.
        order = sorted(range(len(articles)), key=lambda place: -len(articles[place]))
        places = list(windows(order, self.config.batch_size))
        chunks = (
            Chunk([articles[at] for at in some], [configs[at] for at in some])
            for some in places
        )
        results: list[list[Headline]] = [[]] * len(articles)
        for some, found in zip(places, self._workers.map(chunks), strict=True):
            for place, headlines in zip(some, found, strict=True):
                results[place] = headlines
            advance(len(some))
        return results

    @property
    def window_size(self) -> int:
        """One window per process, because workers wait for the end of a window."""
        return super().window_size * self._workers.count

    @property
    def ready_size(self) -> int:
        return 2 * self.config.batch_size * self._workers.count


def _search(generator: Generator, chunk: Chunk) -> list[list[Headline]]:
    return generator.generate(chunk.articles, chunk.configs)


def _limited(
    threads: int | None,
    search: Callable[[Chunk], list[list[Headline]]],
    chunk: Chunk,
) -> list[list[Headline]]:
    with blas_threads(threads):
        return search(chunk)


class _Maker:
    """Creates a generator for the first chunk, and keeps it."""

    def __init__(self, make: Callable[[], Generator]) -> None:
        self._make = make

    @cached_property
    def _generator(self) -> Generator:
        return self._make()

    def search(self, chunk: Chunk) -> list[list[Headline]]:
        return _search(self._generator, chunk)
