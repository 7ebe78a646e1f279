"""``ParallelGenerator``: a ``Generator`` that uses several processor cores."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from headline.config import DecodeConfig
from headline.generator import Generator, Headline, windows
from headline.workers import Workers

PART = 2  # batches that a worker searches at a time
FEW = 2  # batches for which no process is started


@dataclass(frozen=True)
class Part:
    """Articles that one worker searches, and how to search for each."""

    articles: list[str]
    configs: list[DecodeConfig]


class ParallelGenerator(Generator):
    """Writes the headlines that a generator writes, in several processes.

    Few articles are searched in this process: starting others takes longer.

    Args:
        single: runs in each process; on a CPU.
        count: of processes.
    """

    def __init__(self, single: Generator, count: int) -> None:
        super().__init__(
            single.tokenizer, single.engine, single.config, single.max_source_length
        )
        self._workers = Workers(partial(_search, single), count)

    def generate(
        self, articles: Sequence[str], configs: Sequence[DecodeConfig] | None = None
    ) -> list[list[Headline]]:
        if len(articles) <= FEW * self.config.batch_size:
            return super().generate(articles, configs)
        if configs is None:
            configs = [self.config] * len(articles)
        # The longest first: the last part to end is then a short one.
        order = sorted(range(len(articles)), key=lambda place: -len(articles[place]))
        places = list(windows(order, PART * self.config.batch_size))
        parts = (
            Part([articles[at] for at in part], [configs[at] for at in part])
            for part in places
        )
        results: list[list[Headline]] = [[]] * len(articles)
        for part, found in zip(places, self._workers.map(parts), strict=True):
            for place, headlines in zip(part, found, strict=True):
                results[place] = headlines
        return results

    @property
    def window_size(self) -> int:
        """As of one process, for each: the workers wait for the last of a window."""
        return super().window_size * self._workers.count

    @property
    def ready_size(self) -> int:
        return 2 * PART * self.config.batch_size * self._workers.count


def _search(generator: Generator, part: Part) -> list[list[Headline]]:
    return generator.generate(part.articles, part.configs)
