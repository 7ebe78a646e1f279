"""The command line: one group, one module for each command.

Results go to stdout, messages to stderr. This module and the commands import only
click, the settings and the errors at the top; a command imports the rest when it runs.
So ``--help`` and usage errors are fast, and only ``train``, ``find-lr`` and ``topics``
load Keras.
"""

from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager, suppress
from importlib import import_module
from signal import SIGINT
from typing import Any, cast

import click

from headline import __version__
from headline.errors import ConfigError, HeadlineError, Interrupted, refusal
from headline.system.interrupt import ending_on_signals
from headline.system.streams import (
    flush_stdout,
    give_stdin_back,
    take_standard_streams,
)

# One line for each command, in the order of use; listing them loads no command.
COMMANDS = {
    "prepare": "Turn a corpus into a dataset.",
    "topics": "Find the topics of a dataset.",
    "train": "Train a model on a dataset.",
    "styles": "Find the headline styles of a dataset and teach them to a model.",
    "find-lr": "Propose a learning rate for a training.",
    "calibrate": "Fit the confidence of a model.",
    "evaluate": "Write headlines and compare them with those of a file.",
    "score": "Tell how likely a model finds the headlines of a file.",
    "generate": "Write headlines for articles.",
    "cat": "Join what `generate --output-dir` has written into one file.",
    "serve": "Serve a page for editors and an HTTP API.",
    "info": "Tell what a dataset or a model contains.",
    "completion": "Print what makes a shell complete commands by Tab.",
}


class Commands(Mapping[str, click.Command]):
    """The commands by name; each is loaded when it is needed."""

    def __getitem__(self, name: str) -> click.Command:
        if name not in COMMANDS:
            raise KeyError(name)
        function = name.replace("-", "_")
        command: click.Command = getattr(
            import_module(f"headline.cli.{function}"), function
        )
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class HeadlineGroup(click.Group):
    """Prints errors that a user can fix in one line; a bug keeps its traceback."""

    def main(self, *args: Any, **more: Any) -> Any:
        take_standard_streams()
        try:
            return super().main(*args, **more)
        finally:
            # Flush now: nothing may be left that could fail when the interpreter exits.
            with suppress(HeadlineError, OSError):
                flush_stdout()
            give_stdin_back()

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """Writes the list of commands, with a line for each."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

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
    """Turns expected errors into click's errors and exit codes; lets bugs through."""
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
        headline train prepared/news -m models/news --max-minutes 10
        headline evaluate -m models/news prepared/news/test.csv
        cat article.txt | headline generate -m models/news
    """


# The cast is safe: click only reads from the mapping.
main.commands = cast(MutableMapping[str, click.Command], Commands())
