"""The command line: options to a config, one call, and what is printed.

stdout is the result, stderr the story. Only click, the config and the errors are
imported here; what a command needs is imported inside it, so that ``--help`` and
usage errors come at once, and only ``train`` loads Keras.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from signal import SIGINT
from typing import TYPE_CHECKING, Any

import click

from headline import __version__
from headline.cli.options import (
    COMPARED,
    CORPUS,
    FOLDER,
    INPUT,
    OUTPUT,
    decode_options,
    format_options,
    given,
    option,
    pick,
    prepare_options,
    target_option,
    train_options,
    weights_of,
    workers_option,
)
from headline.errors import ConfigError, HeadlineError, Interrupted, refusal
from headline.settings.base import Device
from headline.settings.model import ModelConfig
from headline.settings.prepare import PrepareConfig
from headline.settings.presets import PRESETS, Run
from headline.settings.search import GPU_BATCH, DecodeConfig
from headline.settings.train import TrainConfig
from headline.system.interrupt import ending_on_signals
from headline.system.streams import (
    flush_stdout,
    give_stdin_back,
    take_standard_streams,
    utf8_stdout,
)

if TYPE_CHECKING:
    from headline.bundle import Bundle
    from headline.evaluation.evaluate import Evaluation
    from headline.evaluation.scoring import Scored
    from headline.formats.tables import CorpusFormat
    from headline.generation.files import CountDone, Explain
    from headline.generation.generator import Generator

MOST_TOLD = 20  # rows that cannot be read


class HeadlineGroup(click.Group):
    """Prints what a user has caused in one line; a bug keeps its traceback."""

    def main(self, *args: Any, **more: Any) -> Any:
        take_standard_streams()
        try:
            return super().main(*args, **more)
        finally:
            # What is still held goes now, or is lost and told: nothing is left that
            # could fail when the interpreter ends.
            with suppress(HeadlineError, OSError):
                flush_stdout()
            give_stdin_back()

    def make_context(self, *args: Any, **more: Any) -> click.Context:
        with _told():  # --help and --version write here
            return super().make_context(*args, **more)

    def invoke(self, ctx: click.Context) -> Any:
        with _told(), ending_on_signals():
            result = super().invoke(ctx)
            flush_stdout()
            return result


@contextmanager
def _told() -> Iterator[None]:
    """Turns what is no bug into click's errors and exit codes."""
    try:
        yield
    except KeyboardInterrupt:
        raise SystemExit(128 + SIGINT) from None
    except Interrupted as error:
        raise SystemExit(error.exit_code) from None
    except Exception as error:
        if refused := refusal(error):
            raise click.ClickException(refused) from error
        if isinstance(error, ConfigError):
            flag = error.setting and f"--{error.setting.replace('_', '-')}: "
            raise click.UsageError(f"{flag or ''}{error}") from error
        if isinstance(error, HeadlineError):
            raise click.ClickException(str(error)) from error
        raise


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


@main.command()
@click.argument("files", nargs=-1, required=True, type=CORPUS)
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
@prepare_options
@click.option(
    "--weight",
    "weights",
    multiple=True,
    metavar="FILE=FACTOR",
    help="How often an epoch sees a pair of FILE: 2 is twice, 0.3 three in ten pairs"
    " in turn. Repeatable; 1 for the other files.",
)
@click.option(
    "--unpaired",
    multiple=True,
    type=CORPUS,
    metavar="FILE",
    help="More articles, without headlines, to train on before the pairs. Repeatable.",
)
@workers_option("Processes; a small corpus is read by one.")
@click.option("--overwrite", is_flag=True, help="Replace the dataset in DATA_DIR.")
def prepare(
    files: Sequence[Path],
    data_dir: Path,
    weights: Sequence[str],
    unpaired: Sequence[Path],
    workers: int | None,
    overwrite: bool,
    **settings: Any,
) -> None:
    """Turn a corpus of articles and headlines into a dataset.

    FILES are CSV, TSV or JSON Lines, each plain or .gz, with a column of headlines
    (title, headline, 标题) and one of articles (content, article, text, 正文). Rows
    that cannot be used are listed with their reasons in DATA_DIR/rejects.csv; the
    held-out pairs are written as text to DATA_DIR/valid.csv and DATA_DIR/test.csv.

    Of each article of an --unpaired file, the sentence that best matches the rest of
    it becomes a headline for what is left: such pseudo-pairs are trained on first.

    \b
    Example:
        headline prepare news.csv -o prepared/news
        headline prepare a.csv.gz b.jsonl -o prepared/both --encoding gb18030
        headline prepare a.csv b.csv --weight b.csv=0.3 -o prepared/weighted
        headline prepare news.csv --unpaired archive.csv -o prepared/more
    """
    from headline.cli.places import check_preparation
    from headline.data.prepare import Job
    from headline.data.prepare import prepare as prepare_corpus
    from headline.data.report import summary_table
    from headline.formats.tables import total_bytes
    from headline.system.progress import Meter
    from headline.system.workers import cores

    check_preparation(data_dir, [*files, *unpaired])
    job = Job(
        files=files,
        data_dir=data_dir,
        format=corpus_format(settings),
        config=PrepareConfig(**pick(PrepareConfig, given(settings))),
        overwrite=overwrite,
        weights=weights_of(weights, files),
        unpaired=unpaired,
        workers=workers or cores(),
    )
    size = total_bytes([*files, *unpaired])
    with Meter("read", "B", tell, size) as read, Meter("write", "pairs", tell) as wrote:
        summary = prepare_corpus(job, read.advance, wrote.advance)
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
    help="pointer copies from the article; large learns slower and further, for an"
    " hour or more; seed is the model of J. Su 2018.",
)
@train_options
@click.option(
    "--mixed-precision",
    is_flag=True,
    help="Multiply in bfloat16; needs a processor that can.",
)
@click.option(
    "--init-from",
    type=FOLDER,
    metavar="MODEL_DIR",
    help="Start from the weights of this model, with its network.",
)
@click.option("--overwrite", is_flag=True, help="Replace the model in MODEL_DIR.")
@click.option(
    "--resume",
    is_flag=True,
    help="Go on with an interrupted training where it stopped.",
)
@click.option(
    "--tensorboard",
    type=FOLDER,
    metavar="DIR",
    help="Write losses, scores and samples for TensorBoard too.",
)
@click.option(
    "--find-lr",
    is_flag=True,
    help="Train nothing: propose a --learning-rate, and draw MODEL_DIR/find_lr.html.",
)
def train(
    data_dir: Path,
    model_dir: Path,
    preset: str,
    init_from: Path | None,
    overwrite: bool,
    resume: bool,
    tensorboard: Path | None,
    find_lr: bool,
    **settings: Any,
) -> None:
    """Train a model on the prepared DATA_DIR.

    After each epoch it writes headlines for a sample of the valid split, with the
    search that `headline generate` uses, and keeps the weights with the best ROUGE-L:
    of epochs that it cannot tell apart, the last.
    Pseudo-pairs, which `headline prepare --unpaired` makes, are trained on first.
    The Keras backend is TensorFlow, or what KERAS_BACKEND says (tensorflow, jax).
    Defaults shown below are those of the preset pointer.

    With --find-lr the learning rate rises over some updates until the loss explodes;
    a tenth of the rate with the lowest loss is printed, and no model is kept.

    \b
    Example:
        headline train prepared/news -o models/news --max-minutes 10
        headline train prepared/own -o models/own --init-from models/news
        headline train prepared/news -o models/news --find-lr
    """
    if find_lr and (resume or tensorboard is not None):
        other = "--resume" if resume else "--tensorboard"
        raise click.UsageError(f"--find-lr trains nothing, so leave out {other}")
    from headline.cli.places import check_training

    chosen = PRESETS[preset]
    settings = given(settings)
    network = chosen.model if init_from is None else network_of(init_from)
    model = replace(network, **pick(ModelConfig, settings))
    config = replace(chosen.train, **pick(TrainConfig, settings))
    run = Run(
        data_dir=data_dir,
        model_dir=model_dir,
        preset=preset,
        model=model,
        train=config,
        decode=chosen.decode,
        init_from=init_from,
        overwrite=overwrite,
        resume=resume,
        tensorboard=tensorboard,
    )
    check_training(run, find_lr)
    click.echo(run_training(run, find_lr))


def run_training(run: Run, find_lr: bool) -> str:
    """Trains, or finds a learning rate, and returns what is printed in the end."""
    from headline.network.backend import muted_native_stderr

    with muted_native_stderr():
        from headline.training.train import find_learning_rate, train_model

        if find_lr:
            return f"{find_learning_rate(run, tell):g}"
        train_model(run, tell)
    return str(run.model_dir)


def network_of(model_dir: Path) -> ModelConfig:
    """Returns the network of a trained model."""
    from headline.bundle import load_bundle

    return load_bundle(model_dir).model


@main.command()
@click.argument("model_dir", type=FOLDER)
@click.argument("file", type=CORPUS)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "-o",
    "--output",
    type=OUTPUT,
    metavar="FILE",
    help="Write headlines and their scores as CSV; to - (stdout), and the table goes to"
    " stderr.",
)
@click.option(
    "--score",
    "scoring",
    is_flag=True,
    help="Score the headlines of FILE themselves: how likely the model finds them.",
)
@click.option(
    "--compare",
    type=COMPARED,
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
    scoring: bool,
    device: Device,
    workers: int | None,
    **settings: Any,
) -> None:
    """Score a model's headlines for the articles of FILE against its own.

    The table has a column for each system: the model; `other`, what --compare names;
    `oracle`, of each article's --num-headlines the one most like the reference; `lead`,
    the first characters of the article, as many as a headline here has; and the
    references. ROUGE (F1), BLEU and chrF count characters and go to 100. A number or
    a Latin word is unsupported where it is no whole one of the article. ± is half of
    the 95% interval by bootstrap; the lower p is, the surer the difference.

    With --score it writes no headlines: it tells the natural logarithm of the
    probability of each headline of FILE, which is what `generate --with-scores` writes.

    \b
    Example:
        headline evaluate models/news prepared/news/test.csv
        headline evaluate models/news prepared/news/test.csv --score -o scores.csv
        headline evaluate models/news test.csv --compare models/old --num-headlines 5
    """
    if scoring and compare is not None:
        raise click.UsageError("--compare goes with headlines, not with --score")
    single_blas_thread()
    from headline.bundle import load_bundle
    from headline.cli.places import check_evaluation
    from headline.evaluation.evaluate import evaluate as evaluate_model
    from headline.evaluation.scoring import score_file
    from headline.system.outputs import is_stdout
    from headline.system.progress import Meter

    check_evaluation(output, model_dir, file, compare)
    form = corpus_format(settings, telling_some())
    generator = generator_of(load_bundle(model_dir), settings, device, workers)
    other: Generator | Path | None = compare
    if compare is not None and compare.is_dir():
        other = generator_of(load_bundle(compare), settings, device, workers)
    result: Evaluation | Scored
    with Meter("evaluate", "articles", tell) as meter:
        if scoring:
            result = score_file(generator, file, form, meter)
        else:
            result = evaluate_model(generator, file, form, other, meter)
    if output is not None:
        result.write(output)
    text = json.dumps(result.to_dict()) if as_json else result.table()
    if output is not None and is_stdout(output):
        click.echo(text, err=True)
    else:
        click.echo(text, file=utf8_stdout())  # the table has a ±


@main.command()
@click.argument("files", nargs=-1, type=INPUT)
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
    type=OUTPUT,
    metavar="FILE",
    help="Where to write; stdout if left out, or -.",
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
    "--with-scores",
    is_flag=True,
    help="Write each headline's log-probability behind it.",
)
@click.option(
    "--explain",
    "explain_path",
    type=OUTPUT,
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
    with_scores: bool,
    explain_path: Path | None,
    device: Device,
    workers: int | None,
    **settings: Any,
) -> None:
    """Write headlines for articles.

    Without FILES, all of stdin is one article, or with --lines each line: one line
    out for each line in. A .txt file is read likewise. A .csv or .tsv file comes out
    with a column `headline` added, a .jsonl file with such a key. Several headlines
    of a text stand in one line, with tabs between them. An object of a .jsonl file may
    set any option of the search for itself: {"text": ..., "prefix": "北京"}.

    \b
    Example:
        cat article.txt | headline generate -m models/news
        headline generate -m models/news article.txt --num-headlines 5 --diversity 0.5
        headline generate -m models/news articles.csv -o with_headlines.csv
    """
    single_blas_thread()
    from headline.bundle import load_bundle
    from headline.cli.places import (
        check_generation,
        refusing_rows,
        rewrites,
        sources,
    )
    from headline.generation.files import Task, write_headlines
    from headline.generation.inputs import Shard, Stream
    from headline.system.outputs import STDOUT, output_stream

    files, output = sources(files), output or STDOUT
    check_generation(output, explain_path, model_dir, files)
    told = refusing_rows if rewrites(files, output) else telling_some()
    form = corpus_format(settings, told)
    bundle = load_bundle(model_dir)
    generator = generator_of(bundle, settings, device, workers)
    with (
        explaining(explain_path, generator, bundle) as explain,
        output_stream(output) as stream,
        generation_meter(files, output) as count_done,
    ):
        shards = [Shard(path) for path in files]
        task = Task(form, headline_column, lines, with_scores, explain, count_done)
        source = shards or Stream(sys.stdin.buffer, "stdin")
        write_headlines(generator, source, stream, task)


@contextmanager
def generation_meter(
    files: Sequence[Path], output: Path
) -> "Iterator[CountDone | None]":
    """Yields what shows how far ``generate`` is.

    None where the headlines themselves show it, or a pipe may take for ever.
    """
    from headline.system.outputs import is_stdout

    to_stdout = is_stdout(output)
    shown = to_stdout and sys.stdout is not None and sys.stdout.isatty()
    if shown or (to_stdout and not files):
        yield None
        return
    from headline.formats.tables import total_bytes
    from headline.system.progress import Meter

    if not files or not all(path.is_file() for path in files):
        with Meter("generate", "articles", tell) as meter:
            yield lambda read, articles: meter.advance(articles)
        return
    done = count_up()
    with Meter("generate", "B", tell, total_bytes(files)) as meter:
        yield lambda read, more: meter.advance(read, f"{done(more):,} articles")


def count_up() -> Callable[[int], int]:
    """Returns what adds numbers up."""
    total = 0

    def add(number: int) -> int:
        nonlocal total
        total += number
        return total

    return add


@contextmanager
def explaining(
    path: Path | None, generator: "Generator", bundle: "Bundle"
) -> "Iterator[Explain | None]":
    """Yields what puts an article on the page of explanations, if one is wanted."""
    if path is None:
        yield None
        return
    from headline.generation.explain import Explainer
    from headline.pages.explain_page import explanation_page

    explainer = Explainer.beside(generator, bundle)
    with explanation_page(path, explainer.pointer) as write:
        yield lambda article, found: write(explainer.explain(article, found))


def generator_of(
    bundle: "Bundle", settings: dict[str, Any], device: Device, workers: int | None
) -> "Generator":
    """Runs a model with its own way to search, but for the options given."""
    from headline.generation.parallel import make_generator

    asked = pick(DecodeConfig, given(settings))
    fitting: dict[str, Any] = {"batch_size": GPU_BATCH} if device == "gpu" else {}
    if asked.get("sample") or asked.get("diversity"):
        # The model's own consensus gives way; of one that is asked for, more is told.
        fitting["consensus"] = False
    decode = replace(bundle.decode, **{**fitting, **asked})
    return make_generator(bundle, decode, device, workers)


def corpus_format(
    settings: dict[str, Any], tell: Callable[[str], None] | None = None
) -> "CorpusFormat":
    """Returns how to read the files; see there for ``tell``."""
    from headline.formats.tables import CorpusFormat

    return CorpusFormat(**pick(CorpusFormat, settings), tell=tell, note=Notes())


class Notes:
    """Prints each line once, however often a file is opened; of many the first."""

    def __init__(self) -> None:
        self._printed: set[str] = set()

    def __call__(self, line: str) -> None:
        if line not in self._printed and len(self._printed) < MOST_TOLD:
            self._printed.add(line)
            tell(line)


def tell(line: str) -> None:
    """Prints a line on stderr, above a bar if one is there."""
    if (bars := sys.modules.get("tqdm")) is None:
        click.echo(line, err=True)
        return
    with bars.tqdm.external_write_mode(file=sys.stderr):
        click.echo(line, err=True)


def telling_some() -> Callable[[str], None]:
    """Returns what prints a line, and of many lines the first."""
    places = count(1)

    def tell_row(line: str) -> None:
        place = next(places)
        if place <= MOST_TOLD:
            tell(line)
        elif place == MOST_TOLD + 1:
            tell("further unreadable rows are not shown")

    return tell_row


def single_blas_thread() -> None:
    """Keeps NumPy to one thread; to be called before it is imported.

    The products of one search are small: a second thread spends its time waiting for
    the first, above all where another process uses the cores.
    """
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")
