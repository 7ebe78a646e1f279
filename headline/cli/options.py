"""The options of the commands: names, types and defaults are those of the settings."""

import os
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import click

from headline.errors import ConfigError, HeadlineError
from headline.settings.base import Config
from headline.settings.model import ModelConfig
from headline.settings.prepare import MOST_WEIGHT, PrepareConfig
from headline.settings.search import GPU_BATCH, DecodeConfig
from headline.settings.train import (
    DROPOUT_EPOCHS,
    EPOCHS,
    FEW_PAIRS,
    LEAST_MINUTES,
    RATES,
    TrainConfig,
)

MOST_WORKERS = 1024

Command = TypeVar("Command", bound=Callable[..., Any])

STREAM = "-"  # stdin or stdout


class UserPath(click.Path):
    """A path; a ``~`` that no shell has expanded is the home folder.

    Shells leave that of ``--model=~/news`` and of variables as it is. A file that is
    called ``~`` or ``-`` can be named with its folder.

    Args:
        no_stream: why ``-`` cannot be taken; nothing where it stands for a stream.
    """

    def __init__(self, no_stream: str = "", **kind: Any) -> None:
        super().__init__(path_type=Path, allow_dash=not no_stream, **kind)
        self._no_stream = no_stream

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:
        text = os.fspath(value)
        if text == STREAM and self._no_stream:
            raise HeadlineError(f"{STREAM} {self._no_stream}")
        if text != STREAM and Path(text) == Path(STREAM):
            text = os.path.abspath(text)  # of ./- a Path keeps the name alone
        if text.startswith("~") and not os.path.lexists(text):
            text = os.path.expanduser(text)
        return super().convert(text, param, ctx)


class OutputFile(UserPath):
    """A file to write, or ``-`` for stdout; ``outputs`` says what else it may be."""

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:
        # A Path would forget how it is written.
        if os.path.basename(value) in ("", os.curdir, os.pardir):
            raise HeadlineError(
                f"cannot write {os.fspath(value)!r}: that names a folder; name a file"
            )
        return super().convert(value, param, ctx)


READ_ONCE = "is stdin, and can be read only once: save it to a file, and name that"
INPUT = UserPath(exists=True, dir_okay=False)
CORPUS = UserPath(READ_ONCE, exists=True, dir_okay=False)
COMPARED = UserPath(READ_ONCE, exists=True)
FOLDER = UserPath("is no folder: name one, such as ./-", file_okay=False)
OUTPUT = OutputFile()


def option(
    config: type[Config], name: str, help: str, flags: str = "", **more: Any
) -> Callable[[Command], Command]:
    """An option whose name, type and default are those of a setting.

    Args:
        flags: how it is written, if not as the setting is called.
    """
    default = getattr(config, name)
    if not isinstance(default, bool):  # click finds out what a switch is
        more.setdefault("type", type(default))
    # Of "nothing" there is nothing to show.
    more.setdefault("show_default", default not in ("", ()))
    flags = flags or "--" + name.replace("_", "-")
    return click.option(flags, name, default=default, help=help, **more)


def options(*decorators: Any) -> Callable[[Command], Command]:
    """Puts several options on a command, listed in this order by ``--help``."""

    def decorate(command: Command) -> Command:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


def workers_option(help: str) -> Callable[[Command], Command]:
    """The option ``--workers``."""
    return click.option(
        "--workers",
        type=click.IntRange(1, MOST_WORKERS),
        show_default="the cores there are",
        help=help,
    )


format_options = options(
    click.option("--encoding", default="auto", show_default="detected", metavar="NAME",
                 help="Encoding of the files, such as utf-8 or gb18030."),
    click.option("--delimiter", metavar="CHAR", show_default="found in the header",
                 help="Character between the columns of CSV files, such as ; or tab."),
    click.option("--source-column", metavar="NAME", show_default="found by its name",
                 help="Column of the articles."),
    click.option("--strict", is_flag=True,
                 help="Stop at a row that cannot be read, instead of leaving it out."),
)  # fmt: skip
target_option = click.option(
    "--target-column",
    metavar="NAME",
    show_default="found by its name",
    help="Column of the headlines.",
)
prepare_options = options(
    option(
        PrepareConfig,
        "tokenizer",
        "A token is a character, or a word by jieba.",
        type=click.Choice(["char", "word"]),
    ),
    option(PrepareConfig, "vocab_size", "Most tokens that can be written uncopied."),
    option(PrepareConfig, "min_count", "Least occurrences of such a token."),
    option(
        PrepareConfig, "min_source_length", "Articles of fewer characters are rejected."
    ),
    option(PrepareConfig, "max_source_length", "Articles are cut to these characters."),
    option(
        PrepareConfig,
        "min_target_length",
        "Headlines of fewer characters are rejected.",
    ),
    option(
        PrepareConfig, "max_target_length", "Headlines of more characters are rejected."
    ),
    option(PrepareConfig, "valid_size", "Share of articles for validation."),
    option(PrepareConfig, "test_size", "Share of articles for the final test."),
)
train_options = options(
    option(
        TrainConfig,
        "epochs",
        "Most passes over the train split.",
        type=int,
        show_default=f"{EPOCHS}; with --max-minutes no limit",
    ),
    option(
        TrainConfig,
        "max_minutes",
        "Most minutes of wall time; the learning rate falls over whichever ends first.",
        type=float,
        show_default="no limit",
    ),
    option(
        TrainConfig,
        "pretrain_share",
        "Share of updates, or of the minutes, for the pseudo-pairs, which come first;"
        " 0 skips them.",
    ),
    option(TrainConfig, "batch_size", "Pairs in a batch."),
    option(TrainConfig, "accumulate", "Batches of an update, as if they were one."),
    option(
        TrainConfig,
        "optimizer",
        "How gradients become changes; sgd has a momentum of 0.9.",
        type=click.Choice(list(RATES)),
    ),
    option(
        TrainConfig,
        "learning_rate",
        "Highest learning rate.",
        type=float,
        show_default=", ".join(f"{rate:g} {kind}" for kind, rate in RATES.items()),
    ),
    option(
        TrainConfig,
        "lr_multiplier",
        "Weights whose names the regular expression is found in learn at FACTOR times"
        " the rate; the last that fits counts; repeatable.",
        metavar="PATTERN=FACTOR",
        multiple=True,
        type=str,
    ),
    option(
        TrainConfig,
        "freeze",
        "Weights of such names stay as they are; repeatable.",
        metavar="PATTERN",
        multiple=True,
        type=str,
    ),
    option(TrainConfig, "warmup_updates", "Updates until it is reached."),
    option(
        TrainConfig,
        "schedule",
        "What it does then: fall to 0, or stay.",
        type=click.Choice(["linear", "constant"]),
    ),
    option(
        TrainConfig,
        "shortlist",
        "Most frequent tokens in the softmax of an update, beside those of its"
        " headlines; 0 for the whole vocab, which is slower.",
    ),
    option(TrainConfig, "clip_norm", "Greatest norm of the gradients; 0 is off."),
    option(
        TrainConfig,
        "clip_scope",
        "Clip the gradients of the whole model together, or those of each weight.",
        type=click.Choice(["model", "weight"]),
    ),
    option(
        TrainConfig,
        "r_drop",
        "Read each batch twice, and weigh so much how far the dropout puts both apart;"
        " 0 is off.",
        type=float,
        show_default=f"1 below {FEW_PAIRS:,} pairs, {LEAST_MINUTES:g} minutes or more"
        " and no --init-from; else 0",
    ),
    option(
        TrainConfig,
        "patience",
        "Epochs without a better ROUGE-L after which the training ends; 0 is off.",
    ),
    option(ModelConfig, "dropout", "Share of values dropped."),
    option(ModelConfig, "token_dropout", "Share of tokens read as unknown."),
    option(ModelConfig, "bigram_dropout", "Share of pairs of neighbours not read."),
    option(
        TrainConfig,
        "dropout_epochs",
        "Epochs over which these three rise from 0; a training of fewer drops less, and"
        " one of a single epoch nothing. 0: they are as given from the start.",
        type=float,
        show_default=f"{DROPOUT_EPOCHS:g}; 0 below {FEW_PAIRS:,} pairs",
    ),
    option(ModelConfig, "width", "Width of embedding, encoder and decoder."),
    option(ModelConfig, "encoder_layers", "Bidirectional LSTM layers."),
    option(ModelConfig, "decoder_layers", "LSTM layers."),
    option(ModelConfig, "heads", "Attention heads, a divisor of the width."),
    option(
        ModelConfig,
        "match_length",
        "Last tokens of the headline that attention and pointer find again in the"
        " article; 0 is off.",
    ),
    option(
        ModelConfig,
        "bigrams",
        "Embeddings of pairs of neighbours in the article, shared by hash; 0 is off.",
    ),
    option(TrainConfig, "seed", "Seed of weights, dropout and order."),
    option(
        TrainConfig,
        "device",
        "Where to train; auto takes a GPU if there is one.",
        type=click.Choice(["auto", "cpu", "gpu"]),
    ),
    option(
        TrainConfig,
        "checkpoint_minutes",
        "Minutes after which a checkpoint is kept within an epoch; there is always one"
        " at its end.",
    ),
    option(TrainConfig, "valid_articles", "Valid articles to decode each epoch."),
    option(TrainConfig, "samples", "Sample headlines to show each epoch."),
)
decode_options = options(
    option(DecodeConfig, "beam_size", "Hypotheses kept at each step; 1 is greedy."),
    option(
        DecodeConfig,
        "beam_threshold",
        "Give up hypotheses so far behind the best, in nats, where one headline is"
        " asked for; 0 is off.",
    ),
    option(
        DecodeConfig,
        "consensus",
        "Of the hypotheses of the beam, write those most like all of them.",
        flags="--consensus/--no-consensus",
    ),
    option(
        DecodeConfig,
        "length_penalty",
        "Alpha in rank = log P / ((5 + length) / 6)^alpha. Higher favours longer"
        " headlines; 0 is off.",
    ),
    option(DecodeConfig, "min_length", "Least characters of a headline."),
    option(DecodeConfig, "max_length", "Most characters of a headline."),
    option(DecodeConfig, "target_length", "Characters to come near to; 0 is off."),
    option(
        DecodeConfig,
        "exact_numbers",
        "Write numbers, codes and Latin words of the article only, and whole.",
        flags="--exact-numbers/--no-exact-numbers",
    ),
    option(
        DecodeConfig,
        "no_repeat_ngram_size",
        "No so many tokens in a row stand twice in a headline; 0 is off.",
    ),
    option(DecodeConfig, "prefix", "What each headline begins with.", metavar="TEXT"),
    option(
        DecodeConfig,
        "must_include",
        "A word that each headline holds; repeatable.",
        metavar="WORD",
        multiple=True,
        type=str,
    ),
    option(
        DecodeConfig,
        "avoid",
        "A word that no headline holds; repeatable.",
        metavar="WORD",
        multiple=True,
        type=str,
    ),
    option(
        DecodeConfig,
        "diversity",
        "How far several headlines keep away from each other's tokens; 0 is off.",
    ),
    option(
        DecodeConfig,
        "sample",
        "Draw headlines at random, no two alike.",
        flags="--sample/--no-sample",
    ),
    option(DecodeConfig, "temperature", "Of samples: below 1 keeps to the likeliest."),
    option(
        DecodeConfig, "top_p", "Samples keep the likeliest tokens of this probability."
    ),
    option(DecodeConfig, "seed", "Of samples."),
    option(
        DecodeConfig,
        "batch_size",
        f"Articles searched together, of long ones fewer; on a GPU {GPU_BATCH} if left"
        " out.",
    ),
    option(
        DecodeConfig,
        "shortlist",
        "Write so many of the most frequent tokens, and those of the article; 0 for"
        " all that the model knows, which is slower.",
    ),
    click.option(
        "--device",
        type=click.Choice(["cpu", "gpu"]),
        default="cpu",
        show_default=True,
        help="cpu runs on NumPy alone; gpu loads Keras.",
    ),
    workers_option("Processes, on a GPU 1 if left out; one writes few articles."),
)


def weights_of(values: Sequence[str], files: Sequence[Path]) -> dict[Path, float]:
    """Reads what ``--weight`` says: FILE=FACTOR.

    Raises:
        ConfigError: it is written otherwise, a file is none of ``files`` or stands
            there twice, or a factor is no number above 0 and at most ``MOST_WEIGHT``.
    """
    weights: dict[Path, float] = {}
    for value in values:
        name, found, factor = value.rpartition("=")
        path = Path(name)
        if not found:
            raise ConfigError(f"it is written FILE=FACTOR; got {value!r}", "weight")
        if path not in files:
            known = ", ".join(map(str, files))
            raise ConfigError(f"{name!r} is none of the corpora: {known}", "weight")
        if path in weights:
            raise ConfigError(f"{name!r} has two weights", "weight")
        weights[path] = _factor(name, factor)
    return weights


def _factor(name: str, written: str) -> float:
    try:
        factor = float(written)
    except ValueError:
        factor = 0.0
    if not 0 < factor <= MOST_WEIGHT:
        message = (
            f"the factor of {name!r} must be a number above 0, at most "
            f"{MOST_WEIGHT:g}; got {written!r}"
        )
        raise ConfigError(message, "weight")
    return factor


def given(settings: dict[str, Any]) -> dict[str, Any]:
    """Returns the settings whose options were given.

    The others keep what the preset, or the model, says.
    """
    context = click.get_current_context()
    default = click.core.ParameterSource.DEFAULT
    return {
        name: value
        for name, value in settings.items()
        if context.get_parameter_source(name) != default
    }


def pick(config: type[Any], settings: dict[str, Any]) -> dict[str, Any]:
    """Returns those of the settings that belong to ``config``."""
    known = {setting.name for setting in fields(config)}
    return {name: value for name, value in settings.items() if name in known}
