"""``python -m headline.cluster.spark``: its options and its messages."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from headline.cluster.output import Outcome
from headline.cluster.plan import ShardJob
from headline.cluster.settings import ShardSettings
from headline.cluster.shards import open_run
from headline.cluster.spark_run import run_on_spark, spark_context
from headline.errors import ConfigError, HeadlineError
from headline.settings.base import Config, Values, offered
from headline.settings.commands import FormatConfig, GenerateConfig, ShardsConfig
from headline.settings.search import DecodeConfig, over
from headline.settings.sections import suggestion
from headline.settings.toml import checked, from_text, read_settings
from headline.system.storage import StoredPath, place_of

KINDS: tuple[type[Config], ...] = (
    DecodeConfig,
    FormatConfig,
    GenerateConfig,
    ShardsConfig,
)
HELP = """Write headlines for the articles of files, as tasks of Spark.

IN and OUT must lead to the same files on each machine. OUT gets a file for each shard;
`headline cat OUT` joins them. After any crash, the same command does what is left."""


def main(words: Sequence[str] | None = None) -> None:
    """Runs the command; a problem of the user ends it with one line and code 1.

    Args:
        words: the arguments; those of this process if left out.
    """
    given = _parser().parse_args(words)
    try:
        _write(given)
    except HeadlineError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("headline.cluster.spark", description=HELP)
    parser.add_argument("files", nargs="+", type=_path, metavar="IN")
    parser.add_argument("output_dir", type=_path, metavar="OUT")
    parser.add_argument("-m", "--model", required=True, type=_path, metavar="MODEL_DIR")
    parser.add_argument(
        "--config", type=Path, help="settings, as `headline generate --print-config`"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting, such as rows_per_shard=20000 or max_length=20",
    )
    return parser


def _path(text: str) -> Path:
    path = place_of(text)
    return path if isinstance(path, StoredPath) else path.absolute()


def _write(given: argparse.Namespace) -> None:
    """Plans the shards, and runs those that are left."""
    values = settings_of(given.config, given.set)
    form, output = FormatConfig().changed(values), GenerateConfig().changed(values)
    own = ShardSettings.of(given.model, form=form, output=output)
    search = own.search.changed(over({}, values))
    settings = ShardSettings.of(given.model, search, form=form, output=output)
    rows = ShardsConfig().changed(values).rows_per_shard
    run = open_run(given.files, settings, given.output_dir, rows)
    with spark_context() as context:
        run_on_spark(run, context, _tell_rows)
    print(f"{run.folder.path} is complete: {run.size}", file=sys.stderr)


def settings_of(config: Path | None, assignments: Sequence[str]) -> Values:
    """Returns settings by name: those of a TOML file, then those of ``--set``.

    Raises:
        ConfigError: a setting is unknown, or its value is not allowed.
    """
    values: Values = {}
    sections = {} if config is None else read_settings(config)
    for kind in KINDS:
        values |= sections.get(kind.section, {})
    known = {one.name: (kind, one) for kind in KINDS for one in offered(kind)}
    for word in assignments:
        written, found, text = word.partition("=")
        name = written.strip().rpartition(".")[2].replace("-", "_")
        if not found or name not in known:
            close = suggestion(name, known) if found else "; it is written NAME=VALUE"
            raise ConfigError(f"--set: there is no setting {written!r}{close}")
        kind, one = known[name]
        values[name] = checked(one, from_text(one, text), "--set", kind.section)
    return values


def _tell_rows(job: ShardJob, outcome: Outcome) -> None:
    """Prints lines about rows that could not be read."""
    for line in outcome.told:
        print(line, file=sys.stderr)
