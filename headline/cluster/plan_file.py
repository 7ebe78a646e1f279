"""The plan of a run as a file in its folder, so that it is made once."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from headline import __version__
from headline.cluster.plan import Plan, PlannedFile, ShardJob, Stamp
from headline.cluster.settings import ShardSettings
from headline.errors import ClusterError
from headline.formats.dialects import Dialect
from headline.formats.layout import Layout, Place
from headline.generation.inputs import Shard

FORMAT = 1
NAME = "_plan.json"
OTHER = "give what it was begun with, or choose another --output-dir"
# What a split file needs of its layout. It is plain text, so it has no more than this.
LAYOUT = "header", "columns", "encoding", "is_detected", "newline"

Head = dict[str, Any]  # what must be equal for a run to go on


def head_of(
    stamps: Sequence[tuple[Path, Stamp]], settings: ShardSettings, rows_per_shard: int
) -> Head:
    """Returns all that decides about the output of a run."""
    head = {
        "format": FORMAT,
        "version": __version__,
        **settings.to_dict(),
        "rows_per_shard": rows_per_shard,
        "files": [{"name": path.name, **stamp._asdict()} for path, stamp in stamps],
    }
    plain: Head = json.loads(json.dumps(head))  # lists for tuples, as in the file
    return plain


def run_id(head: Head) -> str:
    """Returns a short checksum that only the same run has."""
    return hashlib.sha256(json.dumps(head, sort_keys=True).encode()).hexdigest()[:16]


def run_in(content: bytes) -> str | None:
    """Returns the ``run_id`` of a plan; None if it is damaged."""
    try:
        return run_id(json.loads(content)["run"])
    except (ValueError, KeyError, TypeError):
        return None


def to_bytes(plan: Plan, head: Head) -> bytes:
    """Returns the content of the file."""
    files = [
        {
            "writes": file.writes,
            "shape": file.shape,
            "layout": _layout_to_dict(file.layout),
        }
        for file in plan.files
    ]
    shards = [
        [job.file, job.name, job.shard.start, job.shard.rows, job.size]
        for job in plan.jobs
    ]
    content = {"run": head, "files": files, "shards": shards}
    return (json.dumps(content, ensure_ascii=False) + "\n").encode()


def from_bytes(content: bytes, files: Sequence[Path], head: Head, place: Path) -> Plan:
    """Reads the plan of the run that a folder holds.

    Args:
        files: the input files, in the order of the plan.
        head: of the run that shall go on.
        place: the folder.

    Raises:
        ClusterError: it is the plan of another run, or the file is damaged.
    """
    old, values = _read(content, place)
    if (differing := difference(old, head)) is not None:
        raise ClusterError(f"{place} {differing}; {OTHER}")
    return _plan(values, files, old, place)


def finished_plan(content: bytes, place: Path) -> tuple[Plan, str]:
    """Reads the plan of a run that is not to go on; its files may be gone by now.

    Returns:
        the plan, with the names of the input files as their paths; and ``run_id``.

    Raises:
        ClusterError: the file is damaged.
    """
    head, values = _read(content, place)
    files = [Path(one["name"]) for one in head["files"]]
    return _plan(values, files, head, place), run_id(head)


def _read(content: bytes, place: Path) -> tuple[Head, dict[str, Any]]:
    with _damaged(place):
        values = json.loads(content)
        return dict(values["run"]), values


@contextmanager
def _damaged(place: Path) -> Iterator[None]:
    """Turns errors of a damaged file into a ClusterError."""
    try:
        yield
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise ClusterError(
            f"{place / NAME} is damaged: choose another --output-dir"
        ) from error


def _plan(
    values: Mapping[str, Any], files: Sequence[Path], head: Head, place: Path
) -> Plan:
    with _damaged(place):
        planned = [
            PlannedFile(
                path,
                Stamp(stamp["size"], stamp["modified"]),
                file["writes"],
                tuple(file["shape"]),
                _layout_from_dict(file["layout"], path),
            )
            for path, stamp, file in zip(
                files, head["files"], values["files"], strict=True
            )
        ]
        jobs = [
            _job(index, planned, *shard) for index, shard in enumerate(values["shards"])
        ]
    return Plan(tuple(planned), tuple(jobs))


def _job(index: int, files: Sequence[PlannedFile], file: int, *shard: Any) -> ShardJob:
    name, place, rows, size = shard
    planned = files[file]
    start = None if place is None else Place(*place)
    # A whole file may be read in its own way, such as a text that is one article.
    layout = None if rows is None else planned.layout
    part = Shard(planned.path, layout, start, rows)
    return ShardJob(index, file, name, part, size, planned.stamp)


def _layout_to_dict(layout: Layout | None) -> dict[str, Any] | None:
    if layout is None:
        return None
    values = {name: getattr(layout, name) for name in LAYOUT}
    return values | {"dialect": layout.dialect and asdict(layout.dialect)}


def _layout_from_dict(values: Mapping[str, Any] | None, path: Path) -> Layout | None:
    if values is None:
        return None
    known: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in values.items()
    }
    if known["dialect"] is not None:
        known["dialect"] = Dialect(**known["dialect"])
    return Layout(path=path, **known)


def difference(old: Head, new: Head) -> str | None:
    """Returns in words how a run differs from the one that a folder holds."""
    if old == new:
        return None
    if old.get("files") != new["files"]:
        return _other_files(old["files"], new["files"])
    if old.get("model") != new["model"]:
        return "holds headlines of another model"
    if old.get("version") != new["version"]:
        return f"was begun by version {old['version']} of headline"
    for section in ("search", "form", "output"):
        for name, value in new[section].items():
            before = old[section].get(name)
            if before != value:
                return f"was begun with {name} = {before!r}, now it is {value!r}"
    names = [name for name in ("rows_per_shard", "device") if old[name] != new[name]]
    return f"was begun with {names[0]} = {old[names[0]]!r}, now it is {new[names[0]]!r}"


def _other_files(old: Sequence[Head], new: Sequence[Head]) -> str:
    if [one["name"] for one in old] == [one["name"] for one in new]:
        pairs = zip(old, new, strict=True)
        name = next(now["name"] for before, now in pairs if before != now)
        return f"was begun before {name} changed"
    return f"was begun with other files: {', '.join(one['name'] for one in old[:3])}"
