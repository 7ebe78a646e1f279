"""``headline prepare`` on several machines: ``--shard`` and ``--on ray``."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headline.cli.asked import Asked, Part, part
from headline.cli.effects import Rule
from headline.cli.options import Decorator, all_of, option
from headline.cli.story import tell, timed
from headline.settings.engine import EngineConfig

if TYPE_CHECKING:
    from headline.cluster.preparing import Advance
    from headline.data.job import Job

GROUP = "Large corpora"
RAY = "ray"
OWN_HELP = {
    "on": "Run in processes of this machine, or as tasks of a Ray cluster. All files"
    " must be at the same places on each node.",
    "stall_minutes": "With --shard or --on ray, stop if no task is finished for so"
    " long.",
}


def engine_settings() -> Part:
    """Returns the settings of clusters that ``prepare`` takes."""
    about: dict[str, dict[str, Any]] = {"address": {"group": GROUP}}
    about |= {name: {"help": text, "group": GROUP} for name, text in OWN_HELP.items()}
    return part(EngineConfig, only=(*about,), about=about)


def share_options() -> Decorator[Any]:
    """Returns the options of array jobs."""
    return all_of(
        option(
            "--shard",
            metavar="I/N",
            group=GROUP,
            help="Do only part I of N, counted from 0, in an array job. The parts share"
            " the folder DATA_DIR.parts, and the last one that ends writes DATA_DIR.",
        ),
        option(
            "--no-wait",
            is_flag=True,
            group=GROUP,
            advanced=True,
            help="With --shard, do not wait for the other parts after each pass: the"
            " array job is run again until DATA_DIR is there.",
        ),
    )


def sharing_rules(shard: str | None, engine: EngineConfig) -> Iterator[Rule]:
    """Yields the rules for settings of clusters."""
    yield "address", engine.on == RAY, "--on ray"
    waits = engine.on == RAY or shard is not None
    yield "stall_minutes", waits, "--shard or --on ray"


def check_sharing(
    shard: str | None, no_wait: bool, dry_run: bool, engine: EngineConfig
) -> bool:
    """Checks that options go together; returns whether others share the work.

    Raises:
        click.UsageError: they do not.
    """
    if no_wait and shard is None:
        raise click.UsageError("--no-wait has no effect: it needs --shard")
    if engine.on == RAY and shard is not None:
        raise click.UsageError(
            "--shard does not go with --on ray, which gives the parts out itself"
        )
    shared = engine.on == RAY or shard is not None
    if shared and dry_run:
        raise click.UsageError(
            "--dry-run runs on one machine: leave out --shard and --on, or name fewer "
            "files"
        )
    return shared


def prepare_shared(
    job: "Job", asked: Asked, shard: str | None, no_wait: bool
) -> Path | None:
    """Does this process's share of a preparation; returns DATA_DIR if it is complete.

    Raises:
        HeadlineError: it cannot go on.
    """
    from headline.cluster.local import Part as ArrayPart
    from headline.cluster.preparing import How, run_share
    from headline.cluster.preparing_on_ray import prepare_on_ray
    from headline.data.parts.folder import Work
    from headline.formats.files import check_can_be_read_again

    engine, work = asked.over(EngineConfig()), Work(job)
    for path in (*job.files, *job.unpaired):
        check_can_be_read_again(path)
    stall = 0.0 if no_wait else 60 * engine.stall_minutes
    how = How(workers=job.workers, stall=stall, meters=_meter, tell=tell)
    with timed("prepared the dataset" if shard is None else "did this part"):
        if shard is None:
            prepare_on_ray(work, engine.address, how)
            return job.data_dir
        if not run_share(work, ArrayPart.parse(shard), how):
            return None
    tell(f"{job.data_dir} is complete; {work.folder} is no longer needed")
    return job.data_dir


@contextmanager
def _meter(name: str, total: int) -> "Iterator[Advance]":
    """Shows the progress of a pass."""
    from headline.system.progress import Meter

    tell(f"pass {name}: {total:,} tasks")
    with Meter(name, "tasks", tell, total) as meter:
        yield meter.advance
