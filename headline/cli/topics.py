"""``headline topics``."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headline.cli.asked import Asked, part
from headline.cli.options import (
    argument,
    command,
    json_option,
    overwrite_option,
    settings_options,
)
from headline.cli.paths import FOLDER
from headline.cli.story import tell, timed
from headline.settings.topics import TopicsConfig
from headline.system.streams import utf8_stdout

if TYPE_CHECKING:
    from headline.training.topics import Found


@command("topics")
@argument("data_dir", type=FOLDER, required=True)
@overwrite_option("Replace DATA_DIR/topics.csv.")
@json_option
@settings_options(part(TopicsConfig))
def topics(asked: Asked, data_dir: Path, overwrite: bool, as_json: bool) -> None:
    """Find the topics of the articles in the prepared DATA_DIR.

    A small model sorts the articles by the characters they contain; it needs no labels.
    Printed are the share of each topic and its typical words. The topic of each pair is
    written to DATA_DIR/topics.csv, with its probability. The Keras backend is chosen as
    by `headline train`.

    \b
    Example:
        headline topics prepared/news
        headline topics prepared/news --topics 20 --overwrite
    """
    config = asked.over(TopicsConfig())
    if asked.printing:
        return asked.show(config)
    found = _found(data_dir, config, overwrite)
    tell(f"the topic of each pair: {found.path}")
    text = json.dumps(found.to_dict(), ensure_ascii=False)
    click.echo(text if as_json else found.table(), file=utf8_stdout())


def _found(data_dir: Path, config: TopicsConfig, overwrite: bool) -> "Found":
    from headline.network.backend import choose_backend, muted_native_stderr

    choose_backend()
    with muted_native_stderr():
        with timed("loaded Keras"):
            from headline.training.topics import find_topics

        return find_topics(data_dir, config, overwrite, tell)
