"""``--on ray``: the shards of a run in actors of a Ray cluster."""

from collections.abc import Callable

from headline.cluster.local import CountShard, alone, outcomes
from headline.cluster.output import Outcome
from headline.cluster.plan import ShardJob
from headline.cluster.ray_crew import RayCrew, Wants, connected
from headline.cluster.shards import ShardRun
from headline.settings.commands import MachineConfig
from headline.settings.engine import EngineConfig

Report = Callable[[str], None]


def wants_of(engine: EngineConfig, machine: MachineConfig) -> Wants:
    """Returns what a run asks of a cluster."""
    gpus = 0.0 if machine.device == "cpu" else engine.gpus_per_worker or 1.0
    return Wants(machine.workers, gpus, 60 * engine.stall_minutes)


def run_on_ray(
    run: ShardRun, address: str, wants: Wants, count_shard: CountShard, tell: Report
) -> None:
    """Runs the shards that are left, and finishes the run.

    Each actor loads the model once. All paths of the run must be absolute, and lead to
    the same files on each node.

    Args:
        address: see ``connected``.
        tell: gets a line if the cluster has less than it wants.

    Raises:
        ClusterError: see ``connected``, ``RayCrew.run`` and ``Failures.add``.
        LockedError: another process of this machine writes into the same folder.
    """
    with alone(run.folder.path):
        run.start()
        if jobs := run.left():
            with connected(address):
                crew = RayCrew[ShardJob, Outcome](run.worker.run, wants, tell)
                for job, outcome in outcomes(crew.run, jobs):
                    count_shard(job, outcome)
        run.finish()
