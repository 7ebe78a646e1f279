"""Functions that prepare the model of a command and its options for reading files."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from headline.cli.asked import Asked, tell_settings
from headline.cli.output import Notes
from headline.cli.story import detail, timed
from headline.settings.commands import FormatConfig, MachineConfig
from headline.settings.search import GPU_BATCH, DecodeConfig, over

if TYPE_CHECKING:
    from headline.bundle import Bundle
    from headline.formats.tables import CorpusFormat
    from headline.generation.generator import Generator


def single_blas_thread() -> None:
    """Limits NumPy to one thread; must be called before NumPy is imported.

    The matrix products of a search are small: a second thread mostly waits for the
    first, above all if other processes use the cores.
    """
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")


def loaded(model_dir: Path) -> "Bundle":
    """Loads a model.

    Raises:
        BundleError: the model is missing or damaged.
    """
    from headline.bundle import load_bundle

    with timed(f"loaded {model_dir}"):
        return load_bundle(model_dir)


def own_search(model_dir: Path | None) -> DecodeConfig:
    """Returns the search settings of a model, or the defaults without a model."""
    from headline.bundle import load_bundle

    return DecodeConfig() if model_dir is None else load_bundle(model_dir).decode


def search_of(asked: Asked, own: DecodeConfig, machine: MachineConfig) -> DecodeConfig:
    """Returns the search settings of the model, changed as the user asked.

    Raises:
        ConfigError: the settings cannot be combined.
    """
    if machine.device == "gpu":
        own = replace(own, batch_size=GPU_BATCH)
    values = over({}, asked.file)
    with asked.blaming_the_file():
        config = own.changed(over(values, asked.given))
    tell_settings(config)
    return config


def generator_of(
    bundle: "Bundle", search: DecodeConfig, machine: MachineConfig
) -> "Generator":
    """Returns a generator for a model; see ``search_of`` for its search settings."""
    from headline.generation.parallel import make_generator

    return make_generator(bundle, search, machine.device, machine.workers)


def check_search(
    bundle: "Bundle", search: DecodeConfig, machine: MachineConfig
) -> None:
    """Checks that a model can do a search, before large files are read.

    Raises:
        ConfigError: settings contradict each other, or the model lacks something.
    """
    from headline.generation.generator import Generator

    if machine.device == "cpu":  # otherwise this would load Keras
        Generator.from_bundle(bundle, search).check(search)


def corpus_format(
    form: FormatConfig, tell: Callable[[str], None] | None = None
) -> "CorpusFormat":
    """Returns the options for reading files; see ``CorpusFormat`` for ``tell``."""
    from headline.formats.tables import CorpusFormat

    return CorpusFormat(**form.to_dict(), tell=tell, note=Notes(), detail=detail)
