"""What is measured, and how long for: a model, a corpus, and the sizes of all that."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import cycle, islice
from pathlib import Path

from headline.bundle import Bundle, load_bundle
from headline.data.corpus import Pair
from headline.evaluation.evaluate import read_pairs
from headline.formats.tables import CorpusFormat


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A model and a prepared corpus, with the sizes of the measurements."""

    model_dir: Path
    corpus: Path
    data_dir: Path  # the corpus, prepared
    scratch: Path  # a folder for what is written on the way
    rounds: int = 3  # of what is compared
    articles: int = 1000  # written in bulk
    seconds: float = 1.0  # of each point of a growth in a round
    minutes: float = 3.0  # of a training, at most
    rouge_l: float = 60.0  # that a training is to come to
    training_pairs: int = 1500  # of an epoch whose speed is measured
    serve_seconds: float = 30.0  # of each number of clients of a server
    served: int = 20_000  # requests over which the memory of a server is measured
    megabytes: float = 100.0  # of the corpus to prepare
    against_training: str | None = None  # commands to compare with
    against_bulk: str | None = None

    @cached_property
    def bundle(self) -> Bundle:
        """The model, with the settings of the search."""
        return load_bundle(self.model_dir)

    @cached_property
    def held_out(self) -> Sequence[Pair]:
        """The pairs of the test split."""
        return list(read_pairs(self.data_dir / "test.csv", CorpusFormat()))

    @cached_property
    def texts(self) -> Sequence[str]:
        """The articles to write in bulk: held-out ones, again if there are too few."""
        sources = [pair.source for pair in self.held_out]
        return list(islice(cycle(sources), self.articles))
