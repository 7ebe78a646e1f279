"""Scores the weights of an epoch: their loss, and the scores of their headlines."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from headline.engines.base import Engine, Floats, SourceBatch, Step
from headline.engines.keras_engine import KerasEngine
from headline.engines.numpy.engine import NumpyEngine
from headline.evaluation.metrics import Facts, Marks, mark, rates
from headline.generation.generator import Generator
from headline.network.backend import device_in_use
from headline.network.model import weight_arrays
from headline.settings.search import GPU_BATCH
from headline.system.interrupt import Wish
from headline.text.ids import Ids
from headline.text.source import Source
from headline.training.batches import Batches, pipeline
from headline.training.callbacks import Guard
from headline.training.group import PromptWish
from headline.training.training import Training


@dataclass(frozen=True)
class Interruptible:
    """An engine that checks before each step whether a stop was requested."""

    engine: Engine[Any]
    wish: Wish

    def encode(self, sources: SourceBatch) -> Any:
        self.wish.check()
        return self.engine.encode(sources)

    def step(self, state: Any, step: Step) -> tuple[Floats, Ids, Any]:
        self.wish.check()
        return self.engine.step(state, step)


@dataclass(frozen=True)
class Written:
    """Headlines for the articles of the sample, with their marks."""

    headlines: Sequence[str]
    marks: Sequence[Marks]

    @property
    def scores(self) -> dict[str, float]:
        """The scores of all of them together."""
        return rates(self.marks)

    @property
    def rouge_l(self) -> list[float]:
        """The ROUGE-L of each."""
        return [one.rouge.rouge_l for one in self.marks]

    @property
    def statistics(self) -> dict[str, Any]:
        """The statistics for the report: lengths and scores."""
        return {"lengths": [one.length for one in self.marks], **self.scores}


class Scorer:
    """Writes headlines for a fixed sample of the valid split, and scores them.

    They come from the same ``Generator`` as those of ``headline generate``.

    Attributes:
        pairs: the sample.
        references: the reference headlines of the sample.
    """

    def __init__(self, training: Training) -> None:
        self.run, self.dataset = training.run, training.dataset
        self.model, self.wish, group = training.model, training.wish, training.group
        # While process 0 writes, the others wait and agree on nothing.
        self.prompt = self.wish if group.is_alone else PromptWish(group)
        self.pairs = self.dataset.sample("valid", self.run.train.valid_articles)
        self.references = self._marked([one.target for one in self.pairs])
        tokenizer = self.dataset.tokenizer
        most = self.dataset.config.max_source_length
        self._sources = [Source.read(one.source, tokenizer, most) for one in self.pairs]
        self.keras_engine: KerasEngine | None = None
        # All processes would have to run the model on its device.
        if device_in_use() != "CPU" and group.is_alone:
            self.keras_engine = KerasEngine(self.model, self.run.decode.shortlist)

    def losses(self) -> dict[str, float]:
        """Returns loss and metrics on the whole valid split, with the prefix ``val_``.

        Raises:
            Interrupted: a stop was requested.
        """
        with pipeline(Batches(self.dataset, "valid", self.run.train)) as stream:
            logs = self.model.evaluate(
                stream, callbacks=[Guard(self.wish)], return_dict=True, verbose=0
            )
        return {f"val_{name}": float(value) for name, value in logs.items()}

    def write(self) -> Written:
        """Writes the headlines of the sample.

        Raises:
            Interrupted: a stop was requested.
        """
        decode = replace(self.run.decode, num_headlines=1)
        if self.keras_engine is not None:
            decode = replace(decode, batch_size=GPU_BATCH)
        generator = Generator(
            self.dataset.tokenizer,
            Interruptible(self._engine(), self.prompt),
            decode,
            self.dataset.config.max_source_length,
        )
        found = generator.generate(self._sources)
        return self._marked([headlines[0].text for headlines in found])

    def _engine(self) -> Engine[Any]:
        """Returns an engine with the current weights, on the device of the training.

        Both engines agree. On a CPU, NumPy's is faster, and it is the one that users
        run; on another device, the weights stay where they are.
        """
        if self.keras_engine is not None:
            return self.keras_engine
        weights, shortlist = weight_arrays(self.model), self.run.decode.shortlist
        return NumpyEngine(self.model.config, weights, shortlist)

    def _marked(self, headlines: Sequence[str]) -> Written:
        both = zip(self.pairs, headlines, strict=True)
        marks = [mark(text, pair.target, Facts.of(pair.source)) for pair, text in both]
        return Written(headlines, marks)
