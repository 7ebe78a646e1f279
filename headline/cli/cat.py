"""``headline cat``."""

from collections.abc import Sequence
from pathlib import Path

from headline.cli.options import argument, command, story_options
from headline.cli.paths import SHARDS
from headline.system.streams import utf8_stdout


@command("cat")
@argument("output_dir", type=SHARDS, required=True, metavar="OUT")
@argument("names", nargs=-1, metavar="[FILE]...")
@story_options
def cat(output_dir: Path, names: Sequence[str]) -> None:
    """Join the files that `headline generate --output-dir OUT` has written.

    stdout gets the one file that `headline generate` without --output-dir would have
    written, after a check of each part by its checksum. With FILE, only what came of
    input files with these names.

    \b
    Example:
        headline cat out > with_headlines.csv
        headline cat out 2024.csv > 2024_with_headlines.csv
    """
    from headline.cluster.joined import join

    join(output_dir, names, utf8_stdout().buffer)
