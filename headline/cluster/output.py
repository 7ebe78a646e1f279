"""The folder of a run: its shards, a record of each, and the manifest at the end.

A record is written before its output file takes its name, so an output file that is
there is complete, and its record tells what it holds.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, BinaryIO

from headline.cluster import plan_file
from headline.cluster.plan import Plan, ShardJob
from headline.errors import ClusterError
from headline.system.storage import folder_at

MANIFEST, SUCCESS = "manifest.json", "_SUCCESS"
RECORDS = "_shards"  # folder of the records
FORMAT = 1


@dataclass(frozen=True)
class Outcome:
    """What became of a shard; written as its record.

    Attributes:
        name: of the output file.
        rows: rows written.
        rejects: rows among them without a headline, because of a problem.
        seconds: time that it took.
        sha256: of the output file.
        size: bytes of the output file.
        run: the run that it belongs to; see ``plan_file.run_id``.
        told: lines about rows with a problem, not all of them; not in the record.
    """

    name: str
    rows: int
    rejects: int
    seconds: float
    sha256: str
    size: int
    run: str
    told: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Returns the record, ready for JSON."""
        values = asdict(self)
        del values["told"]
        return values


class OutputFolder:
    """Reads and writes the files of a run's folder.

    Args:
        run: the run that goes on there; see ``plan_file.run_id``.
    """

    def __init__(self, path: Path, run: str) -> None:
        self.path, self.run = path, run
        self._folder = folder_at(path)
        self._known: dict[str, Outcome] = {}  # read before; a record does not change

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_known": {}}  # workers do not need it

    def plan(self) -> bytes | None:
        """Returns the plan that the folder holds; None if there is none."""
        return self._folder.read(plan_file.NAME)

    def check_empty(self) -> None:
        """Checks that no other files are there, except locks.

        Raises:
            ClusterError: there are some.
        """
        names = [name for name in self._folder.sizes() if not name.startswith(".")]
        if names:
            raise ClusterError(
                f"{self.path} holds other files, such as {min(names)}: choose an empty "
                "or a new --output-dir"
            )

    def keep_plan(self, content: bytes) -> None:
        """Writes the plan."""
        self._folder.write(plan_file.NAME, content)

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """Yields a local scratch path for the output of a shard."""
        with self._folder.writing(name) as scratch:
            yield scratch

    def keep(self, outcome: Outcome) -> None:
        """Writes the record of a shard."""
        self._write_json(f"{RECORDS}/{outcome.name}.json", outcome.to_dict())

    def _write_json(self, name: str, value: Any) -> None:
        text = json.dumps(value, ensure_ascii=False, indent=1) + "\n"
        self._folder.write(name, text.encode())

    def has_outputs(self) -> bool:
        """Tells whether a shard of any run has been written."""
        return bool(self._folder.sizes(RECORDS))

    def finished(self, jobs: Sequence[ShardJob]) -> dict[str, Outcome]:
        """Returns the outcomes of those jobs whose output is complete, by name."""
        sizes, records = self._folder.sizes(), self._folder.sizes(RECORDS)
        done: dict[str, Outcome] = {}
        for name in (job.name for job in jobs if job.name in sizes):
            outcome = self._known.get(name)
            if outcome is None and f"{name}.json" in records:
                outcome = self._outcome(name)
            if outcome is not None and outcome.size == sizes[name]:
                done[name] = outcome
        self._known = done
        return done

    def _outcome(self, name: str) -> Outcome | None:
        """Returns the record of a shard; None if damaged or of another run."""
        content = self._folder.read(f"{RECORDS}/{name}.json")
        try:
            values = json.loads(content or b"")
            named = {one.name: values[one.name] for one in fields(Outcome)[:-1]}
            outcome = Outcome(**named)
        except (ValueError, KeyError, TypeError):
            return None
        return outcome if outcome.run == self.run else None

    def may_be_complete(self, jobs: Sequence[ShardJob]) -> bool:
        """Tells whether there is an output of each job, by one look at the folder."""
        return self._folder.sizes().keys() >= {job.name for job in jobs}

    def is_finished(self) -> bool:
        """Tells whether the run was finished."""
        return SUCCESS in self._folder.sizes()

    def open(self, name: str) -> BinaryIO:
        """Opens the output of a shard for reading."""
        return self._folder.open(name)

    def reopen(self) -> None:
        """Removes the mark of a finished run, because a shard of it is missing."""
        self._folder.remove(SUCCESS)

    def finish(self, plan: Plan) -> dict[str, Any]:
        """Writes the manifest and, last, ``_SUCCESS``; returns the manifest.

        Raises:
            ClusterError: a shard is missing, its rows are not those of the plan, or
                another run has begun in the folder.
        """
        if plan_file.run_in(self.plan() or b"") != self.run:
            raise ClusterError(
                f"{self.path}: another run has begun there meanwhile; give each run an "
                "--output-dir of its own"
            )
        done = self.finished(plan.jobs)
        for job in plan.jobs:
            _check(job, done.get(job.name), self.path)
        shards = [done[job.name].to_dict() for job in plan.jobs]
        totals = {
            name: sum(one[name] for one in shards)
            for name in ("rows", "rejects", "seconds", "size")
        }
        manifest = {"format": FORMAT, "run": self.run, **totals, "shards": shards}
        self._folder.tidy(done)
        self._folder.tidy([f"{name}.json" for name in done], RECORDS)
        self._write_json(MANIFEST, manifest)
        self._folder.write(SUCCESS, b"")
        return manifest


def _check(job: ShardJob, outcome: Outcome | None, folder: Path) -> None:
    if outcome is None:
        raise ClusterError(
            f"{folder} is not complete: shard {job.name} is missing; run the same "
            "command again"
        )
    if job.shard.rows not in (None, outcome.rows):
        raise ClusterError(
            f"shard {job.name} has {outcome.rows:,} rows instead of "
            f"{job.shard.rows:,}: remove {folder / job.name} and run the same command "
            "again"
        )
