"""Fills in the templates of pages, in which every value is escaped.

A page is self-contained: no font, no picture and no script from elsewhere, so that it
can be mailed, and opened years later. Its CSS and its script are files in ``assets``
that its template puts into it.

Markdown with YAML front matter needs other escapes than HTML, so ``.md`` templates have
their own rules; see ``markdown`` and ``yaml``.
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from jinja2.ext import Extension
from markupsafe import Markup

BETWEEN_TAGS = re.compile(r"(?<=[>}])\s*\n\s*(?=[<{])|\s+\Z")
# What may begin a tag, an entity, a link, a cell of a table, or set words apart.
MARKDOWN = re.compile(r"[\\`*_{}\[\]<>|~&$#]")
# YAML needs \uXXXX for these: control characters, line ends, surrogates.
UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
BUFFERED = 1000  # values and the text between them, in a piece


def fill(template: str, **values: Any) -> str:
    """Returns a template filled with values.

    Args:
        template: the name of its file in ``templates``.
        values: the values, by the names in the template. A text is escaped, so it never
            becomes a tag.

    Raises:
        jinja2.UndefinedError: the template uses a name without a value.
    """
    return "".join(pieces(template, **values))


def pieces(template: str, **values: Any) -> Iterator[str]:
    """Yields the result of ``fill`` in pieces, so a large one is not held twice."""
    stream = _environment().get_template(template).stream(values)
    stream.enable_buffering(BUFFERED)
    return stream


def fill_markdown(template: str, **values: Any) -> str:
    """Returns a Markdown template with its values; see ``fill``."""
    return _markdown_environment().get_template(template).render(values)


class Plain(str):
    """A text that a Markdown template takes as it is."""

    __slots__ = ()


def markdown(value: object) -> Plain:
    """Returns a value as Markdown that shows it as it is, within a line or a cell."""
    if isinstance(value, Plain):
        return value
    printed = "".join(c if c.isprintable() else " " for c in str(value))
    return Plain(MARKDOWN.sub(r"\\\g<0>", printed))


def yaml(value: str | float) -> Plain:
    """Returns a text or a number as YAML, which reads JSON.

    Every text is quoted, so it cannot become a key or end a line.
    """
    written = json.dumps(value, ensure_ascii=False)
    return Plain(UNPRINTABLE.sub(lambda one: f"\\u{ord(one[0]):04x}", written))


@cache
def _markdown_environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("headline.pages"),
        autoescape=False,  # noqa: S701 - HTML's escapes are not Markdown's
        finalize=markdown,  # so that no value can be forgotten
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    environment.filters |= {"yaml": yaml, "plain": Plain}
    return environment


class _Dense(Extension):
    """Leaves out the line breaks between tags, with their indentation.

    They help readers of the template, but on the page they would become spaces, such as
    between the characters of an article. Line breaks within a text stay.
    """

    def preprocess(
        self, source: str, name: str | None, filename: str | None = None
    ) -> str:
        return BETWEEN_TAGS.sub("", source)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("headline.pages"),
        autoescape=True,  # whatever a file is called
        undefined=StrictUndefined,
        extensions=[_Dense],
        auto_reload=False,
    )
    environment.globals["asset"] = asset
    return environment


def asset(name: str) -> Markup:
    """Returns a file in ``assets``, for a template to put into ``style`` or ``script``.

    It is not escaped: browsers read no entities there.
    """
    folder = files("headline.pages") / "assets"
    return Markup((folder / name).read_text("utf-8"))  # noqa: S704 - a file of ours
