"""Finds the processes that train together, from what their launcher tells them.

JAX has such a detection too (``jax._src.clusters``), but under Kubernetes it needs the
package ``kubernetes`` and a permission, it does not know OpenMPI 5, and it takes one
device per process even if a host has one process. Ports and hosts are the same.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from headline.errors import TrainingError
from headline.settings.hosts import HostsConfig

Environment = Mapping[str, str]

ADDRESS = "JAX_COORDINATOR_ADDRESS"
PORT = "JAX_COORDINATOR_PORT"
KUBERNETES_PORT = 55527
# SLURM and OpenMPI number their jobs; the port depends on the number, so that two jobs
# on a host hardly ever meet. It is one of the last PORTS.
PORTS = 2**12

BY_HAND = (
    f"give {ADDRESS}=HOST:PORT, with the host of process 0, and --processes and "
    "--process-id"
)


@dataclass(frozen=True)
class Place:
    """The place of this process among those that train together.

    Attributes:
        address: ``HOST:PORT`` of the coordinator, which is on the host of process 0.
        rank: number of this process, from 0.
        count: number of processes.
        device: number of the only device of its host that it uses; None for all.
        launcher: what started it, as users call it.
    """

    address: str
    rank: int
    count: int
    device: int | None = None
    launcher: str = "by hand"


@dataclass(frozen=True)
class Told:
    """What a launcher tells; see ``Place``. None: it does not."""

    launcher: str
    rank: int | None = None
    count: int | None = None
    address: str | None = None
    device: int | None = None
    missing: str = ""  # what to do if it does not tell the count or the address


def find_place(config: HostsConfig, env: Environment) -> Place:
    """Returns the place of this process; options win over what the launcher tells.

    Args:
        env: the environment variables of the process.

    Raises:
        TrainingError: something is not known, or cannot be.
    """
    told = next(filter(None, (find(env) for find in LAUNCHERS)), Told("by hand"))
    rank = told.rank if config.process_id is None else config.process_id
    count = told.count if config.processes is None else config.processes
    address = env.get(ADDRESS) or told.address
    if rank is None or count is None or address is None:
        names = {"--process-id": rank, "--processes": count, ADDRESS: address}
        missing = " and ".join(name for name, value in names.items() if value is None)
        raise TrainingError(f"--hosts auto needs {missing}: {told.missing or BY_HAND}")
    if not 0 <= rank < count:
        raise TrainingError(
            f"process {rank} of {count} cannot be: they are numbered from 0; "
            "see --process-id and --processes"
        )
    return Place(_checked(address), rank, count, told.device, told.launcher)


def _checked(address: str) -> str:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise TrainingError(f"{ADDRESS} must be HOST:PORT; got {address!r}")
    return address


def openmpi(env: Environment) -> Told | None:
    """Returns what ``mpirun`` tells; None if it did not start this process.

    OpenMPI 4 tells where ``mpirun`` runs, such as
    ``1531576320.0;tcp://10.96.0.1,10.148.0.1:34911``, and process 0 runs there too
    unless a host file says otherwise. OpenMPI 5 does not.
    """
    if "OMPI_COMM_WORLD_RANK" not in env:
        return None
    found = Told(
        "OpenMPI",
        rank=_number(env, "OMPI_COMM_WORLD_RANK"),
        count=_number(env, "OMPI_COMM_WORLD_SIZE"),
        device=_own_device(
            env,
            _number(env, "OMPI_COMM_WORLD_LOCAL_RANK"),
            _number(env, "OMPI_COMM_WORLD_LOCAL_SIZE"),
        ),
        missing=f"`mpirun -x {ADDRESS}=HOST:PORT`, with the host of process 0",
    )
    uri = env.get("OMPI_MCA_orte_hnp_uri", "")
    host = re.search(r"tcp://([^,:]+)|tcp6://\[([^],]+)", uri)
    job = re.match(r"\d+", uri)
    if host is None or job is None:
        return found
    port = _port(env, int(job[0]) // PORTS)  # jobs have numbers that are multiples
    name = host[1] or f"[{host[2]}]"
    return replace(found, address=f"{name}:{port}")


def slurm(env: Environment) -> Told | None:
    """Returns what ``srun`` tells; None outside of a SLURM job.

    Raises:
        TrainingError: it is a job, but ``srun`` did not start this process.
    """
    if "SLURM_JOB_ID" not in env:
        return None
    if not {"SLURM_PROCID", "SLURM_STEP_NODELIST"} <= env.keys():
        raise TrainingError(
            "--hosts auto in a SLURM job needs srun, which starts a process on each "
            "host: `srun headline train … --hosts auto`"
        )
    rank, hosts = _number(env, "SLURM_PROCID"), env["SLURM_STEP_NODELIST"]
    counts = "SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"
    count = next((_number(env, name) for name in counts if name in env), None)
    sizes = tasks_per_host(env.get("SLURM_STEP_TASKS_PER_NODE", ""))
    node = _number(env, "SLURM_NODEID") or 0
    here = sizes[node] if node < len(sizes) else 1
    address = f"{first_host(hosts)}:{_port(env, _number(env, 'SLURM_JOB_ID') or 0)}"
    device = _own_device(env, _number(env, "SLURM_LOCALID"), here)
    return Told("SLURM", rank, count, address, device)


def kubernetes(env: Environment) -> Told | None:
    """Returns what an Indexed Job tells; None outside of one.

    Its pods have the host names ``JOB-0``, ``JOB-1`` and so on. They find each other
    through a headless service; here it has the name of the job.
    """
    if not {"JOB_COMPLETION_INDEX", "KUBERNETES_SERVICE_HOST"} <= env.keys():
        return None
    rank = _number(env, "JOB_COMPLETION_INDEX")
    job, _, index = env.get("HOSTNAME", "").rpartition("-")
    port, address = env.get(PORT, KUBERNETES_PORT), None
    if job and index == str(rank):
        address = f"{job}-0.{job}:{port}"
    missing = f"give --processes, and {ADDRESS} unless the service has the job's name"
    return Told("Kubernetes", rank, address=address, missing=missing)


# OpenMPI comes first: `mpirun` in a SLURM job leaves SLURM's variables, which are the
# same for all its processes.
LAUNCHERS: tuple[Callable[[Environment], Told | None], ...] = (
    openmpi,
    slurm,
    kubernetes,
)


def first_host(hosts: str) -> str:
    """Returns the first of SLURM's hosts: ``a01`` for ``a[01-03,07]-ib,b1``."""
    found = re.match(r"([^,\[]+)(?:\[(\w+)[^]]*\]([^,\[]*))?", hosts)
    if found is None:
        raise TrainingError(f"SLURM_STEP_NODELIST names no host: {hosts!r}")
    return "".join(part or "" for part in found.groups())


def tasks_per_host(tasks: str) -> list[int]:
    """Returns the number of processes on each host: 2, 2, 1 for ``2(x2),1``."""
    found = re.findall(r"(\d+)(?:\(x(\d+)\))?", tasks)
    return [int(size) for size, times in found for _ in range(int(times or 1))]


def _own_device(env: Environment, local: int | None, size: int | None) -> int | None:
    """Returns the number of the device of one of several processes of a host.

    Args:
        local: number of the process on its host.
        size: number of processes there.
    """
    visible = env.get("CUDA_VISIBLE_DEVICES", "").split(",")
    bound = len(visible) == 1 and visible[0] != ""  # the launcher has chosen already
    return None if bound or (size or 1) < 2 else local


def _port(env: Environment, job: int) -> int:
    return int(env.get(PORT, 2**16 - PORTS + job % PORTS))


def _number(env: Environment, name: str) -> int | None:
    """Returns the number in a variable; None if there is no such variable.

    Raises:
        TrainingError: it is no number.
    """
    if (text := env.get(name)) is None:
        return None
    if not text.isdecimal():
        raise TrainingError(f"{name} must be a number; got {text!r}")
    return int(text)
