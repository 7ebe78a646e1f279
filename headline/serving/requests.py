"""The bodies of requests: read, checked, and turned into work."""

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema

from headline.api.settings import search_with
from headline.errors import ConfigError
from headline.serving.problems import Problem
from headline.serving.schemas import OPTIONS, options_schema
from headline.settings.base import schema
from headline.settings.search import DecodeConfig
from headline.settings.serve import ServeConfig

MOST_HEADLINES = 64  # that one request may have explained
MOST_CHARACTERS = 1000  # of a headline that a request brings

FLAGS = {one.name for one in schema(DecodeConfig) if one.kind == "bool"}
Options = Annotated[dict[str, Any], WithJsonSchema(options_schema())]
Given = Annotated[str, Field(max_length=MOST_CHARACTERS)]
Body = TypeVar("Body", bound=BaseModel)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Articles(_Strict):
    """One article or several, and how to search for their headlines."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": ["text"]}, {"required": ["texts"]}],
            "examples": [{"text": "……", "options": {"max_length": 20}}],
        }
    )
    text: str = Field(default="", description="One article.")
    texts: list[str] = Field(
        default=[], min_length=1, description="Several articles, instead of `text`."
    )
    options: Options = {}


class ToExplain(_Strict):
    """An article and the headlines that are to be explained."""

    text: str = Field(description="The article.")
    headlines: list[Given] = Field(
        default=[],
        max_length=MOST_HEADLINES,
        description="Any headlines; without them those that the model writes.",
    )
    options: Options = {}


class ToScore(_Strict):
    """An article and headlines whose probability is asked for."""

    text: str = Field(description="The article.")
    headlines: list[Given] = Field(min_length=1, max_length=MOST_HEADLINES)


class Line(_Strict):
    """A line of a stream."""

    text: str
    options: Options = {}


def parsed(kind: type[Body], body: bytes) -> Body:
    """Reads a body of JSON.

    Raises:
        Problem: it is not JSON (400), or not what is expected (422).
    """
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        # ``input`` would repeat the client's text.
        first = error.errors(include_url=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        raise Problem(400, f"the body must be JSON in UTF-8: {_inner(first['msg'])}")
    where = ".".join(map(str, first["loc"])) or "the body"
    known = ", ".join(kind.model_fields)
    if first["type"] == "extra_forbidden":
        raise Problem(422, f"there is no key {where[:40]!r}; known are {known}")
    if first["type"] == "missing":
        raise Problem(422, f"{where} is missing; known are {known}")
    raise Problem(422, f"{where}: {first['msg'][:1].lower()}{first['msg'][1:]}")


def _inner(message: str) -> str:
    return message.removeprefix("Invalid JSON: ")


def texts_of(articles: Articles, limits: ServeConfig) -> list[str]:
    """Returns the articles of a request.

    Raises:
        Problem: there are none (422), or too much of them (413).
    """
    given = articles.model_fields_set & {"text", "texts"}
    if len(given) != 1:
        raise Problem(422, "give one article as text, or several as texts")
    texts = [articles.text] if "text" in given else articles.texts
    if len(texts) > limits.max_texts:
        raise Problem(
            413,
            f"a request may have {limits.max_texts:,} articles, not {len(texts):,}; "
            "send several, a stream of application/x-ndjson, or a file",
        )
    for text in texts:
        check_length(text, limits)
    return texts


def check_length(text: str, limits: ServeConfig) -> None:
    """Refuses an article that is too long.

    Raises:
        Problem: it is (413).
    """
    if len(text) > limits.max_characters:
        raise Problem(
            413,
            f"an article may have {limits.max_characters:,} characters, not "
            f"{len(text):,}; send its beginning",
        )


def config_of(options: dict[str, Any], base: DecodeConfig) -> DecodeConfig:
    """Returns how to search.

    Args:
        base: the search settings of the server.

    Raises:
        Problem: an option is unknown, or has a value that is not allowed (422).
    """
    for name in FLAGS & options.keys():
        # A row of pandas may have 1 for true, but a client can say what it means.
        if type(options[name]) in (int, float):
            raise Problem(422, f"options: {name} must be true or false")
    try:
        return search_with(base, options, OPTIONS)
    except ConfigError as error:
        raise Problem(422, f"options: {str(error)[:500]}") from error
