"""Settings of the commands themselves: input files, output, machine."""

from dataclasses import dataclass
from typing import Literal

from headline.settings.base import Config, Range, setting

MOST_WORKERS = 1024

_FILES, _OUTPUT, _MACHINE = "Input files", "Output", "Machine"
_SHARDS = "Many articles"


@dataclass(frozen=True, kw_only=True)
class FormatConfig(Config):
    """The format of the input files; settings left out are detected."""

    section = "format"

    encoding: str = setting(
        "auto",
        "Encoding of the files, such as utf-8 or gb18030.",
        group=_FILES,
        unit="name",
        default_text="detected",
    )
    delimiter: str | None = setting(
        None,
        "Delimiter between the columns of CSV and TSV files: one character, or the word"
        " tab, comma, semicolon or pipe.",
        group=_FILES,
        unit="char",
        default_text="found in the header",
    )
    source_column: str | None = setting(
        None,
        "Column of the articles; data.body is the key body in the object data.",
        group=_FILES,
        level="basic",
        unit="name",
        default_text="found by a usual name, such as content, text or 正文",
    )
    target_column: str | None = setting(
        None,
        "Column of the headlines; data.title is the key title in the object data.",
        group=_FILES,
        level="basic",
        unit="name",
        default_text="found by a usual name, such as title or 标题",
    )
    strict: bool = setting(
        False,
        "Stop at the first row that cannot be read, instead of skipping it.",
        group=_FILES,
    )


@dataclass(frozen=True, kw_only=True)
class GenerateConfig(Config):
    """The articles that ``headline generate`` reads, and the output it writes."""

    section = "generate"

    lines: bool = setting(
        False, "Each line of text is an article.", group=_FILES, level="basic"
    )
    headline_column: str = setting(
        "headline",
        "Name of the column or key that is added to tables.",
        group=_OUTPUT,
        unit="name",
    )
    with_scores: bool = setting(
        False,
        "Write the natural log-probability of each headline after it: in text after a"
        " tab, in CSV and TSV in a column, in JSONL under the key score.",
        group=_OUTPUT,
    )


@dataclass(frozen=True, kw_only=True)
class MachineConfig(Config):
    """The device and the number of processes that a model runs on."""

    section = "machine"

    device: Literal["cpu", "gpu"] = setting(
        "cpu",
        "Processor for the model; cpu needs NumPy alone, gpu loads Keras.",
        group=_MACHINE,
        level="basic",
    )
    workers: int | None = setting(
        None,
        "Number of worker processes; little input is handled by one.",
        group=_MACHINE,
        level="basic",
        unit="processes",
        range=Range(low=1, high=MOST_WORKERS),
        default_text="one per core; 1 on a GPU",
    )


@dataclass(frozen=True, kw_only=True)
class ShardsConfig(Config):
    """How many articles are split into shards, with ``--output-dir``."""

    section = "shards"

    rows_per_shard: int = setting(
        10_240,  # a multiple of the windows that are sorted by length
        "Articles of each output file; a killed worker loses the work on one file.",
        group=_SHARDS,
        unit="rows",
        range=Range(low=1),
    )
