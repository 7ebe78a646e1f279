"""``headline prepare``."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from headline.cli.asked import Asked, part
from headline.cli.effects import cleaning_rules, format_rules, refuse_idle
from headline.cli.models import corpus_format
from headline.cli.options import (
    argument,
    command,
    option,
    overwrite_option,
    settings_options,
)
from headline.cli.paths import CORPUS, FOLDER
from headline.cli.preparing import (
    check_sharing,
    engine_settings,
    prepare_shared,
    share_options,
    sharing_rules,
)
from headline.cli.story import tell, timed
from headline.errors import ConfigError
from headline.settings.clean import CleanConfig
from headline.settings.commands import FormatConfig, MachineConfig
from headline.settings.engine import EngineConfig
from headline.settings.prepare import MOST_WEIGHT, PrepareConfig


@command("prepare")
@argument("files", nargs=-1, required=True, type=CORPUS)
@option(
    "-o",
    "--output",
    "data_dir",
    type=FOLDER,
    required=True,
    metavar="DATA_DIR",
    group="Output",
    help="Folder for the dataset.",
)
@overwrite_option("Replace the dataset in DATA_DIR.")
@option(
    "--dry-run",
    is_flag=True,
    group="Output",
    help="Write only DATA_DIR/report.html, to look at before a dataset is written.",
)
@option(
    "--weight",
    "weights",
    multiple=True,
    metavar="FILE=FACTOR",
    group="Input files",
    advanced=True,
    help="Show each pair of FILE this often per epoch: 2 is twice, 0.3 a different 30%"
    " of the pairs each epoch. Repeatable; 1 for the other files.",
)
@option(
    "--unpaired",
    multiple=True,
    type=CORPUS,
    metavar="FILE",
    group="Input files",
    help="Articles without headlines, to train on before the pairs. Repeatable.",
)
@share_options()
@settings_options(
    part(FormatConfig),
    part(PrepareConfig),
    part(CleanConfig),
    part(
        MachineConfig,
        only=("workers",),
        about={"workers": {"default_text": "one per core"}},
    ),
    engine_settings(),
)
def prepare(
    asked: Asked,
    files: Sequence[Path],
    data_dir: Path,
    weights: Sequence[str],
    unpaired: Sequence[Path],
    overwrite: bool,
    dry_run: bool,
    shard: str | None,
    no_wait: bool,
) -> None:
    """Turn a corpus of articles and headlines into a dataset.

    FILES are tables (.csv, .tsv, .jsonl, .json, .xlsx, .parquet; text also as .gz,
    .bz2 or .zst) with a column of headlines (title, headline, 标题) and one of articles
    (content, article, text, 正文); folders of .txt files whose first line is the
    headline; folders that Hugging Face `datasets` saved; LCSTS's .txt files. Rows
    that cannot be used are listed with their reasons in DATA_DIR/rejects.csv; the
    held-out pairs are written as text to DATA_DIR/valid.csv and DATA_DIR/test.csv.

    Names of sites, datelines, closing lines, headlines that belong to no article and
    near-duplicates are removed; --no-clean leaves the texts as they are.
    DATA_DIR/report.html shows what was found and removed, and what to do next.

    From each article of an --unpaired file, the sentence that best matches the rest
    becomes a headline for what is left: such pseudo-pairs are trained on first.

    \b
    Example:
        headline prepare news.csv -o prepared/news --dry-run
        headline prepare news.csv -o prepared/news
        headline prepare a.csv.gz b.jsonl -o prepared/both --encoding gb18030
        headline prepare a.csv b.csv --weight b.csv=0.3 -o prepared/weighted
        headline prepare news.csv --unpaired archive.csv -o prepared/more
        headline prepare archive/*.csv -o prepared/large --on ray
        headline prepare archive/*.csv -o prepared/large --shard 0/64
    """
    config, form = asked.over(PrepareConfig()), asked.over(FormatConfig())
    cleaning, machine = asked.over(CleanConfig()), asked.over(MachineConfig())
    engine = asked.over(EngineConfig())
    if asked.printing:
        return asked.show(config, form, cleaning, machine, engine)
    rules = [*format_rules([*files, *unpaired]), *cleaning_rules(cleaning)]
    refuse_idle(asked, [*rules, *sharing_rules(shard, engine)])
    if dry_run and overwrite:
        raise click.UsageError("--overwrite has no effect: --dry-run replaces nothing")
    shared = check_sharing(shard, no_wait, dry_run, engine)
    from headline.cli.places import check_preparation
    from headline.data.prepare import Job
    from headline.data.prepare import prepare as prepare_corpus
    from headline.data.report import summary_table
    from headline.data.store import REPORT
    from headline.formats.tables import total_bytes
    from headline.pages.corpus_report import render
    from headline.system.progress import Meter
    from headline.system.workers import cores

    check_preparation(data_dir, [*files, *unpaired])
    job = Job(
        files=files,
        data_dir=data_dir,
        format=corpus_format(form),
        config=config,
        cleaning=cleaning,
        overwrite=overwrite,
        weights=weights_of(weights, files),
        unpaired=unpaired,
        workers=machine.workers or cores(),
        page=render,
        dry_run=dry_run,
    )
    if shared:
        made = prepare_shared(job, asked, shard, no_wait)
        return None if made is None else click.echo(made)
    size = total_bytes([*files, *unpaired])
    with (
        timed("read the corpus" if dry_run else "prepared the dataset"),
        Meter("read", "B", tell, size) as read,
        Meter("write", "pairs", tell) as wrote,
    ):
        summary = prepare_corpus(job, read.advance, wrote.advance)
    tell(summary_table(summary))
    click.echo(data_dir / REPORT if dry_run else data_dir)


def weights_of(values: Iterable[str], files: Sequence[Path]) -> dict[Path, float]:
    """Parses the values of ``--weight``: FILE=FACTOR.

    Raises:
        ConfigError: a value has another form, a file is not in ``files`` or has two
            weights, or a factor is not a number above 0 and at most ``MOST_WEIGHT``.
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
