"""Older forms of commands, which still work and print the new form."""

from collections.abc import Sequence
from pathlib import Path

import click

from headline.cli.paths import CORPUS, FOLDER
from headline.cli.story import tell

MODEL_FIRST = "evaluate MODEL_DIR FILE", "evaluate -m MODEL_DIR FILE"
SCORE = "evaluate --score", "score -m MODEL_DIR FILE"
FIND_LR = "train --find-lr", "find-lr DATA_DIR -m MODEL_DIR"


def tell_newer(form: tuple[str, str]) -> None:
    """Prints the new form of a command."""
    before, now = form
    tell(f"`headline {before}` is now written `headline {now}`")


def model_and_file(
    model_dir: Path | None, places: Sequence[str], may_stand_first: bool
) -> tuple[Path, Path, bool]:
    """Returns the model, the file, and whether the model came before the file.

    Args:
        model_dir: the model from ``-m`` or the environment.
        places: the arguments: FILE, or MODEL_DIR FILE.
        may_stand_first: whether MODEL_DIR FILE is allowed.

    Raises:
        click.UsageError: the model is missing, there are too many arguments, or the
            file does not exist.
    """
    context = click.get_current_context()
    parameters = {one.name: one for one in context.command.params}
    source = context.get_parameter_source("model_dir")
    is_option = source == click.core.ParameterSource.COMMANDLINE
    *before, file = places
    if len(before) > (may_stand_first and not is_option):
        raise click.UsageError(f"Got unexpected extra argument ({places[-1]})")
    if before:
        model_dir = FOLDER.convert(before[0], parameters["model_dir"], context)
    if model_dir is None:
        raise click.MissingParameter(ctx=context, param=parameters["model_dir"])
    path = CORPUS.convert(file, parameters["places"], context)
    return model_dir, path, bool(before)
