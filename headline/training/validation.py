"""What a person sees after each epoch, and what MODEL_DIR keeps of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from headline.bundle import (
    Bundle,
    save_bundle,
    write_history,
    write_report,
    write_samples,
)
from headline.data.corpus import Pair
from headline.data.store import evenly
from headline.engines.base import Engine, Floats, Ids, SourceBatch, Step
from headline.engines.keras_engine import KerasEngine
from headline.engines.numpy.engine import NumpyEngine
from headline.evaluation.metrics import Facts, Marks, Rouge, mark, rates
from headline.generation.generator import Generator
from headline.network.backend import device_in_use
from headline.network.model import weight_arrays
from headline.pages.report import Story, render
from headline.settings.search import GPU_BATCH
from headline.system.interrupt import Interrupt
from headline.training.batches import Batches, pipeline
from headline.training.callbacks import Guard, Training
from headline.training.environment import environment
from headline.training.phases import PSEUDO_PAIRS
from headline.training.watch import columns, rate_of

EXCERPT = 60  # characters of an article shown beside a sample
ROUGE = ("rouge_1", "rouge_2", "rouge_l")
RECORDED = (*ROUGE, "unsupported_numbers", "repeated_bigrams")  # in history.csv


@dataclass(frozen=True)
class Interruptible:
    """An engine that asks before each step whether somebody wants to stop."""

    engine: Engine[Any]
    interrupt: Interrupt

    def encode(self, sources: SourceBatch) -> Any:
        self.interrupt.check()
        return self.engine.encode(sources)

    def step(self, state: Any, step: Step) -> tuple[Floats, Ids, Any]:
        self.interrupt.check()
        return self.engine.step(state, step)


class Validation:
    """After each epoch: headlines for a fixed sample of the valid split, their scores,
    a few of them shown, and the weights kept if they are the best so far.

    The headlines come from the same ``Generator`` as those of ``headline generate``.
    """

    def __init__(self, training: Training) -> None:
        self.run, self.dataset = training.run, training.dataset
        self.model, self.state = training.model, training.state
        self.clock, self.interrupt = training.clock, training.interrupt
        self.report = training.report
        self.pairs = self.dataset.sample("valid", self.run.train.valid_articles)
        self.references = _statistics(self._marks([one.target for one in self.pairs]))
        self.environment = environment()
        self.keras_engine: KerasEngine | None = None
        if device_in_use() != "CPU":
            self.keras_engine = KerasEngine(self.model, self.run.decode.shortlist)

    def end_epoch(self) -> None:
        """Scores the epoch whose updates are over, and writes what is to be kept.

        Raises:
            Interrupted: somebody asked to stop; then nothing has been written.
        """
        begin, epoch = self.clock.seconds(), self.state.epoch
        logs = self.state.current.logs | self._losses()
        headlines = self._write_headlines()
        marks = self._marks(headlines)
        scores = rates(marks)
        rouge_l = [one.rouge.rouge_l for one in marks]
        is_kept = self.state.is_kept(rouge_l)
        self.state.compare(rouge_l)
        self._record(epoch, logs, scores)
        self._show(epoch, headlines, is_kept)
        if is_kept:
            self.state.best = Rouge(*(scores[name] for name in ROUGE))
            self.state.best_epoch = epoch + 1
            self.state.statistics = {
                "model": _statistics(marks),
                "references": self.references,
            }
            self._save(epoch)
        if self.state.stale_epoch(self.run.train.patience) is self.state.history[-1]:
            self._end_soon()
        self._write_story()
        self.state.end_epoch()
        self.state.reserved = self.clock.seconds() - begin

    def _end_soon(self) -> None:
        """Ends the phase, or has Schedule end it once the rate has fallen to 0."""
        config = self.run.train
        told = f"no better ROUGE-L in {config.patience} epochs: "
        if self.state.phase != PSEUDO_PAIRS and config.cooldown_epochs:
            left = f"within {config.cooldown_epochs} more, and it ends"
            self.report(f"{told}the learning rate falls to 0 {left}")
        else:
            self.report(f"{told}stopped")
            self.state.phase_over = True

    def _losses(self) -> dict[str, float]:
        """Returns what the model says of the whole valid split."""
        stream = pipeline(Batches(self.dataset, "valid", self.run.train))
        guard = Guard(self.interrupt)
        logs = self.model.evaluate(
            stream, callbacks=[guard], return_dict=True, verbose=0
        )
        return {f"val_{name}": float(value) for name, value in logs.items()}

    def _write_headlines(self) -> list[str]:
        decode = replace(self.run.decode, num_headlines=1)
        if self.keras_engine is not None:
            decode = replace(decode, batch_size=GPU_BATCH)
        generator = Generator(
            self.dataset.tokenizer,
            Interruptible(self._engine(), self.interrupt),
            decode,
            self.dataset.config.max_source_length,
        )
        found = generator.generate([pair.source for pair in self.pairs])
        return [headlines[0].text for headlines in found]

    def _engine(self) -> Engine[Any]:
        """Returns what runs the weights as they are now, where the training runs.

        Of the two engines, which agree, NumPy's is the faster on a CPU, and the one
        that users have; on another device the weights stay where they are.
        """
        if self.keras_engine is not None:
            return self.keras_engine
        weights, shortlist = weight_arrays(self.model), self.run.decode.shortlist
        return NumpyEngine(self.model.config, weights, shortlist)

    def _marks(self, headlines: Sequence[str]) -> list[Marks]:
        return [
            mark(text, pair.target, Facts.of(pair.source))
            for pair, text in zip(self.pairs, headlines, strict=True)
        ]

    def _record(
        self, epoch: int, logs: Mapping[str, float], scores: Mapping[str, float]
    ) -> None:
        self.state.history.append(
            {
                "epoch": epoch + 1,
                **self.state.phase_column,
                "seconds": round(self.clock.seconds(), 1),
                "updates": self.state.update,
                "learning_rate": rate_of(self.model),
                "loss": round(float(logs["loss"]), 5),
                "valid_loss": round(float(logs["val_loss"]), 5),
                **{name: round(scores[name], 2) for name in RECORDED},
                **columns(logs),
            }
        )

    def _show(self, epoch: int, headlines: list[str], is_kept: bool) -> None:
        row = self.state.history[-1]
        scores = "/".join(f"{row[f'rouge_{which}']:.1f}" for which in "12l")
        what = " on pseudo-pairs" if self.state.phase == PSEUDO_PAIRS else ""
        self.report(
            f"epoch {epoch + 1}{what}: {row['seconds']:.0f} s, loss {row['loss']:.3f}, "
            f"valid loss {row['valid_loss']:.3f}, ROUGE-1/2/L {scores}"
            + (" (kept)" if is_kept else "")
        )
        for place in evenly(len(self.pairs), self.run.train.samples):
            pair = self.pairs[place]
            self.state.samples.append(_sample(epoch, pair, headlines[place]))
            self.report(f"  article    {pair.source[:EXCERPT]}")
            self.report(f"  reference  {pair.target}")
            self.report(f"  headline   {headlines[place]}\n")

    def _save(self, epoch: int) -> None:
        bundle = Bundle(
            model=self.model.config,
            decode=self.run.decode,
            max_source_length=self.dataset.config.max_source_length,
            tokenizer=self.dataset.tokenizer,
            weights=weight_arrays(self.model),
            provenance=self._provenance(epoch),
        )
        save_bundle(self.run.model_dir, bundle)

    def _write_story(self) -> None:
        write_history(self.run.model_dir, self.state.history)
        write_samples(self.run.model_dir, self.state.samples)
        write_report(self.run.model_dir, render(self._story()))

    def _story(self) -> Story:
        summary, model = self.dataset.summary, self.model
        return Story(
            history=self.state.history,
            samples=self.state.samples,
            statistics=self.state.statistics,
            kept=self.state.best_epoch,
            pairs=len(self.dataset.splits["train"]),
            weights=model.count_params(),
            settings={
                "Model": {"preset": self.run.preset, **model.config.to_dict()},
                "Training": self.run.train.to_dict(),
                "Search": self.run.decode.to_dict(),
                "Data": {**summary["config"], **summary["counts"]},
                "Environment": self.environment,
                "Checksums of the data": summary["sha256"],
            },
        )

    def _provenance(self, epoch: int) -> dict[str, Any]:
        summary = self.dataset.summary
        return {
            "preset": self.run.preset,
            "train": self.run.train.to_dict(),
            "epoch": epoch + 1,
            "valid": self.state.history[-1],
            "data": {name: summary[name] for name in ("config", "counts", "sha256")},
            "versions": self.environment,
        }


def _sample(epoch: int, pair: Pair, headline: str) -> dict[str, Any]:
    shown = {"source": pair.source[:EXCERPT], "reference": pair.target}
    return {"epoch": epoch + 1, **shown, "headline": headline}


def _statistics(marks: Sequence[Marks]) -> dict[str, Any]:
    """Returns what the report tells of headlines: lengths, and the rates of faults."""
    return {"lengths": [one.length for one in marks], **rates(marks)}
