"""``headline styles``: finds the styles of a corpus, and teaches them to a model.

1. Read: the model encodes the articles of the train split.
2. Find: the style VAE clusters the forms of the headlines (``finding``).
3. Write: the model writes headlines in all styles for some articles (``written``).
4. Learn: the style tables are fitted on those and on the corpus's own (``tuning``).

The weights of the model stay as they are, byte for byte.
"""

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import cached_property
from typing import Any

import keras

from headline.bundle import (
    Bundle,
    Checkpoint,
    has_styles_checkpoint,
    load_bundle,
    load_styles_checkpoint,
    remove_styles_checkpoint,
    save_bundle,
    save_styles_checkpoint,
    tidy_model,
    without_styles,
)
from headline.data.store import Dataset, open_dataset
from headline.engines.base import StyleEngine
from headline.engines.keras_engine import KerasEngine
from headline.engines.numpy.engine import NumpyEngine
from headline.errors import BundleError, Interrupted, TrainingError
from headline.network.backend import device_in_use, select_device
from headline.network.styles.catalogue import Styles
from headline.settings.styles import StylesRun
from headline.system.blas import blas_threads
from headline.system.folders import locked
from headline.system.interrupt import Wish
from headline.system.progress import Report, clock
from headline.training.scorer import Interruptible
from headline.training.state import check_same
from headline.training.styles.describing import describe, map_of
from headline.training.styles.finding import find_styles
from headline.training.styles.names import report_styles
from headline.training.styles.pairs import Pairs, Reader
from headline.training.styles.tuning import Lessons, Progress, Tuning, make_model
from headline.training.styles.written import Writer, write_in_styles

# Settings that may change on --resume: where it runs, and how often it saves.
MAY_DIFFER = {"device", "checkpoint_minutes", "max_minutes"}
LEAST_PAIRS = 20  # in the train split, for each style


def fit_styles(run: StylesRun, report: Report, wish: Wish | None = None) -> Styles:
    """Finds the styles of a DATA_DIR and writes them into MODEL_DIR, in any thread.

    Args:
        report: called with each line to show to the user.
        wish: a request to stop, which another thread may make.

    Returns:
        the styles.

    Raises:
        TrainingError: the model has styles, or there are too few pairs.
        DataError, BundleError: the DATA_DIR or the model is missing or damaged.
        Interrupted: a stop was requested; a checkpoint was written.
    """
    dataset = open_dataset(run.data_dir)
    with locked(run.model_dir):
        tidy_model(run.model_dir)
        bundle = load_bundle(run.model_dir)
        _check(run, dataset, bundle)
        select_device(run.config.device)
        keras.utils.set_random_seed(run.config.seed)
        fit = _Fit(run, dataset, without_styles(bundle), report, wish or Wish())
        return fit.run_all()


def _check(run: StylesRun, dataset: Dataset, bundle: Bundle) -> None:
    pairs, wanted = len(dataset.splits["train"]), run.config.styles
    if pairs < LEAST_PAIRS * wanted:
        raise TrainingError(
            f"{dataset.path} has {pairs:,} pairs, too few for {wanted} styles: they "
            f"need {LEAST_PAIRS * wanted:,}"
        )
    if run.overwrite or run.resume:
        return
    if has_styles_checkpoint(run.model_dir):
        raise TrainingError(
            f"{run.model_dir} holds a fit of styles that was interrupted: give "
            "--resume to go on with it, or --overwrite to begin again"
        )
    if bundle.styles is not None:
        raise TrainingError(
            f"{run.model_dir} has styles: give --overwrite to find them again"
        )


class _Fit:
    """A running fit of styles.

    Args:
        bundle: the model, without styles.
    """

    def __init__(
        self,
        run: StylesRun,
        dataset: Dataset,
        bundle: Bundle,
        report: Report,
        wish: Wish,
    ) -> None:
        self.run, self.dataset, self.bundle = run, dataset, bundle
        self.report, self.wish = report, wish
        self.begin = time.monotonic()
        self.styles: Styles | None = None
        self.tuning: Tuning | None = None

    def run_all(self) -> Styles:
        """Carries out all stages, or the rest of them, and saves the model."""
        restored = self._restored()
        try:
            if restored is not None and restored.arrays:
                self._restore(restored)
            else:
                # A second thread of NumPy mostly waits in products as small as these.
                with blas_threads(1):
                    self.styles, lessons = self._find()
                self.tuning = self._tuning(lessons, Progress())
                self.save()
            assert self.styles is not None and self.tuning is not None
            self.tuning.run()
        except Interrupted:
            self.save()
            self.report("stopped: the same command with --resume goes on from here")
            raise
        return self._finish(self.styles, self.tuning)

    # --- stages -----------------------------------------------------------------------

    def _find(self) -> tuple[Styles, Lessons]:
        config, check = self.run.config, self.wish.check
        train, held_out = self._read()
        found = find_styles(train, held_out, config, self.report, check)
        styles = Styles(
            judge=found.judge,
            second=found.second,
            styles=describe(found.judge, train, held_out),
            map=map_of(found.judge, held_out if len(held_out) else train),
            fit={
                "settings": config.to_dict(),
                "pairs": len(train),
                "agreements": found.agreements,
                "vae": found.history,
            },
        )
        writer = Writer(
            engine=Interruptible(self._engine, self.wish),
            tokenizer=self.bundle.tokenizer,
            decode=self.bundle.decode,
            max_length=self.bundle.max_source_length,
        )
        written = write_in_styles(writer, train, found.judge, config, self.report)
        self.report(
            f"wrote {len(written):,} headlines in clear styles for "
            f"{min(config.articles, len(train)):,} articles"
        )
        posterior = found.judge.posterior(train.forms, train.features)
        return styles, Lessons.of(train, written, posterior, config.seed)

    def _read(self) -> tuple[Pairs, Pairs]:
        reader = Reader(
            tokenizer=self.bundle.tokenizer,
            max_length=self.bundle.max_source_length,
            engine=self._engine,
            check=self.wish.check,
        )
        train = reader.train_pairs(self.dataset, self.run.config.pairs)
        self.report(f"read {len(train):,} pairs in {clock(self._seconds)}")
        return train, reader.held_out_pairs(self.dataset)

    @cached_property
    def _engine(self) -> StyleEngine[Any]:
        """The model without styles, on the device of the fit; see ``Scorer``."""
        model, weights = self.bundle.model, self.bundle.weights
        shortlist = self.bundle.decode.shortlist
        if device_in_use() == "CPU":
            return NumpyEngine(model, weights, shortlist)
        return KerasEngine.from_weights(model, weights, shortlist)

    def _tuning(self, lessons: Lessons, progress: Progress) -> Tuning:
        tokenizer = self.bundle.tokenizer
        return Tuning(
            config=self.run.config,
            model=make_model(self.bundle, self.run.config),
            lessons=lessons,
            dataset=replace(self.dataset, tokenizer=tokenizer),
            progress=progress,
            begin=self.begin,
            wish=self.wish,
            report=self.report,
            save=self.save,
        )

    def _finish(self, styles: Styles, tuning: Tuning) -> Styles:
        fit = {**styles.fit, "tables": tuning.progress.history}
        styles = replace(styles, fit=fit)
        bundle = with_styles(self.bundle, styles, tuning.finished_tables())
        save_bundle(self.run.model_dir, bundle)
        report_styles(self.run.model_dir, styles)
        remove_styles_checkpoint(self.run.model_dir)
        self.report(f"styles of {self.run.model_dir} in {clock(self._seconds)}")
        return styles

    @property
    def _seconds(self) -> float:
        return time.monotonic() - self.begin

    # --- checkpoints ------------------------------------------------------------------

    def save(self) -> None:
        """Writes a checkpoint; before the tables are learned, it has the settings only.

        All before is quick, and comes out the same when it is done again.
        """
        state: dict[str, Any] = {"settings": self._settings}
        arrays: dict[str, Any] = {}
        if self.styles is not None and self.tuning is not None:
            self.tuning.progress.seconds = self._seconds
            state["styles"] = self.styles.to_dict()
            state["progress"] = asdict(self.tuning.progress)
            arrays = {**self.styles.to_arrays(), **self.tuning.to_arrays()}
        save_styles_checkpoint(self.run.model_dir, Checkpoint(state, arrays))

    def _restored(self) -> Checkpoint | None:
        """Returns the checkpoint that the fit continues; None if it begins.

        Raises:
            BundleError: there is no checkpoint.
            TrainingError: its settings are others.
        """
        if not self.run.resume:
            return None
        checkpoint = load_styles_checkpoint(self.run.model_dir)
        check_same(checkpoint.state.get("settings", {}), self._settings)
        return checkpoint

    def _restore(self, checkpoint: Checkpoint) -> None:
        state, arrays, width = (
            checkpoint.state,
            checkpoint.arrays,
            self.bundle.model.width,
        )
        try:
            self.styles = Styles.from_files(state["styles"], arrays, width)
            progress = Progress(**state["progress"])
            lessons = Lessons.from_arrays(arrays)
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(f"the checkpoint is damaged: {error!r}") from error
        self.begin -= progress.seconds
        self.tuning = self._tuning(lessons, progress)
        self.tuning.restore(arrays)

    @cached_property
    def _settings(self) -> Mapping[str, Any]:
        """All settings that must be the same when a fit is resumed."""
        config = self.run.config.to_dict()
        kept = {name: one for name, one in config.items() if name not in MAY_DIFFER}
        others = {
            "backend": keras.backend.backend(),
            "data": dict(self.dataset.fingerprint),
            "model": _digest(self.bundle),
        }
        plain: dict[str, Any] = json.loads(json.dumps(others | kept))
        return plain


def with_styles(bundle: Bundle, styles: Styles, tables: Mapping[str, Any]) -> Bundle:
    """Returns a model with styles.

    Args:
        bundle: the model without styles.
        tables: its style tables.
    """
    model = replace(bundle.model, styles=len(styles))
    weights = {**bundle.weights, **tables}
    return replace(bundle, model=model, weights=weights, styles=styles)


def _digest(bundle: Bundle) -> str:
    """Returns a checksum of the weights of a model."""
    digest = hashlib.sha256()
    for name in sorted(bundle.weights):
        digest.update(name.encode())
        digest.update(bundle.weights[name].tobytes())
    return digest.hexdigest()
