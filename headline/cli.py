"""The command line: options to a config, one call, and what is printed.

stdout is the result, stderr the story. Only click, the config and the errors are
imported here; what a command needs is imported inside it, so that ``--help`` and
usage errors come at once, and only ``train`` loads Keras.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import click

from headline import __version__
from headline.config import (
    PRESETS,
    Config,
    DecodeConfig,
    Device,
    ModelConfig,
    PrepareConfig,
    Run,
    TrainConfig,
)
from headline.errors import ConfigError, HeadlineError

if TYPE_CHECKING:
    from headline.articles import Explain
    from headline.generator import Generator

Command = TypeVar("Command", bound=Callable[..., Any])

EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)


class HeadlineGroup(click.Group):
    """Prints what a user has caused in one line; a bug keeps its traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            flag = error.setting and f"--{error.setting.replace('_', '-')}: "
            raise click.UsageError(f"{flag or ''}{error}") from error
        except HeadlineError as error:
            raise click.ClickException(str(error)) from error


@click.group(
    cls=HeadlineGroup, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(__version__, prog_name="headline")
def main() -> None:
    """Write Chinese headlines: prepare a corpus, train a model, generate.

    \b
    Example:
        headline prepare news.csv -o prepared/news
        headline train prepared/news -o models/news --max-minutes 10
        headline evaluate models/news prepared/news/test.csv
        cat article.txt | headline generate -m models/news
    """


def option(
    config: type[Config], name: str, help: str, **more: Any
) -> Callable[[Command], Command]:
    """An option whose name, type and default are those of a setting."""
    default = getattr(config, name)
    more.setdefault("type", type(default))
    more.setdefault("show_default", True)
    flag = "--" + name.replace("_", "-")
    return click.option(flag, name, default=default, help=help, **more)


def options(*decorators: Any) -> Callable[[Command], Command]:
    """Puts several options on a command, listed in this order by ``--help``."""

    def decorate(command: Command) -> Command:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


format_options = options(
    click.option("--encoding", default="utf-8", show_default=True, metavar="NAME",
                 help="Encoding of the files, such as gb18030."),
    click.option("--source-column", metavar="NAME", show_default="found by its name",
                 help="Column of the articles."),
)  # fmt: skip
target_option = click.option(
    "--target-column",
    metavar="NAME",
    show_default="found by its name",
    help="Column of the headlines.",
)
decode_options = options(
    option(DecodeConfig, "beam_size", "Hypotheses kept at each step; 1 is greedy."),
    option(DecodeConfig, "min_length", "Least characters of a headline."),
    option(DecodeConfig, "max_length", "Most characters of a headline."),
    option(DecodeConfig, "length_penalty",
           "Alpha in score = log P / ((5 + length) / 6)^alpha. Higher favours longer"
           " headlines; 0 is off."),
    option(DecodeConfig, "batch_size", "Articles searched together."),
    click.option("--device", type=click.Choice(["cpu", "gpu"]), default="cpu",
                 show_default=True, help="cpu runs on NumPy alone; gpu loads Keras."),
)  # fmt: skip


@main.command()
@click.argument("files", nargs=-1, required=True, type=EXISTING)
@click.option(
    "-o",
    "--output",
    "data_dir",
    type=FOLDER,
    required=True,
    metavar="DATA_DIR",
    help="Folder for the dataset.",
)
@format_options
@target_option
@options(
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
@click.option("--overwrite", is_flag=True, help="Replace the dataset in DATA_DIR.")
def prepare(
    files: Sequence[Path],
    data_dir: Path,
    encoding: str,
    source_column: str | None,
    target_column: str | None,
    overwrite: bool,
    **settings: Any,
) -> None:
    """Turn a corpus of articles and headlines into a dataset.

    FILES are CSV, TSV or JSON Lines, each plain or .gz, with a column of headlines
    (title, headline, 标题) and one of articles (content, article, text, 正文). Rows
    that cannot be used are listed with their reasons in DATA_DIR/rejects.csv; the
    held-out pairs are written as text to DATA_DIR/valid.csv and DATA_DIR/test.csv.

    \b
    Example:
        headline prepare news.csv -o prepared/news
        headline prepare a.csv.gz b.jsonl -o prepared/both --encoding gb18030
    """
    from tqdm import tqdm

    from headline.prepare import Job, summary_table
    from headline.prepare import prepare as prepare_corpus
    from headline.tables import CorpusFormat, total_bytes

    job = Job(
        files=files,
        data_dir=data_dir,
        format=CorpusFormat(
            encoding=encoding, source_column=source_column, target_column=target_column
        ),
        config=PrepareConfig(**given(settings)),
        overwrite=overwrite,
    )
    with tqdm(
        total=total_bytes(files), unit="B", unit_scale=True, leave=False, disable=None
    ) as bar:
        summary = prepare_corpus(job, bar.update)
    click.echo(summary_table(summary), err=True)
    click.echo(data_dir)


@main.command()
@click.argument("data_dir", type=FOLDER)
@click.option(
    "-o",
    "--output",
    "model_dir",
    type=FOLDER,
    required=True,
    metavar="MODEL_DIR",
    help="Folder for the model.",
)
@click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    default="pointer",
    show_default=True,
    help="pointer copies from the article; seed is the model of J. Su 2018.",
)
@options(
    option(TrainConfig, "epochs", "Most passes over the train split."),
    option(
        TrainConfig,
        "max_minutes",
        "Most minutes of wall time; the learning rate falls over whichever ends first.",
        type=float,
        show_default="no limit",
    ),
    option(TrainConfig, "batch_size", "Pairs in a batch."),
    option(TrainConfig, "learning_rate", "Highest learning rate."),
    option(TrainConfig, "warmup_updates", "Updates until it is reached."),
    option(
        TrainConfig,
        "schedule",
        "What it does then: fall to 0, or stay.",
        type=click.Choice(["linear", "constant"]),
    ),
    option(TrainConfig, "clip_norm", "Greatest norm of all gradients; 0 is off."),
    option(ModelConfig, "dropout", "Share of values dropped."),
    option(ModelConfig, "width", "Width of embedding, encoder and decoder."),
    option(ModelConfig, "encoder_layers", "Bidirectional LSTM layers."),
    option(ModelConfig, "decoder_layers", "LSTM layers."),
    option(ModelConfig, "heads", "Attention heads, a divisor of the width."),
    option(TrainConfig, "seed", "Seed of weights, dropout and order."),
    option(
        TrainConfig,
        "device",
        "Where to train; auto takes a GPU if there is one.",
        type=click.Choice(["auto", "cpu", "gpu"]),
    ),
    option(TrainConfig, "valid_articles", "Valid articles to decode each epoch."),
    option(TrainConfig, "samples", "Sample headlines to show each epoch."),
)
@click.option(
    "--mixed-precision",
    is_flag=True,
    help="Multiply in bfloat16; needs a processor that can.",
)
@click.option("--overwrite", is_flag=True, help="Replace the model in MODEL_DIR.")
@click.option(
    "--resume",
    is_flag=True,
    help="Go on from the last epoch of an interrupted training.",
)
def train(
    data_dir: Path,
    model_dir: Path,
    preset: str,
    overwrite: bool,
    resume: bool,
    **settings: Any,
) -> None:
    """Train a model on the prepared DATA_DIR.

    After each epoch it writes headlines for a sample of the valid split, with the
    search that `headline generate` uses, and keeps the weights with the best ROUGE-L.
    The Keras backend is TensorFlow, or what KERAS_BACKEND says (tensorflow, jax).
    Defaults shown below are those of the preset pointer.

    \b
    Example:
        headline train prepared/news -o models/news --max-minutes 10
    """
    chosen = PRESETS[preset]
    settings = given(settings)
    model = replace(chosen.model, **pick(ModelConfig, settings))
    config = replace(chosen.train, **pick(TrainConfig, settings))
    from headline.engines.backend import muted_native_stderr

    run = Run(
        data_dir=data_dir,
        model_dir=model_dir,
        preset=preset,
        model=model,
        train=config,
        overwrite=overwrite,
        resume=resume,
    )
    with muted_native_stderr():
        from headline.training import train_model

        train_model(run, report=lambda line: click.echo(line, err=True))
    click.echo(model_dir)


@main.command()
@click.argument("model_dir", type=FOLDER)
@click.argument("file", type=EXISTING)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write headlines and their scores to a CSV file.",
)
@click.option(
    "--compare",
    type=click.Path(exists=True, path_type=Path),
    metavar="OTHER",
    help="Another MODEL_DIR, or a CSV file that -o wrote of the same articles.",
)
@option(DecodeConfig, "num_headlines", "Headlines of each article, for the oracle.")
@format_options
@target_option
@decode_options
def evaluate(
    model_dir: Path,
    file: Path,
    as_json: bool,
    output: Path | None,
    compare: Path | None,
    encoding: str,
    source_column: str | None,
    target_column: str | None,
    device: Device,
    **settings: Any,
) -> None:
    """Score a model's headlines for the articles of FILE against its own.

    The table has a column for each system: the model; `other`, what --compare names;
    `oracle`, of each article's --num-headlines the one most like the reference; `lead`,
    the first characters of the article, as many as a headline here has; and the
    references. ROUGE (F1), BLEU and chrF count characters and go to 100. A number or
    a Latin word is unsupported where it is no whole one of the article. ± is half of
    the 95% interval by bootstrap; the lower p is, the surer the difference.

    \b
    Example:
        headline evaluate models/news prepared/news/test.csv
        headline evaluate models/news test.csv --compare models/old --num-headlines 5
    """
    single_blas_thread()
    from headline.evaluation import evaluate as evaluate_model
    from headline.predictions import write_predictions
    from headline.tables import CorpusFormat

    form = CorpusFormat(
        encoding=encoding, source_column=source_column, target_column=target_column
    )
    generator = load_generator(model_dir, settings, device)
    other: Generator | Path | None = compare
    if compare is not None and compare.is_dir():
        other = load_generator(compare, settings, device)
    result = evaluate_model(generator, file, form, other)
    if output is not None:
        write_predictions(output, result.predictions)
    text = json.dumps(result.to_dict()) if as_json else result.table()
    click.echo(text, file=utf8_stdout())  # the table has a ±


@main.command()
@click.argument("files", nargs=-1, type=EXISTING)
@click.option(
    "-m",
    "--model",
    "model_dir",
    type=FOLDER,
    envvar="HEADLINE_MODEL",
    required=True,
    metavar="MODEL_DIR",
    show_envvar=True,
    help="Folder of the model.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where to write; stdout if left out.",
)
@click.option("--lines", is_flag=True, help="Each line of text is an article.")
@option(DecodeConfig, "num_headlines", "Headlines of each article, best first.")
@click.option(
    "--headline-column",
    default="headline",
    show_default=True,
    metavar="NAME",
    help="Name of the new column or key.",
)
@click.option(
    "--explain",
    "explain_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write an HTML page that shows where each character was copied from.",
)
@format_options
@decode_options
def generate(
    files: Sequence[Path],
    model_dir: Path,
    output: Path | None,
    lines: bool,
    headline_column: str,
    explain_path: Path | None,
    encoding: str,
    source_column: str | None,
    device: Device,
    **settings: Any,
) -> None:
    """Write headlines for articles.

    Without FILES, all of stdin is one article, or with --lines each line: one line
    out for each line in. A .txt file is read likewise. A .csv or .tsv file comes out
    with a column `headline` added, a .jsonl file with such a key. Several headlines
    of a text stand in one line, with tabs between them.

    \b
    Example:
        cat article.txt | headline generate -m models/news
        headline generate -m models/news articles.csv -o with_headlines.csv
    """
    single_blas_thread()
    from headline.articles import Task
    from headline.tables import CorpusFormat

    form = CorpusFormat(encoding=encoding, source_column=source_column)
    generator = load_generator(model_dir, settings, device)
    with explaining(explain_path, model_dir) as explain, written(output) as stream:
        Task(generator, form, headline_column, lines, explain).run(files, stream)


@contextmanager
def written(path: Path | None) -> Iterator[TextIO]:
    """Yields a stream that becomes the file once the body succeeds; else stdout."""
    from headline.files import replacing

    if path is None:
        yield utf8_stdout()
        return
    with (
        replacing(path) as scratch,
        scratch.open("w", encoding="utf-8", newline="") as stream,
    ):
        yield stream


@contextmanager
def explaining(path: Path | None, model_dir: Path) -> "Iterator[Explain | None]":
    """Yields what puts an article on the page of explanations, if one is wanted."""
    if path is None:
        yield None
        return
    from headline.explain import Explainer
    from headline.explain_page import explanation_page

    explainer = Explainer.load(model_dir)
    with explanation_page(path, explainer.pointer) as write:
        yield lambda article, found: write(explainer.explain(article, found))


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


def pick(config: type[Config], settings: dict[str, Any]) -> dict[str, Any]:
    """Returns those of the settings that belong to ``config``."""
    known = {setting.name for setting in fields(config)}
    return {name: value for name, value in settings.items() if name in known}


def load_generator(
    model_dir: Path, settings: dict[str, Any], device: Device
) -> "Generator":
    """Opens a model with its own way to search, but for the options given."""
    from headline.bundle import load_bundle
    from headline.generator import Generator

    bundle = load_bundle(model_dir)
    decode = replace(bundle.decode, **given(settings))
    return Generator.from_bundle(bundle, decode, device)


def utf8_stdout() -> TextIO:
    """Returns stdout, made to write UTF-8 whatever the locale says."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    return sys.stdout


def single_blas_thread() -> None:
    """Keeps NumPy to one thread; to be called before it is imported.

    The products of one search are small: a second thread spends its time waiting for
    the first, above all where another process uses the cores.
    """
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")
