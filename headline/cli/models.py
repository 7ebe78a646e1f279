"""The model of a command, made ready to write headlines, and its files to be read."""

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
    """Keeps NumPy to one thread; to be called before it is imported.

    The products of one search are small: a second thread spends its time waiting for
    the first, above all where another process uses the cores.
    """
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")


def loaded(model_dir: Path) -> "Bundle":
    """Loads a model.

    Raises:
        BundleError: it is missing or damaged.
    """
    from headline.bundle import load_bundle

    with timed(f"loaded {model_dir}"):
        return load_bundle(model_dir)


def own_search(model_dir: Path | None) -> DecodeConfig:
    """Returns how a model searches by itself; the defaults if there is no model."""
    from headline.bundle import load_bundle

    return DecodeConfig() if model_dir is None else load_bundle(model_dir).decode


def search_of(asked: Asked, own: DecodeConfig, machine: MachineConfig) -> DecodeConfig:
    """Returns how to search: as the model does by itself, but for what is asked for.

    Raises:
        ConfigError: what is asked for does not go together.
    """
    if machine.device == "gpu":
        own = replace(own, batch_size=GPU_BATCH)
    values = over({}, asked.file)
    with asked.blaming_the_file():
        config = own.changed(over(values, asked.given))
    tell_settings(config)
    return config


def generator_of(bundle: "Bundle", asked: Asked, machine: MachineConfig) -> "Generator":
    """Runs a model with its own way to search, but for what is asked for."""
    from headline.generation.parallel import make_generator

    search = search_of(asked, bundle.decode, machine)
    return make_generator(bundle, search, machine.device, machine.workers)


def corpus_format(
    form: FormatConfig, tell: Callable[[str], None] | None = None
) -> "CorpusFormat":
    """Returns how to read the files; see there for ``tell``."""
    from headline.formats.tables import CorpusFormat

    return CorpusFormat(**form.to_dict(), tell=tell, note=Notes(), detail=detail)
