"""``headline generate``."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from headline.cli.asked import Asked, part
from headline.cli.effects import (
    format_rules,
    has_controls,
    refuse_idle,
    search_rules,
    text_rules,
)
from headline.cli.models import (
    corpus_format,
    generator_of,
    loaded,
    own_search,
    search_of,
    single_blas_thread,
)
from headline.cli.options import (
    argument,
    command,
    model_option,
    option,
    output_option,
    settings_options,
)
from headline.cli.output import generation_meter, telling_some
from headline.cli.paths import INPUT, OUTPUT, SHARDS
from headline.cli.sharded import refuse_sharded, shard_rules, write_shards
from headline.cli.story import timed
from headline.settings.commands import (
    FormatConfig,
    GenerateConfig,
    MachineConfig,
    ShardsConfig,
)
from headline.settings.engine import EngineConfig
from headline.settings.search import DecodeConfig

if TYPE_CHECKING:
    from headline.bundle import Bundle
    from headline.generation.files import Explain
    from headline.generation.generator import Generator


@command("generate")
@argument("files", nargs=-1, type=INPUT)
@model_option(help="Folder of the model.", reads=True, required=True, group="Model")
@output_option(
    "File for the output of all FILES, in their order; they must have the same kind and"
    " columns (default, or with -: stdout)."
)
@option(
    "--explain",
    "explain_path",
    type=OUTPUT,
    metavar="FILE",
    group="Output",
    help="Write an HTML page that shows where each character was copied from.",
)
@option(
    "--output-dir",
    type=SHARDS,
    metavar="OUT",
    group="Many articles",
    help="Split FILES into shards and write a file for each into OUT. After any crash"
    " the same command does what is left; `headline cat OUT` joins the files.",
)
@option(
    "--shard",
    metavar="I/N",
    group="Many articles",
    advanced=True,
    help="With --output-dir, do only part I of N, counted from 0, in an array job. The"
    " last part that ends completes OUT.",
)
@settings_options(
    part(GenerateConfig),
    part(DecodeConfig),
    part(FormatConfig, but=("target_column",)),
    part(MachineConfig),
    part(ShardsConfig),
    part(EngineConfig),
)
def generate(
    asked: Asked,
    files: Sequence[Path],
    model_dir: Path,
    output: Path | None,
    explain_path: Path | None,
    output_dir: Path | None,
    shard: str | None,
) -> None:
    """Write headlines for articles.

    Without FILES, all of stdin is one article. With --lines each line of it is one, and
    gives one line of output. A .txt file is read likewise. A table (.csv, .tsv, .xlsx,
    .parquet) comes out with a column `headline` added, a .jsonl or .json file with such
    a key. A folder of .txt files comes out as CSV, a folder that `datasets` saved as
    Parquet. Several headlines of an article (--num-headlines) stand in one line in
    text, with tabs between them; in tables in more columns, headline_2 and so on; in
    JSON in a list under the key `headlines`. In text, headlines in several styles have
    a line each, after the style. An object of a .jsonl file may set options of the
    search and limits on headlines for its own article: {"text": ..., "options":
    {"prefix": "北京", "max_length": 20}}.

    \b
    Example:
        cat article.txt | headline generate -m models/news
        headline generate -m models/news article.txt --num-headlines 5 --diversity 0.5
        headline generate -m models/news article.txt --styles
        headline generate -m models/news articles.csv -o with_headlines.csv.gz
        headline generate -m models/news articles.xlsx -o with_headlines.xlsx
        headline generate -m models/news archive/*.csv --output-dir out
    """
    single_blas_thread()
    machine, wanted = asked.over(MachineConfig()), asked.over(GenerateConfig())
    if asked.printing:
        search = search_of(asked, own_search(model_dir), machine)
        shards = asked.over(ShardsConfig())
        engine = asked.over(EngineConfig())
        return asked.show(
            wanted, search, asked.over(FormatConfig()), machine, shards, engine
        )
    refuse_sharded(files, output_dir, shard=shard, output=output, explain=explain_path)
    refuse_idle(asked, shard_rules(asked, output_dir))
    if output_dir is not None:
        find = partial(_effective_search, asked, files, machine=machine)
        return write_shards(asked, files, model_dir, output_dir, shard, find)
    from headline.cli.places import check_generation, refusing_rows, rewrites, sources
    from headline.generation.files import Task, write_headlines
    from headline.generation.inputs import Shard, Stream
    from headline.system.outputs import STDOUT, output_stream

    files, output = sources(files), output or STDOUT
    check_generation(output, explain_path, model_dir, files)
    told = refusing_rows if rewrites(files, output) else telling_some()
    form = corpus_format(asked.over(FormatConfig()), told)
    bundle = loaded(model_dir)
    search = _effective_search(asked, files, bundle.decode, machine)
    generator = generator_of(bundle, search, machine)
    with (
        explaining(explain_path, generator, bundle) as explain,
        output_stream(output) as stream,
        generation_meter(files, output) as count_done,
    ):
        task = Task(
            form,
            wanted.headline_column,
            wanted.lines,
            wanted.with_scores,
            explain,
            count_done,
        )
        source = [*map(Shard, files)] or Stream(sys.stdin.buffer, "stdin")
        with timed("wrote the headlines"):
            write_headlines(generator, source, stream, task)


def _effective_search(
    asked: Asked, files: Sequence[Path], own: DecodeConfig, machine: MachineConfig
) -> DecodeConfig:
    """Returns the search settings, once no given setting is without an effect.

    Args:
        own: the search settings of the model.

    Raises:
        ConfigError: the settings cannot be combined.
        click.UsageError: a given setting has no effect on these files.
    """
    from headline.formats.registry import is_text

    texts = [path for path in files if is_text(path)]
    refuse_idle(asked, [*text_rules(files, texts), *format_rules(files)])
    search = search_of(asked, own, machine)
    # A row may ask for samples, for example, and then the seed has an effect.
    if not any(has_controls(path, texts) for path in files):
        refuse_idle(asked, search_rules(search, own))
    return search


@contextmanager
def explaining(
    path: Path | None, generator: "Generator", bundle: "Bundle"
) -> "Iterator[Explain | None]":
    """Yields a function that adds an article to the explanation page, if wanted."""
    if path is None:
        yield None
        return
    from headline.generation.explain import Explainer
    from headline.pages.explain_page import explanation_page

    explainer = Explainer.beside(generator, bundle)
    with explanation_page(path, explainer.pointer) as write:
        yield lambda article, found: write(explainer.explain(article, found))
