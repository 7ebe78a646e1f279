"""The page for editors: files of this package, which load nothing from elsewhere."""

from functools import cache
from importlib.resources import files

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from headline.serving.problems import Problem

TYPES = {
    "html": "text/html",
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
}
START = "index.html"


@cache
def page_files() -> dict[str, bytes]:
    """Returns the files of the page by their names."""
    folder = files("headline.serving").joinpath("page")
    return {one.name: one.read_bytes() for one in folder.iterdir()}


async def start(request: Request) -> Response:
    """Returns the page."""
    return _file(START)


async def part(name: str) -> Response:
    """Returns a file of the page.

    Raises:
        Problem: there is none (404).
    """
    if name not in page_files() or name == START:
        raise Problem(404, "there is nothing here; the page is at the address above")
    return _file(name)


def _file(name: str) -> Response:
    # A new version of the server brings its own files: none may be older.
    headers = {"Cache-Control": "no-cache"}
    media = TYPES[name.rpartition(".")[2]]
    return Response(page_files()[name], headers=headers, media_type=media)


router = APIRouter(include_in_schema=False)
router.get("/")(start)
router.get("/page/{name}")(part)
