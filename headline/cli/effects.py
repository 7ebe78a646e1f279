"""Options that would have no effect are refused, not ignored.

Only settings given on the command line are checked; those of a file, a preset or a
model may be meant for other calls.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headline.cli.asked import Asked
from headline.settings.base import schema
from headline.settings.clean import CleanConfig
from headline.settings.search import DecodeConfig
from headline.system.compression import plain_name

if TYPE_CHECKING:
    from headline.settings.hosts import HostsConfig
    from headline.settings.model import ModelConfig
    from headline.settings.train import TrainConfig

# A setting, whether it has an effect, and what it needs to have one.
Rule = tuple[str, bool, str]

SCORING = ("batch_size", "shortlist")  # search settings that scoring uses
DELIMITED = (".csv", ".tsv")


def refuse_idle(asked: Asked, rules: Iterable[Rule]) -> None:
    """Refuses settings that would have no effect.

    Raises:
        click.UsageError: such a setting was given.
    """
    for name, works, needs in rules:
        if name in asked.given and not works:
            flag = name.replace("_", "-")
            raise click.UsageError(f"--{flag} has no effect: it needs {needs}")


def search_rules(search: DecodeConfig, own: DecodeConfig) -> Iterable[Rule]:
    """Yields the rules for settings of the search; 0 is always allowed.

    Args:
        search: the search that the user asked for.
        own: the default search of the model.
    """
    yield "seed", search.sample or search.in_styles, "--sample, --style or --styles"
    # Setting diversity also switches off the model's own consensus.
    several = search.num_headlines > 1 or own.consensus or not search.diversity
    yield "diversity", several, "--num-headlines 2 or more"
    gives_up = search.gives_up or search.in_styles or not search.beam_threshold
    one = "one headline, without --consensus and --sample"
    yield "beam_threshold", gives_up, one


def scoring_rules() -> Iterable[Rule]:
    """Yields the rules for settings that scoring does not use."""
    unused = [one.name for one in schema(DecodeConfig) if one.name not in SCORING]
    for name in (*unused, "workers"):
        yield name, False, "headlines to be written, and --score writes none"


def format_rules(files: Sequence[Path]) -> Iterable[Rule]:
    """Yields the rules for settings of the file format.

    Args:
        files: the input files; empty means stdin, which is text.
    """
    from headline.formats.registry import format_of  # loads all formats

    yield "delimiter", any(map(is_delimited, files)), "a CSV or TSV file"
    formats = [*map(format_of, files)]
    has_text = not files or any(one is None or one.is_text for one in formats)
    yield "encoding", has_text, "a file that is text"


def cleaning_rules(cleaning: CleanConfig) -> Iterable[Rule]:
    """Yields the rules for settings of the cleaning."""
    for one in schema(CleanConfig):
        yield one.name, cleaning.clean or one.name == "clean", "--clean"


def text_rules(files: Sequence[Path], texts: Sequence[Path]) -> Iterable[Rule]:
    """Yields the rules for settings of ``generate`` about text and tables.

    Args:
        files: the input files; empty means stdin, which is text.
        texts: the files that are plain text.
    """
    has_tables = len(texts) < len(files)
    yield "lines", bool(texts) or not files, "plain text, from a .txt file or stdin"
    for name in ("source_column", "headline_column"):
        yield name, has_tables, "a table, such as a CSV or JSONL file"


def training_rules(model: "ModelConfig", train: "TrainConfig") -> Iterable[Rule]:
    """Yields the rules for settings of a training; 0 is always allowed."""
    yield "clip_scope", train.clip_norm > 0, "--clip-norm above 0"
    has_bigrams = model.bigrams > 0 or not model.bigram_dropout
    yield "bigram_dropout", has_bigrams, "--bigrams above 0"
    bigrams = model.bigram_dropout if model.bigrams else 0
    drops = model.dropout or model.token_dropout or bigrams
    rises = bool(drops or not train.dropout_epochs)
    yield "dropout_epochs", rises, "--dropout, or another dropout, above 0"


def hosts_rules(hosts: "HostsConfig") -> Iterable[Rule]:
    """Yields the rules for settings of a training on several hosts."""
    several, on_ray = hosts.hosts == "auto", hosts.on == "ray"
    yield "processes", several, "--hosts auto"
    yield "process_id", several, "--hosts auto"
    yield "join_minutes", several or on_ray, "--hosts auto, or --on ray"
    yield "stall_minutes", several or on_ray, "--hosts auto, or --on ray"
    for name in ("workers", "address", "gpus_per_worker"):
        yield name, on_ray, "--on ray"


def is_delimited(path: Path) -> bool:
    """Tells whether the name of a file means CSV or TSV."""
    return plain_name(path).endswith(DELIMITED)


def has_controls(path: Path, texts: Sequence[Path]) -> bool:
    """Tells whether rows of a file may set search options, as in JSON Lines."""
    from headline.formats.registry import format_of  # loads all formats

    format = format_of(path)
    return path not in texts and format is not None and format.takes_settings
