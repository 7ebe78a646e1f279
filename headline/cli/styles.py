"""``headline styles``."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headline.cli.asked import Asked, part
from headline.cli.options import (
    argument,
    command,
    json_option,
    model_option,
    option,
    overwrite_option,
    settings_options,
)
from headline.cli.paths import FOLDER
from headline.cli.story import tell, timed
from headline.settings.styles import StyleConfig, StylesRun
from headline.system.interrupt import Interrupt
from headline.system.streams import utf8_stdout

if TYPE_CHECKING:
    from headline.network.styles.catalogue import Styles


@command("styles")
@argument("data_dir", type=FOLDER, required=False)
@model_option(help="Folder of the model.", reads=True, required=True, group="Model")
@option(
    "--name",
    "names",
    multiple=True,
    metavar="NUMBER=NAME",
    group="Model",
    help="Give a style a name, such as 2=短, to ask for it by name. Repeatable.",
)
@overwrite_option("Replace the styles that the model has.")
@option(
    "--resume",
    is_flag=True,
    group="Output",
    help="Continue the interrupted fit of styles in MODEL_DIR where it stopped.",
)
@json_option
@settings_options(part(StyleConfig))
def styles(
    asked: Asked,
    data_dir: Path | None,
    model_dir: Path,
    names: Sequence[str],
    overwrite: bool,
    resume: bool,
    as_json: bool,
) -> None:
    """Find the headline styles of DATA_DIR and teach them to a trained model.

    Styles are found by the form of headlines: their length, how much they copy, their
    punctuation. Then the model learns to write in each style; what it writes without a
    style stays the same. Printed are the share of each style, its median length, what
    is typical of it and six headlines. Without DATA_DIR the styles of the model are
    printed.

    \b
    Example:
        headline styles -m models/news prepared/news
        headline styles -m models/news --name 2=短 --name 5=两句
    """
    config = asked.over(StyleConfig())
    if asked.printing:
        return asked.show(config)
    given = _names(names)
    if data_dir is not None:
        run = StylesRun(
            data_dir=data_dir,
            model_dir=model_dir,
            config=config,
            overwrite=overwrite,
            resume=resume,
        )
        fit(run)
    else:
        _refuse_idle(asked, overwrite, resume)
    print_styles(_named(model_dir, given), as_json)


def _names(words: Sequence[str]) -> dict[int, str]:
    """Returns the names of styles by number.

    Raises:
        click.UsageError: a word is not NUMBER=NAME.
    """
    found = {}
    for word in words:
        number, equals, name = word.partition("=")
        if not (equals and number.strip().isdecimal()):
            raise click.UsageError(f"--name is written NUMBER=NAME; got {word!r}")
        found[int(number)] = name.strip()
    return found


def _refuse_idle(asked: Asked, overwrite: bool, resume: bool) -> None:
    """Refuses options of a fit without a dataset."""
    flags = [f"--{name.replace('_', '-')}" for name in asked.given]
    flags += ["--overwrite"] * overwrite + ["--resume"] * resume
    if flags:
        raise click.UsageError(f"{flags[0]} has no effect: it needs a DATA_DIR")


def fit(run: StylesRun) -> None:
    """Finds styles and fits them."""
    from headline.cli.places import check_styles
    from headline.network.backend import (
        choose_backend,
        muted_native_stderr,
        share_cores,
    )

    check_styles(run)
    choose_backend()
    with muted_native_stderr():
        with timed("loaded Keras"):
            from headline.training.styles.fit import fit_styles

        share_cores()
        interrupt = Interrupt(tell)
        with interrupt.listening():
            fit_styles(run, tell, interrupt)


def _named(model_dir: Path, names: dict[int, str]) -> "Styles":
    """Returns the styles of a model, after giving them names."""
    from headline.cli.models import loaded
    from headline.errors import BundleError
    from headline.training.styles.names import name_styles

    if names:
        return name_styles(model_dir, names)
    found = loaded(model_dir).styles
    if found is None:
        raise BundleError(
            f"{model_dir} has no styles: `headline styles -m {model_dir} DATA_DIR` "
            "finds them"
        )
    return found


def print_styles(found: "Styles", as_json: bool) -> None:
    """Prints the styles as a table, or as JSON."""
    from headline.formats.writing import clean

    text = table(found)
    if as_json:
        text = json.dumps(
            found.to_dict() | {"labels": found.labels}, ensure_ascii=False
        )
    click.echo(clean(text), file=utf8_stdout())


def table(found: "Styles") -> str:
    """Returns the styles as text: a line for each, and its examples below."""
    lines = []
    for label, style in zip(found.labels, found.styles, strict=True):
        traits = "; ".join(style.traits) or "like the others"
        lines.append(
            f"style {label}: {style.share:.0%} of the headlines, median length "
            f"{style.median_length:g}; {traits}"
        )
        lines += [f"    {one.headline}" for one in style.examples]
    return "\n".join(lines)
