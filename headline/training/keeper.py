"""Writes the best weights, and history, samples and report, to MODEL_DIR."""

from collections.abc import Mapping
from typing import Any

from headline.bundle import (
    CARD,
    Bundle,
    has_foreign_readme,
    save_bundle,
    write_history,
    write_report,
    write_samples,
)
from headline.evaluation.metrics import Rouge
from headline.network.model import weight_arrays
from headline.pages.model_card import model_card
from headline.pages.report import Story, render
from headline.training.callbacks import columns
from headline.training.environment import environment
from headline.training.scorer import Written
from headline.training.training import Training, rate_of

ROUGE = ("rouge_1", "rouge_2", "rouge_l")
RECORDED = (*ROUGE, "unsupported_numbers", "repeated_bigrams")  # in history.csv


class Keeper:
    """Keeps the weights unless they are clearly worse, and records each epoch.

    Args:
        references: the reference headlines of the sample.
    """

    def __init__(self, training: Training, references: Written) -> None:
        self.run, self.dataset = training.run, training.dataset
        self.model, self.state = training.model, training.state
        self.clock = training.clock
        self.references = references.statistics
        self.environment = environment()
        if has_foreign_readme(self.run.model_dir):
            path = self.run.model_dir / CARD
            training.report(
                f"{path} is your own text, so it stays and no model card is written"
            )

    def record(self, logs: Mapping[str, float], scores: Mapping[str, float]) -> None:
        """Adds the row of an epoch to the history.

        Args:
            logs: logs of its updates and, with the prefix ``val_``, of its validation.
            scores: scores of its headlines.
        """
        self.state.history.append(
            {
                "epoch": self.state.epoch + 1,
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

    def keep_best(self, written: Written) -> bool:
        """Keeps the weights of the last row unless they are clearly worse.

        Args:
            written: the headlines that they wrote.

        Returns:
            whether they are kept.
        """
        is_kept = self.state.is_kept(written.rouge_l)
        self.state.compare(written.rouge_l)
        if is_kept:
            scores, epoch = written.scores, self.state.epoch
            self.state.best = Rouge(*(scores[name] for name in ROUGE))
            self.state.best_epoch = epoch + 1
            self.state.statistics = {
                "model": written.statistics,
                "references": self.references,
            }
            self._save(epoch)
        return is_kept

    def _save(self, epoch: int) -> None:
        bundle = Bundle(
            model=self.model.config,
            decode=self.run.decode,
            max_source_length=self.dataset.config.max_source_length,
            tokenizer=self.dataset.tokenizer,
            weights=weight_arrays(self.model),
            provenance=self._provenance(epoch),
            rules=self.dataset.rules,
        )
        save_bundle(self.run.model_dir, bundle, model_card(bundle))

    def write(self) -> None:
        """Writes history, samples and report of all epochs so far."""
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
        return {
            "preset": self.run.preset,
            "train": self.run.train.to_dict(),
            "epoch": epoch + 1,
            "valid": self.state.history[-1],
            "data": self.dataset.origin,
            "versions": self.environment,
        }
