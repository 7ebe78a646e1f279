"""Settings as TOML: read by the standard library, written by the few lines below.

Every setting is a string, a number, a boolean or a list of strings, so the only TOML
ever written is ``name = value`` below ``[section]``.
"""

import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from textwrap import wrap
from typing import Any

from headline.errors import ConfigError
from headline.settings.base import Setting, Values
from headline.settings.sections import SECTIONS, owners, suggestion

WIDTH = 88  # characters of a line of comments


def read_settings(path: Path) -> dict[str, Values]:
    """Reads a TOML file and returns the settings of each section.

    Raises:
        ConfigError: the file is not valid TOML, a section or setting is unknown, or a
            value is not allowed.
    """
    try:
        content = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} cannot be read as TOML: {error}") from error
    return {name: _section(path, name, table) for name, table in content.items()}


def _section(path: Path, section: str, table: Any) -> Values:
    if section not in SECTIONS:
        raise ConfigError(f"{path}: {_unknown_section(section, table)}")
    if not isinstance(table, dict):
        raise ConfigError(f"{path}: {section} must be a section, written [{section}]")
    known = SECTIONS[section]
    for name in table:
        if name not in known:
            close = suggestion(name, known)
            raise ConfigError(f"{path}: [{section}] has no setting {name!r}{close}")
    return {
        name: checked(known[name], _from_toml(known[name], value), str(path), section)
        for name, value in table.items()
    }


def _unknown_section(name: str, value: Any) -> str:
    if isinstance(value, dict):
        close = suggestion(name, SECTIONS) or f"; choose from: {', '.join(SECTIONS)}"
        return f"unknown section [{name}]{close}"
    found = "] or [".join(owners(name))
    below = f"; write it below [{found}]" if found else ""
    return f"{name!r} stands outside of a section{below}"


def checked(setting: Setting, value: Any, where: str, section: str) -> Any:
    """Returns the value if the setting allows it.

    Raises:
        ConfigError: the value is not allowed; the message begins with ``where``.
    """
    if (wanted := setting.fault(value)) is not None:
        name = f"{section}.{setting.name}"
        raise ConfigError(f"{where}: {name} must be {wanted}; got {value!r}")
    return value


def _from_toml(setting: Setting, value: Any) -> Any:
    """Converts a value to the type an option gives; returns unfit values unchanged."""
    if setting.kind == "float" and type(value) is int:
        return float(str(value))  # infinite if the number is too large
    if setting.kind == "words" and isinstance(value, list):
        return tuple(value)
    if setting.kind == "words" and isinstance(value, str):
        return (value,)
    return value


def from_text(setting: Setting, text: str) -> Any:
    """Parses a text as a value of the setting; returns unfit text unchanged."""
    if setting.kind == "words":
        return (text,)
    if setting.kind == "bool":
        return {"true": True, "false": False}.get(text.lower(), text)
    if setting.kind in ("int", "float"):
        try:
            return int(text) if setting.kind == "int" else float(text)
        except ValueError:
            return text
    return text


def to_toml(sections: Mapping[str, Iterable[tuple[Setting, Any]]]) -> str:
    """Writes settings as TOML, each below its help; None becomes a comment.

    Raises:
        ConfigError: a text holds a lone surrogate, which TOML cannot represent.
    """
    parts = []
    for section, settings in sections.items():
        blocks = (f"{_comment(one)}\n{_line(one, value)}\n" for one, value in settings)
        parts.append(f"[{section}]\n" + "\n".join(blocks))
    return "\n".join(parts)


def _comment(setting: Setting) -> str:
    range_text = setting.range_text or " | ".join(setting.choices)
    words = f"{setting.about.help} {range_text and f'[{range_text}]'}"
    return "\n".join(f"# {line}" for line in wrap(words, WIDTH - 2))


def _line(setting: Setting, value: Any) -> str:
    if value is None:
        return f"# {setting.name} =  # {setting.about.default_text}"
    return f"{setting.name} = {_value(setting, value)}"


def _value(setting: Setting, value: Any) -> str:
    if isinstance(value, float):
        return repr(value)
    written = json.dumps(value, ensure_ascii=False)  # escapes as in TOML, except:
    written = written.replace("\x7f", "\\u007f")
    try:
        written.encode("utf-8")
    except UnicodeEncodeError as error:
        message = f"{setting.name} {value!r} has bytes that are not valid UTF-8"
        raise ConfigError(message, setting.name) from error
    return written
