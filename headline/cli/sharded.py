"""``headline generate --output-dir``: a run over shards."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headline.cli.asked import Asked
from headline.cli.effects import Rule
from headline.cli.models import check_search, corpus_format, loaded
from headline.cli.output import count_up, telling_some
from headline.cli.story import detail, tell, timed
from headline.settings.base import schema
from headline.settings.commands import (
    FormatConfig,
    GenerateConfig,
    MachineConfig,
    ShardsConfig,
)
from headline.settings.engine import EngineConfig
from headline.settings.search import DecodeConfig
from headline.system.storage import StoredPath

if TYPE_CHECKING:
    from headline.cluster.local import CountShard, Part
    from headline.cluster.output import Outcome
    from headline.cluster.plan import ShardJob
    from headline.cluster.shards import ShardRun

ON_RAY = "address", "gpus_per_worker", "stall_minutes"  # settings for Ray alone

FindSearch = Callable[[DecodeConfig], DecodeConfig]  # from those of the model


def refuse_sharded(
    files: Sequence[Path], output_dir: Path | None, **others: object
) -> None:
    """Refuses options that do not go together with ``--output-dir``, or without it.

    Args:
        others: values of ``shard``, ``output`` and ``explain``; None if not given.

    Raises:
        click.UsageError: such an option was given.
    """
    if output_dir is None:
        if others["shard"] is not None:
            raise click.UsageError("--shard has no effect: it needs --output-dir")
        return
    for name in ("output", "explain"):
        if others[name] is not None:
            raise click.UsageError(
                f"--{name} does not go with --output-dir, which gets a file for each "
                "shard; `headline cat` joins them"
            )
    if not files or Path("-") in files:
        raise click.UsageError("--output-dir needs FILES: stdin has no shards")


def shard_rules(asked: Asked, output_dir: Path | None) -> list[Rule]:
    """Returns the rules for settings of runs over shards."""
    names = ["on", *(one.name for one in schema(ShardsConfig))]
    on_ray = asked.over(EngineConfig()).on == "ray"
    on_gpu = asked.over(MachineConfig()).device == "gpu"
    return [
        *((name, output_dir is not None, "--output-dir") for name in names),
        *((name, on_ray, "--on ray") for name in ON_RAY),
        ("gpus_per_worker", on_gpu, "--device gpu"),
    ]


def write_shards(
    asked: Asked,
    files: Sequence[Path],
    model_dir: Path,
    output_dir: Path,
    shard: str | None,
    find_search: FindSearch,
) -> None:
    """Runs the shards that are left, and says what became of them.

    Raises:
        HeadlineError: the run cannot go on.
    """
    from headline.bundle import manifest_sha256
    from headline.cli.places import check_shards, sources
    from headline.cluster.local import WHOLE, Part
    from headline.cluster.settings import ShardSettings
    from headline.cluster.shards import open_run
    from headline.system.workers import cores

    part = WHOLE if shard is None else Part.parse(shard)
    files = sources(files)
    check_shards(output_dir, model_dir, files)
    engine, machine = asked.over(EngineConfig()), asked.over(MachineConfig())
    if engine.on == "ray":
        if shard is not None:
            raise click.UsageError("--shard is for array jobs, not for --on ray")
        # Actors run in other folders, and on other machines.
        files = [*map(_absolute, files)]
        model_dir, output_dir = model_dir.absolute(), _absolute(output_dir)
    bundle = loaded(model_dir)
    settings = ShardSettings(
        model_dir,
        manifest_sha256(model_dir),
        find_search(bundle.decode),
        asked.over(FormatConfig()),
        asked.over(GenerateConfig()),
        machine.device,
    )
    check_search(bundle, settings.search, machine)
    rows = asked.over(ShardsConfig()).rows_per_shard
    how = corpus_format(settings.form)
    with timed("planned the shards"):
        run = open_run(files, settings, output_dir, rows, how, cores())
    with timed("wrote the shards"), shard_meter(run) as count_shard:
        if engine.on == "ray":
            is_complete = _run_on_ray(run, engine, machine, count_shard)
        else:
            is_complete = _run_here(run, machine, count_shard, part)
    tell_end(run, is_complete)


def _absolute(path: Path) -> Path:
    return path if isinstance(path, StoredPath) else path.absolute()


def _run_on_ray(
    run: "ShardRun",
    engine: EngineConfig,
    machine: MachineConfig,
    count_shard: "CountShard",
) -> bool:
    from headline.cluster.ray_run import run_on_ray, wants_of

    run_on_ray(run, engine.address, wants_of(engine, machine), count_shard, tell)
    return True


def _run_here(
    run: "ShardRun", machine: MachineConfig, count_shard: "CountShard", part: "Part"
) -> bool:
    """Runs a part in processes of this machine; tells whether the run is complete."""
    from headline.cluster.local import run_here
    from headline.system.workers import cores

    worker = run.worker
    on_cpu = machine.device == "cpu"
    if on_cpu:
        worker.load()  # before the processes start, which share it
    workers = machine.workers or (cores() if on_cpu else 1)
    return run_here(run, worker, workers, count_shard, part)


@contextmanager
def shard_meter(run: "ShardRun") -> "Iterator[CountShard]":
    """Yields a function that shows the progress of a run, in bytes of its input."""
    from headline.system.progress import Meter

    done, tell_row = count_up(), telling_some()
    told: set[str] = set()
    left = run.left()
    total = sum(job.size for job in left)
    detail(f"{len(left):,} of {len(run.plan.jobs):,} shards are left")
    with Meter("generate", "B", tell, total) as meter:

        def count_shard(job: "ShardJob", outcome: "Outcome") -> None:
            meter.advance(job.size, f"{done(outcome.rows):,} articles")
            for line in outcome.told:
                if line not in told:
                    told.add(line)
                    tell_row(line)

        yield count_shard


def tell_end(run: "ShardRun", is_complete: bool) -> None:
    """Says whether a run is complete."""
    total = len(run.plan.jobs)
    if is_complete:
        tell(f"{run.folder.path} is complete: {run.size}")
    else:
        tell(
            f"this part is done; {run.folder.path} still lacks {len(run.left()):,} of "
            f"{total:,} shards, which other parts write"
        )
