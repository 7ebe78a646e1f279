"""Options of the commands, made from the settings, and how ``--help`` lists them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial, wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from headline.cli.asked import Asked, Part, from_assignments, from_file
from headline.cli.paths import CONFIG, FOLDER, LOG, OUTPUT
from headline.cli.story import telling
from headline.settings.base import Setting

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
Decorator = Callable[[Decorated], Decorated]

OTHERS = "Other options"
PRINT = "print_config"
TYPES: dict[str, Any] = {"int": int, "float": float, "str": str, "words": str}


class _Needed(click.Parameter):
    """A required parameter that may be left out with ``--print-config``."""

    def process_value(self, ctx: click.Context, value: Any) -> Any:
        try:
            return super().process_value(ctx, value)
        except click.MissingParameter:
            if ctx.params.get(PRINT):
                return () if self.nargs == -1 else None
            raise


class NeededArgument(_Needed, click.Argument):
    """An argument that may be left out with ``--print-config``."""


class Option(_Needed, click.Option):
    """An option with its heading in ``--help``.

    Args:
        group: the heading.
        advanced: whether only ``--help-all`` lists it.
    """

    def __init__(
        self, *names: Any, group: str = OTHERS, advanced: bool = False, **more: Any
    ) -> None:
        super().__init__(*names, **more)
        self.group = group
        self.advanced = advanced


option = partial(click.option, cls=Option)
argument = partial(click.argument, cls=NeededArgument)


class Command(click.Command):
    """A command whose ``--help`` lists basic options and ``--help-all`` all of them."""

    def format_options(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """Writes the options under their headings."""
        groups: dict[str, list[tuple[str, str]]] = {}
        hidden = 0
        for one in self.get_params(ctx):
            record = one.get_help_record(ctx)
            if record is None or isinstance(one, click.Argument):
                continue
            if getattr(one, "advanced", False) and not ctx.meta.get(ALL):
                hidden += 1
                continue
            groups.setdefault(getattr(one, "group", OTHERS), []).append(record)
        for heading in sorted(groups, key=lambda name: name == OTHERS):
            with formatter.section(heading):
                formatter.write_dl(groups[heading])
        if hidden:
            formatter.write_paragraph()
            formatter.write_text(f"--help-all shows {hidden} more options.")


ALL = f"{__name__}.all"  # key in a context: whether to list every option


def _show_all(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        ctx.meta[ALL] = True
        click.echo(ctx.get_help(), color=ctx.color)
        ctx.exit()


command = partial(click.command, cls=Command)


# --- options of settings --------------------------------------------------------------


def settings_options(*parts: Part) -> Decorator[Callable[..., Any]]:
    """Adds the options of settings to a command, which gets them as ``asked``."""
    names = [known.name for one in parts for known in one.settings]

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def run(
            config_path: Path | None,
            assignments: Sequence[str],
            print_config: bool,
            **values: Any,
        ) -> Any:
            options = given({name: values.pop(name) for name in names})
            asked = Asked(
                parts=parts,
                options=options,
                sets=from_assignments(assignments, parts),
                file=from_file(config_path, parts),
                path=config_path,
                printing=print_config,
            )
            return function(asked=asked, **values)

        made = (_option_of(known) for one in parts for known in one.settings)
        run_with = all_of(*made, *_CONFIG_OPTIONS)
        decorated: Callable[..., Any] = run_with(story_options(run))
        return decorated

    return decorate


def all_of(*decorators: Decorator[Any]) -> Decorator[Any]:
    """Adds several options to a command; ``--help`` lists them in this order."""

    def decorate(function: Any) -> Any:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


def _option_of(known: Setting) -> Decorator[Any]:
    flag, about = f"--{known.name.replace('_', '-')}", known.about
    more: dict[str, Any] = {"metavar": about.unit.upper()} if about.unit else {}
    if known.kind == "bool":
        flag += f"/--no-{known.name.replace('_', '-')}"
    else:
        more["type"] = TYPES[known.kind]
    if known.choices:
        more["type"] = click.Choice(known.choices)
    return option(
        flag,
        known.name,
        default=known.default,
        # An empty default is not shown.
        show_default=about.default_text or known.default not in ("", ()),
        help=_help(known),
        group=about.group,
        advanced=about.level == "advanced",
        multiple=known.kind == "words",
        **more,
    )


def _help(known: Setting) -> str:
    range_text = known.range_text
    return known.about.help + (f" Range: {range_text}." if range_text else "")


def given(values: dict[str, Any]) -> dict[str, Any]:
    """Returns the settings whose options the user has given."""
    context = click.get_current_context()
    default = click.core.ParameterSource.DEFAULT
    return {
        name: value
        for name, value in values.items()
        if context.get_parameter_source(name) != default
    }


_CONFIG_OPTIONS = (
    option(
        "--config",
        "config_path",
        type=CONFIG,
        metavar="FILE",
        group="Settings",
        help="Read settings from a TOML file, as --print-config writes it. Options and"
        " --set count more than the file.",
    ),
    option(
        "--set",
        "assignments",
        multiple=True,
        metavar="NAME=VALUE",
        group="Settings",
        help="Change one setting, by its NAME or SECTION.NAME in the output of"
        " --print-config. Repeatable.",
    ),
    option(
        "--print-config",
        PRINT,
        is_flag=True,
        is_eager=True,
        group="Settings",
        help="Print all settings of this command as a TOML file, and do nothing else.",
    ),
    option(
        "--help-all",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_show_all,
        help="Show every option and exit.",
    ),
)


# --- options of messages --------------------------------------------------------------


def story_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --quiet, --verbose and --log-file to a command."""

    @wraps(function)
    def run(quiet: bool, verbose: bool, log_file: Path | None, **values: Any) -> Any:
        places = [*_paths(values.values())]
        with telling(quiet, verbose, log_file, places):
            return function(**values)

    decorated: Callable[..., Any] = all_of(*_STORY_OPTIONS)(run)
    return decorated


def _paths(values: Iterable[Any]) -> Iterator[Path]:
    """Yields the paths among values, also those inside tuples."""
    for value in values:
        if isinstance(value, tuple):
            yield from _paths(value)
        elif isinstance(value, Path):
            yield value


_STORY_OPTIONS = (
    option(
        "--quiet",
        is_flag=True,
        help="Print no progress and no notes on stderr; errors are still printed.",
    ),
    option(
        "--verbose",
        is_flag=True,
        help="Tell more on stderr: settings, what was detected of each file, and how"
        " long each step took.",
    ),
    option(
        "--log-file",
        type=LOG,
        metavar="FILE",
        help="Append what is told on stderr to FILE too, with the time of each line,"
        " also with --quiet.",
    ),
)


# --- options that several commands share ----------------------------------------------


def model_option(*more: str, help: str, reads: bool, **kind: Any) -> Decorator[Any]:
    """Returns the option ``-m``.

    Args:
        more: other names of the option.
        reads: whether the model is read; if so, HEADLINE_MODEL may name it too.
    """
    return option(
        "-m",
        "--model",
        *more,
        "model_dir",
        type=FOLDER,
        metavar="MODEL_DIR",
        envvar="HEADLINE_MODEL" if reads else None,
        show_envvar=reads,
        help=help,
        **kind,
    )


def output_option(help: str) -> Decorator[Any]:
    """Returns the option ``-o`` of a command that writes a file."""
    return option(
        "-o", "--output", type=OUTPUT, metavar="FILE", group="Output", help=help
    )


def overwrite_option(help: str) -> Decorator[Any]:
    """Returns the option ``--overwrite``."""
    return option("--overwrite", is_flag=True, group="Output", help=help)


json_option = option(
    "--json", "as_json", is_flag=True, group="Output", help="Print one JSON object."
)
