"""Fills in the templates of pages, in which every value is escaped.

A page is self-contained: no font, no picture and no script from elsewhere, so that it
can be mailed, and opened years later. Its CSS and its script are files in ``assets``
that its template puts into it.
"""

import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from jinja2.ext import Extension
from markupsafe import Markup

BETWEEN_TAGS = re.compile(r"(?<=[>}])\s*\n\s*(?=[<{])|\s+\Z")
BUFFERED = 1000  # values and the text between them, in a piece


def fill(template: str, **values: Any) -> str:
    """Returns a template with its values.

    Args:
        template: the name of its file in ``templates``.
        values: by the names that the template uses. A text is shown as it is: it never
            becomes a tag.

    Raises:
        jinja2.UndefinedError: the template uses a name that has no value.
    """
    return "".join(pieces(template, **values))


def pieces(template: str, **values: Any) -> Iterator[str]:
    """Yields what ``fill`` returns bit by bit: what is large is not held twice."""
    stream = _environment().get_template(template).stream(values)
    stream.enable_buffering(BUFFERED)
    return stream


class _Dense(Extension):
    """Leaves out the line breaks between tags, with their indentation.

    They are there for readers of the template; on the page they would be spaces, such
    as between the characters of an article. Within a text they stay.
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
