"""Which processes train together, by what their launcher tells them."""

import socket
from collections.abc import Iterable, Mapping
from typing import Any

import keras
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headline.errors import ConfigError, TrainingError
from headline.settings.hosts import HostsConfig
from headline.system.interrupt import Wish
from headline.training import joining
from headline.training.hosts import (
    ADDRESS,
    PORTS,
    Place,
    find_place,
    first_host,
    tasks_per_host,
)
from headline.training.joining import joined

SLURM = {
    "SLURM_JOB_ID": "4097",
    "SLURM_STEP_NODELIST": "node[01-03,07],gpu9",
    "SLURM_STEP_NUM_TASKS": "5",
    "SLURM_STEP_TASKS_PER_NODE": "1(x5)",
    "SLURM_NTASKS": "8",
    "SLURM_NODEID": "3",
    "SLURM_PROCID": "3",
    "SLURM_LOCALID": "0",
}
OPENMPI = {
    "OMPI_COMM_WORLD_RANK": "1",
    "OMPI_COMM_WORLD_SIZE": "4",
    "OMPI_COMM_WORLD_LOCAL_RANK": "1",
    "OMPI_COMM_WORLD_LOCAL_SIZE": "2",
    "OMPI_MCA_orte_hnp_uri": "1531576320.0;tcp://10.96.0.1,10.148.0.1:34911",
}
KUBERNETES = {
    "KUBERNETES_SERVICE_HOST": "10.0.0.1",
    "JOB_COMPLETION_INDEX": "2",
    "HOSTNAME": "train-news-2",
}
AUTO = HostsConfig(hosts="auto")


def auto(**settings: Any) -> HostsConfig:
    return HostsConfig(hosts="auto", **settings)


def test_by_hand() -> None:
    env = {ADDRESS: "node1:1234"}
    place = find_place(auto(processes=3, process_id=2), env)
    assert place == Place("node1:1234", 2, 3)


@pytest.mark.parametrize(
    ("env", "settings", "missing"),
    [
        ({}, {}, "--process-id and --processes and JAX_COORDINATOR_ADDRESS"),
        ({ADDRESS: "a:1"}, {"processes": 2}, "needs --process-id:"),
        ({ADDRESS: "a:1"}, {"process_id": 0}, "needs --processes:"),
        ({}, {"process_id": 0, "processes": 1}, "needs JAX_COORDINATOR_ADDRESS:"),
        (KUBERNETES, {}, "needs --processes: give --processes"),
    ],
)
def test_what_is_not_told_is_asked_for(
    env: Mapping[str, str], settings: Mapping[str, Any], missing: str
) -> None:
    with pytest.raises(TrainingError, match=missing):
        find_place(auto(**settings), env)


def test_slurm() -> None:
    # JAX takes the same port: 65535 - 2**12 + 1 + 4097 % 2**12.
    expected = Place("node01:61441", 3, 5, None, "SLURM")
    assert find_place(AUTO, SLURM) == expected


def test_slurm_names_the_host_and_port_that_jax_would() -> None:
    pytest.importorskip("jax")
    from jax._src.clusters import SlurmCluster

    with pytest.MonkeyPatch.context() as patch:
        for name, value in SLURM.items():
            patch.setenv(name, value)
        theirs = SlurmCluster.get_coordinator_address(1, None)
        rank, count = SlurmCluster.get_process_id(), SlurmCluster.get_process_count()
    assert (theirs, rank) == ("node01:61441", 3) and count == 8  # not only of srun's


def test_slurm_with_two_processes_on_a_host() -> None:
    two = {"SLURM_STEP_TASKS_PER_NODE": "2(x2),1", "SLURM_LOCALID": "1"}
    for node, device in (("0", 1), ("1", 1), ("2", None)):
        env = SLURM | two | {"SLURM_NODEID": node}
        assert find_place(AUTO, env).device == device
        # A device bound to the task is the only one that it sees.
        assert find_place(AUTO, env | {"CUDA_VISIBLE_DEVICES": "3"}).device is None
        both = env | {"CUDA_VISIBLE_DEVICES": "0,1"}
        assert find_place(AUTO, both).device == device


def test_slurm_without_srun_is_refused() -> None:
    env = {name: SLURM[name] for name in ("SLURM_JOB_ID", "SLURM_NTASKS")}
    with pytest.raises(TrainingError, match="`srun headline train"):
        find_place(AUTO, env | {"SLURM_PROCID": "0"})


def test_openmpi() -> None:
    port = 2**16 - PORTS + 1531576320 // PORTS % PORTS
    expected = Place(f"10.96.0.1:{port}", 1, 4, 1, "OpenMPI")
    assert find_place(AUTO, OPENMPI) == expected
    assert find_place(AUTO, SLURM | OPENMPI) == expected  # mpirun within sbatch


def test_openmpi_names_the_host_and_port_that_jax_would() -> None:
    pytest.importorskip("jax")
    from jax._src.clusters import OmpiCluster

    six = "1314521088.0;tcp6://[fe80::b9b:ac5d:9cf0:b858,2620:10d:c083::2]:43370"
    for uri in (OPENMPI["OMPI_MCA_orte_hnp_uri"], six):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("OMPI_MCA_orte_hnp_uri", uri)
            theirs = OmpiCluster.get_coordinator_address(1, None)
        ours = find_place(AUTO, OPENMPI | {"OMPI_MCA_orte_hnp_uri": uri}).address
        assert ours.replace("[", "").replace("]", "") == theirs  # ours has a port


def test_openmpi_5_does_not_tell_the_address() -> None:
    env = {name: value for name, value in OPENMPI.items() if "hnp" not in name}
    with pytest.raises(TrainingError, match=f"`mpirun -x {ADDRESS}"):
        find_place(AUTO, env)
    assert find_place(AUTO, env | {ADDRESS: "a:1"}).address == "a:1"


def test_kubernetes() -> None:
    place = find_place(auto(processes=4), KUBERNETES)
    assert place == Place("train-news-0.train-news:55527", 2, 4, None, "Kubernetes")
    named = KUBERNETES | {ADDRESS: "train-news-0.pods:1234"}
    assert find_place(auto(processes=4), named).address == "train-news-0.pods:1234"


def test_options_and_the_address_win() -> None:
    env = SLURM | {ADDRESS: "[fd00::1]:99"}
    place = find_place(auto(processes=9, process_id=8), env)
    assert (place.address, place.rank, place.count) == ("[fd00::1]:99", 8, 9)
    assert (
        find_place(AUTO, SLURM | {"JAX_COORDINATOR_PORT": "77"}).address[-3:] == ":77"
    )


@pytest.mark.parametrize("address", ["node1", "node1:", ":12", "a:x", "a:0", "a:65536"])
def test_an_address_without_host_or_port_is_refused(address: str) -> None:
    with pytest.raises(TrainingError, match="must be HOST:PORT"):
        find_place(auto(processes=2, process_id=0), {ADDRESS: address})


def test_numbers_that_cannot_be() -> None:
    with pytest.raises(ConfigError, match="process_id must be less than --processes"):
        auto(processes=2, process_id=2)
    with pytest.raises(TrainingError, match="process 3 of 2 cannot be"):
        find_place(auto(processes=2), SLURM)
    with pytest.raises(TrainingError, match="SLURM_PROCID must be a number; got 'x'"):
        find_place(AUTO, SLURM | {"SLURM_PROCID": "x"})
    with pytest.raises(ConfigError, match="workers must be given with --on ray"):
        HostsConfig(on="ray")
    with pytest.raises(ConfigError, match="hosts must be one with --on ray"):
        HostsConfig(on="ray", workers=2, hosts="auto")


@pytest.mark.parametrize(
    ("hosts", "first"),
    [
        ("node001", "node001"),
        ("node001,host2", "node001"),
        ("node[001-0015],host2", "node001"),
        ("node[001,007-015],host2", "node001"),
        ("a[01-03,07]-ib,b1", "a01-ib"),
        ("login-1", "login-1"),
    ],
)
def test_the_first_host_of_slurm(hosts: str, first: str) -> None:
    assert first_host(hosts) == first


@given(st.lists(st.tuples(st.integers(1, 20), st.integers(1, 20)), min_size=1))
def test_the_processes_of_each_host_of_slurm(sizes: list[tuple[int, int]]) -> None:
    parts = [f"{size}(x{times})" if times > 1 else f"{size}" for size, times in sizes]
    expected = [size for size, times in sizes for _ in range(times)]
    assert tasks_per_host(",".join(parts)) == expected


def lines_of(config: HostsConfig, env: Mapping[str, str]) -> Iterable[str]:
    lines: list[str] = []
    with joined(config, lines.append, Wish(), env) as group:
        assert group.is_alone and group.is_first
        group.report("a line")
    return lines


def test_one_process_joins_nobody() -> None:
    assert lines_of(HostsConfig(), SLURM) == ["a line"]
    one = SLURM | {"SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "1"}
    assert lines_of(AUTO, one) == ["a line"]


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX can")
def test_tensorflow_trains_in_one_process_only() -> None:
    with pytest.raises(TrainingError, match="set KERAS_BACKEND=jax") as refused:
        lines_of(AUTO, SLURM)
    assert "\n" not in str(refused.value)


class Told:
    """A group in which each process has told its addresses."""

    def __init__(self, *addresses: tuple[str, str, str]) -> None:
        self.addresses = list(addresses)

    def gather(self, value: object) -> list[tuple[str, str, str]]:
        return self.addresses


@pytest.mark.parametrize("on_cpu", [True, False])
def test_a_host_name_that_means_the_host_itself_is_refused(
    on_cpu: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joining, "_runs_on_cpu", lambda: on_cpu)
    place = Place("127.0.0.1:1", 0, 2)
    own, hidden = ("a", "10.0.0.1", "10.0.0.1"), ("b", "10.0.0.2", "127.0.1.1")
    fine: list[Any] = [Told(own, own), Told(own, ("b", "10.0.0.2", "10.0.0.2"))]
    # All on one machine reach each other there.
    fine += [Told(hidden, hidden), Told(("a", "127.0.0.1", "127.0.1.1"))]
    for told in fine:
        joining._check_names(place, told)
    several: Any = Told(own, hidden)
    if not on_cpu:
        return joining._check_names(place, several)
    with pytest.raises(TrainingError, match=r"name b means 127.0.1.1 .* /etc/hosts"):
        joining._check_names(place, several)


def test_the_addresses_of_this_host() -> None:
    name, own, _ = joining._addresses(Place("127.0.0.1:1", 0, 2))
    assert name == socket.gethostname() and own == "127.0.0.1"
    assert joining._addresses(Place("no-such-host.invalid:1", 0, 2))[1] == ""
