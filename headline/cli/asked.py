"""The settings that a user gives to a command, and which of them wins.

Options win over ``--set``, ``--set`` over the file of ``--config``, and the file over
the values of a preset, a model or the defaults.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click

from headline.cli.story import detail
from headline.errors import ConfigError
from headline.settings.base import Config, Setting, Values, offered
from headline.system.streams import utf8_stdout

Kind = TypeVar("Kind", bound=Config)


class Part(NamedTuple):
    """The settings of a config class that a command takes, all or some."""

    config: type[Config]
    settings: tuple[Setting, ...]

    @property
    def section(self) -> str:
        """The section of these settings in a TOML file."""
        return self.config.section


def part(
    config: type[Config],
    only: Collection[str] = (),
    but: Collection[str] = (),
    about: Mapping[str, Mapping[str, Any]] | None = None,
) -> Part:
    """Returns the settings of a config class: ``only`` some, or all ``but`` some.

    Args:
        about: by the name of a setting, the fields of its ``About`` that differ in this
            command, such as its help.
    """
    own = about or {}
    kept = (
        one._replace(about=one.about._replace(**own.get(one.name, {})))
        for one in offered(config)
        if one.name not in but and (not only or one.name in only)
    )
    return Part(config, tuple(kept))


class Asked(NamedTuple):
    """The settings that a user gives to a command, by where they were given."""

    parts: Sequence[Part]
    options: Values  # given as options
    sets: Values  # given with --set
    file: Values  # from the file of --config
    path: Path | None  # path of that file
    printing: bool  # --print-config: print the settings and do nothing else

    @property
    def given(self) -> Values:
        """The settings given on the command line."""
        return self.sets | self.options

    def over(self, base: Kind) -> Kind:
        """Returns ``base`` with the given settings changed.

        Raises:
            ConfigError: the settings cannot be combined.
        """
        with self.blaming_the_file():
            config = base.changed(self.file | self.given)
        tell_settings(config)
        return config

    @contextmanager
    def blaming_the_file(self) -> Iterator[None]:
        """Names the file, not an option, if a setting from the file causes an error."""
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
    """Reports the settings that a command uses, with --verbose only."""
    pairs = ((one.name, getattr(config, one.name)) for one in offered(type(config)))
    known = ", ".join(f"{name}={value!r}" for name, value in pairs)
    detail(f"settings [{config.section}] {known}")


def from_file(path: Path | None, parts: Sequence[Part]) -> Values:
    """Reads the settings of a command from a file.

    The same file may serve several commands. Settings of other commands are checked
    but not used.

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
    """Parses the values of ``--set``: NAME=VALUE or SECTION.NAME=VALUE.

    Raises:
        ConfigError: a word has another form, the command does not have the setting, or
            the value is not allowed.
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
