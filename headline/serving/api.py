"""The routes of the API, and their description."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from headline import __version__
from headline.serving.bodies import JSON, NDJSON, check_type, leaving, whole
from headline.serving.messages import Done, Explain, Score, Search, Work
from headline.serving.problems import Problem, ProblemDetails, described
from headline.serving.requests import (
    Articles,
    Body,
    ToExplain,
    ToScore,
    check_length,
    config_of,
    parsed,
    texts_of,
)
from headline.serving.schemas import options_schema
from headline.serving.service import Service, unless_gone
from headline.serving.streaming import LineStream
from headline.settings.search import DecodeConfig
from headline.text.unsupported import Kind

REFUSED = described(400, 401, 408, 413, 415, 422, 429, 500, 503)
PLAIN = described(400, 401, 500, 503)


class Unsupported(BaseModel):
    """A number, Latin word or name of a headline that its article lacks."""

    text: str
    start: int = Field(description="First code point in the headline.")
    end: int
    kind: Kind
    in_pieces: bool = Field(
        description="Whether it is a name whose characters the article has, but not in"
        " a row."
    )


CONFIDENCE = Field(
    default=None,
    description="Estimated chance in percent that the headline is good, if asked for.",
)


class FoundHeadline(BaseModel):
    """A headline."""

    text: str
    score: float = Field(description="Natural logarithm of its probability.")
    unsupported: list[Unsupported]
    confidence: float | None = CONFIDENCE
    style: str | None = Field(
        default=None, description="Name or number of its style, if one was asked for."
    )


class ArticleResult(BaseModel):
    """The headlines of an article, best first; a blank article has a blank one."""

    headlines: list[FoundHeadline]
    error: str | None = Field(
        default=None, description="Why the options allow no headline for this article."
    )


class Results(BaseModel):
    """The results of the articles, in their order."""

    results: list[ArticleResult]


class Place(BaseModel):
    """A token of the article that one of the headline depends on."""

    place: int
    weight: float


class ExplainedToken(BaseModel):
    """A token of a headline, and where it comes from."""

    text: str
    probability: float
    copy_share: float = Field(description="Share of the probability due to copying.")
    copied: bool
    unsure: bool = Field(description="Whether the model would rather write another.")
    places: list[Place]


class ExplainedHeadline(BaseModel):
    """A headline with its tokens."""

    text: str
    score: float
    unsupported: list[Unsupported]
    confidence: float | None = CONFIDENCE
    tokens: list[ExplainedToken]


class ExplainedArticle(BaseModel):
    """The tokens of an article, and the headlines that come from it."""

    source: list[str]
    unread: str = Field(description="The rest, which the model does not read.")
    pointer: bool = Field(description="Whether the model can copy.")
    headlines: list[ExplainedHeadline]


class ScoreOfHeadline(BaseModel):
    """The natural logarithm of a probability; null for a blank article."""

    score: float | None


class Scores(BaseModel):
    """The scores of the headlines, in their order."""

    results: list[ScoreOfHeadline]


class AboutModel(BaseModel):
    """The model: its settings and the figures of its training."""

    version: str
    max_source_length: int = Field(description="Characters that the model reads.")
    confidence: bool = Field(description="Whether with_confidence can be asked for.")
    defaults: dict[str, Any] = Field(description="Search settings without options.")
    options: dict[str, Any] = Field(description="JSON schema of the options.")
    training: dict[str, Any]


class State(BaseModel):
    """Whether the server works."""

    status: str


LINES = {NDJSON: {"schema": {"type": "string"}}}  # a JSON object on each line


def sent(kind: type[BaseModel], **also: Any) -> dict[str, Any]:
    """Returns the description of a body that a route reads itself.

    Args:
        also: other types of the body, with their descriptions.
    """
    schema = {"$ref": f"#/components/schemas/{kind.__name__}"}
    content = {JSON: {"schema": schema}, **also}
    return {"requestBody": {"required": True, "content": content}}


def answer(kind: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """Returns the description of a successful answer that a route makes itself."""
    return {200: {"model": kind, "description": "OK"}}


class Api:
    """The routes that search, explain and tell about the model.

    Args:
        service: does the work.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self.router = APIRouter()
        posts = (
            ("/v1/headlines", self.headlines, sent(Articles, **LINES), Results),
            ("/v1/explain", self.explain, sent(ToExplain), ExplainedArticle),
            ("/v1/score", self.score, sent(ToScore), Scores),
        )
        for path, route, body, kind in posts:
            known = answer(kind) | REFUSED
            self.router.post(path, responses=known, openapi_extra=body)(route)
        gets = (
            ("/v1/model", self.model, AboutModel),
            ("/healthz", self.health, State),
            ("/readyz", self.ready, State),
        )
        for path, about, told in gets:
            self.router.get(path, responses=answer(told) | PLAIN)(about)
        text = {"text/plain": {"schema": {"type": "string"}}}
        figures: dict[int | str, dict[str, Any]] = {200: {"content": text}}
        add = self.router.get(
            "/metrics", responses=figures | PLAIN, response_class=Response
        )
        add(self.metrics)

    async def headlines(self, request: Request) -> Response:
        """Writes the headlines of one article or several.

        A body of application/x-ndjson may have any number of articles: each line is an
        object with ``text`` and ``options``, and gets a line with its ``headlines``
        and, if there can be none, an ``error``. Read the answer while you send.
        """
        if check_type(request, JSON, NDJSON) == NDJSON:
            return LineStream(request, self._service)
        articles = await self._parsed(request, Articles)
        texts = texts_of(articles, self._service.limits)
        config = config_of(articles.options, self._service.model.config)
        done = await self._done(request, [Search(text, config) for text in texts])
        _refuse_if_all_failed(done)
        return _joined(done)

    async def explain(self, request: Request) -> Response:
        """Tells for each character of headlines where in the article it comes from."""
        asked = await self._parsed(request, ToExplain)
        check_length(asked.text, self._service.limits)
        config = config_of(asked.options, self._service.model.config)
        done = await self._done(
            request, [Explain(asked.text, asked.headlines or None, config)]
        )
        _refuse_if_all_failed(done)
        return Response(done[0].body, media_type=JSON)

    async def score(self, request: Request) -> Response:
        """Tells how likely the model finds headlines of an article."""
        asked = await self._parsed(request, ToScore)
        check_length(asked.text, self._service.limits)
        work = [Score(asked.text, headline) for headline in asked.headlines]
        return _joined(await self._done(request, work))

    async def model(self) -> Response:
        """Tells about the model: settings, options, figures of its training."""
        model = self._service.model
        return JSONResponse(
            {
                "version": __version__,
                "max_source_length": model.max_source_length,
                "confidence": model.confidence,
                "defaults": _told(model.config),
                "options": options_schema(model.config),
                "training": model.about,
            }
        )

    async def health(self) -> Response:
        """Tells that the server runs."""
        return JSONResponse({"status": "ok"})

    async def ready(self) -> Response:
        """Tells whether articles can be searched."""
        if not self._service.pool.is_ready:
            raise Problem(503, "no worker process is ready yet; try again soon", 1)
        return JSONResponse({"status": "ready"})

    async def metrics(self) -> Response:
        """Returns figures for Prometheus."""
        return Response(self._service.metrics.text(), media_type="text/plain")

    async def _parsed(self, request: Request, kind: type[Body]) -> Body:
        check_type(request, JSON)
        return parsed(kind, await whole(request, self._service.limits.max_body))

    async def _done(self, request: Request, work: Sequence[Work]) -> list[Done]:
        return await unless_gone(self._service.answers(work), leaving(request))


def _told(config: DecodeConfig) -> dict[str, Any]:
    known = options_schema()["properties"]
    return {name: value for name, value in config.to_dict().items() if name in known}


def _refuse_if_all_failed(done: Sequence[Done]) -> None:
    """Refuses options that allow no headline for any article (422)."""
    if all(one.error is not None for one in done):
        raise Problem(422, f"options: {done[0].error}")


def _joined(done: Sequence[Done]) -> Response:
    body = b'{"results":[' + b",".join(one.body for one in done) + b"]}"
    return Response(body, media_type=JSON)


# --- the application ------------------------------------------------------------------

DESCRIBED = (Articles, ToExplain, ToScore, ProblemDetails)


def application(*routers: APIRouter) -> FastAPI:
    """Returns the application with all routes and their description."""
    app = FastAPI(title="headline", version=__version__, docs_url=None, redoc_url=None)
    for router in routers:
        app.include_router(router)
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _http_problem)
    app.add_exception_handler(RequestValidationError, _wrong_parameter)
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]
    return app


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def _wrong_parameter(request: Request, error: Exception) -> Response:
    """Answers for a parameter in the address."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    name, message = first["loc"][-1], first["msg"]
    return Problem(422, f"{name}: {message[:1].lower()}{message[1:]}").response()


async def _http_problem(request: Request, error: Exception) -> Response:
    """Answers for a path or a method that does not exist."""
    assert isinstance(error, HTTPException)
    details = {404: "there is nothing here; see /openapi.json"}
    details[405] = "this path has no such method; see /openapi.json"
    problem = Problem(error.status_code, details.get(error.status_code, error.detail))
    problem.headers |= error.headers or {}
    return problem.response()


def _described(app: FastAPI) -> dict[str, Any]:
    """Returns the description of the API, with the bodies that routes read."""
    if app.openapi_schema is None:
        schema = get_openapi(title=app.title, version=app.version, routes=app.routes)
        known = schema.setdefault("components", {}).setdefault("schemas", {})
        for kind in DESCRIBED:
            place = "#/components/schemas/{model}"
            described = kind.model_json_schema(ref_template=place)
            known |= described.pop("$defs", {})
            known[kind.__name__] = described
        app.openapi_schema = schema
    return app.openapi_schema
