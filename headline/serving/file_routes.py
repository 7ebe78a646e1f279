"""The routes for files: send one, ask how far it is, take the result, end it."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from headline.errors import ConfigError
from headline.serving.bodies import pieces
from headline.serving.file_job import How
from headline.serving.jobs import Job, Jobs, State
from headline.serving.problems import Problem, described
from headline.serving.requests import config_of
from headline.serving.service import Service
from headline.settings.commands import FormatConfig, GenerateConfig

FORM = ("encoding", "delimiter", "source_column")
OUTPUT = ("headline_column", "with_scores", "lines")
MOST_NAME = 200  # characters

Name = Annotated[
    str,
    Query(
        min_length=1,
        max_length=MOST_NAME,
        description="Name of the file; its ending tells the format.",
    ),
]
OptionsText = Annotated[str, Query(description="The options, as JSON.")]


class JobState(BaseModel):
    """How far a file is."""

    id: str
    name: str
    state: State
    articles: int = Field(description="Articles that are done.")
    read: int = Field(description="Bytes of the file that are done.")
    size: int = Field(description="Bytes of the file.")
    notes: list[str] = Field(description="About rows that could not be read.")
    error: str | None = Field(description="Why there is no result.")
    result: str | None = Field(description="Address of the result, once it is done.")


class FileRoutes:
    """Turns files into jobs.

    Args:
        service: has the model and the limits.
        jobs: are filled and asked.
    """

    def __init__(self, service: Service, jobs: Jobs) -> None:
        self._service, self._jobs = service, jobs
        self._prefix = service.limits.url_prefix.rstrip("/")
        self.router = APIRouter()
        errors = described(400, 401, 404, 408, 413, 415, 422, 429, 500, 503)
        file = {"application/octet-stream": {"schema": {"type": "string"}}}
        accepted: dict[int | str, dict[str, Any]] = {202: {"model": JobState}}
        add = self.router.post(
            "/v1/files",
            status_code=202,
            responses=accepted | errors,
            openapi_extra={"requestBody": {"required": True, "content": file}},
        )
        add(self.send)
        known: dict[int | str, dict[str, Any]] = {200: {"model": JobState}}
        self.router.get("/v1/files/{id}", responses=known | errors)(self.ask)
        content: dict[int | str, dict[str, Any]] = {200: {"content": file}}
        self.router.get(
            "/v1/files/{id}/result",
            responses=content | errors,
            response_class=Response,
        )(self.result)
        gone: dict[int | str, dict[str, Any]] = {204: {"description": "Ended"}}
        self.router.delete("/v1/files/{id}", status_code=204, responses=gone | errors)(
            self.end
        )

    async def send(
        self,
        request: Request,
        name: Name,
        options: OptionsText = "{}",
        encoding: str | None = None,
        delimiter: str | None = None,
        source_column: str | None = None,
        headline_column: str | None = None,
        with_scores: bool | None = None,
        lines: bool | None = None,
    ) -> Response:
        """Takes a file, and writes the headlines of its articles.

        The body is the file itself. The other parameters are settings of ``headline
        generate``.
        """
        given = {
            "encoding": encoding,
            "delimiter": delimiter,
            "source_column": source_column,
            "headline_column": headline_column,
            "with_scores": with_scores,
            "lines": lines,
        }
        known = {name: value for name, value in given.items() if value is not None}
        job = self._jobs.planned(name, self._how(options, known))
        await self._jobs.accept(job, pieces(request))
        place = {"Location": f"{self._prefix}/v1/files/{job.id}"}
        return JSONResponse(self._told(job), 202, place)

    async def ask(self, id: str) -> Response:
        """Tells how far a file is."""
        return JSONResponse(self._told(self._jobs.find(id)))

    async def result(self, id: str) -> Response:
        """Returns the file with its headlines."""
        job = self._jobs.find(id)
        if job.state is not State.DONE:
            raise Problem(404, "there is no result yet; ask for the state of the file")
        return FileResponse(
            job.task.result,
            media_type="application/octet-stream",
            filename=job.result_name,
        )

    async def end(self, id: str) -> Response:
        """Ends the work on a file and removes it with its result."""
        await self._jobs.remove(self._jobs.find(id))
        return Response(status_code=204)

    def _how(self, options: str, known: dict[str, Any]) -> How:
        try:
            stated = json.loads(options)
        except (ValueError, RecursionError) as error:
            raise Problem(422, "options must be a JSON object") from error
        if not isinstance(stated, dict):
            raise Problem(422, "options must be a JSON object")
        try:
            form = {name: known[name] for name in FORM if name in known}
            output = {name: known[name] for name in OUTPUT if name in known}
            return How(
                config_of(stated, self._service.model.config),
                FormatConfig.from_dict(form),
                GenerateConfig.from_dict(output),
            )
        except ConfigError as error:
            raise Problem(422, str(error)) from error

    def _told(self, job: Job) -> dict[str, Any]:
        is_done = job.state is State.DONE
        place = f"{self._prefix}/v1/files/{job.id}/result"
        told = JobState(
            id=job.id,
            name=job.name,
            state=job.state,
            articles=job.articles,
            read=min(job.read, job.size),
            size=job.size,
            notes=job.notes,
            error=job.error,
            result=place if is_done else None,
        )
        return told.model_dump()
