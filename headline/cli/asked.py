"""What a user asks of a command: options, ``--set`` and ``--config``, one over another.

An option counts more than ``--set``, that more than the file of ``--config``, and that
more than what a preset, a model or a default says.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeVar

import click

from headline.cli.story import detail
from headline.errors import ConfigError
from headline.settings.base import Config, Setting, Values, offered
from headline.system.streams import utf8_stdout

Kind = TypeVar("Kind", bound=Config)


class Part(NamedTuple):
    """Settings that a command takes: those of a kind, or some of them."""

    config: type[Config]
    settings: tuple[Setting, ...]

    @property
    def section(self) -> str:
        """The section of a TOML file that has them."""
        return self.config.section


def part(
    config: type[Config], only: Collection[str] = (), but: Collection[str] = ()
) -> Part:
    """Returns the settings of a kind, ``only`` some, or all ``but`` some."""
    kept = (
        one
        for one in offered(config)
        if one.name not in but and (not only or one.name in only)
    )
    return Part(config, tuple(kept))


class Asked(NamedTuple):
    """The settings that a user gives to a command, and where they stand."""

    parts: Sequence[Part]
    options: Values  # given as options
    sets: Values  # by --set
    file: Values  # what the file of --config says
    path: Path | None  # of that file
    printing: bool  # --print-config: show the settings, and do nothing

    @property
    def given(self) -> Values:
        """The settings given on the command line."""
        return self.sets | self.options

    def over(self, base: Kind) -> Kind:
        """Returns settings as asked for; what nobody asks for is as in ``base``.

        Raises:
            ConfigError: they do not go together.
        """
        with self.blaming_the_file():
            config = base.changed(self.file | self.given)
        tell_settings(config)
        return config

    @contextmanager
    def blaming_the_file(self) -> Iterator[None]:
        """Names the file, and no option, where the file is to blame for an error."""
        try:
            yield
        except ConfigError as error:
            if error.setting in self.file and error.setting not in self.given:
                raise ConfigError(f"{self.path}: {error}") from error
            raise

    def show(self, *configs: Config) -> None:
        """Prints the settings as a TOML file that ``--config`` reads."""
        from headline.settings.toml import to_toml

        values = {type(config): config for config in configs}
        sections: dict[str, list[tuple[Setting, object]]] = {}
        for one in self.parts:
            config = values[one.config]
            pairs = [(known, getattr(config, known.name)) for known in one.settings]
            sections.setdefault(one.section, []).extend(pairs)
        click.echo(to_toml(sections), file=utf8_stdout(), nl=False)


def tell_settings(config: Config) -> None:
    """Tells the settings that a command uses, as a detail."""
    pairs = ((one.name, getattr(config, one.name)) for one in offered(type(config)))
    known = ", ".join(f"{name}={value!r}" for name, value in pairs)
    detail(f"settings [{config.section}] {known}")


def from_file(path: Path | None, parts: Sequence[Part]) -> Values:
    """Reads what a file says about the settings of a command.

    The same file may serve several commands: what it says to others is checked too, but
    not used.

    Raises:
        ConfigError: see ``read_settings``.
    """
    if path is None:
        return {}
    from headline.settings.toml import read_settings

    sections = read_settings(path)
    return {
        known.name: sections[one.section][known.name]
        for one in parts
        for known in one.settings
        if known.name in sections.get(one.section, {})
    }


def from_assignments(words: Sequence[str], parts: Sequence[Part]) -> Values:
    """Reads what ``--set`` says: NAME=VALUE or SECTION.NAME=VALUE.

    Raises:
        ConfigError: it is written otherwise, the command has no such setting, or the
            value is not allowed.
    """
    values: Values = {}
    if not words:
        return values
    from headline.settings.toml import checked, from_text

    for word in words:
        written, found, text = word.partition("=")
        if not found:
            raise ConfigError(f"it is written NAME=VALUE; got {word!r}", "set")
        one, known = _named(written.strip(), parts)
        value = checked(known, from_text(known, text), "--set", one.section)
        if known.kind == "words":
            value = (*values.get(known.name, ()), *value)
        values[known.name] = value
    return values


def _named(written: str, parts: Sequence[Part]) -> tuple[Part, Setting]:
    from headline.settings.sections import owners, suggestion

    section, _, name = written.replace("-", "_").rpartition(".")
    for one in parts:
        for known in one.settings:
            if known.name == name and section in ("", one.section):
                return one, known
    names = [known.name for one in parts for known in one.settings]
    others = owners(name)
    if others and (name not in names or section in others):
        hint = (
            f"; it belongs to other commands, see [{section or '] and ['.join(others)}]"
        )
    else:
        hint = suggestion(name, names)
    raise ConfigError(f"this command has no setting {written!r}{hint}", "set")
