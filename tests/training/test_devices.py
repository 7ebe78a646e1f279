"""Several devices make the updates of one: see ``two_devices``, which runs here."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from shutil import which

import keras
import numpy as np
import pytest

from headline.bundle import load_bundle
from headline.data.prepare import Job, prepare
from headline.formats.tables import CorpusFormat
from headline.settings.prepare import PrepareConfig
from tests import devices
from tests.corpora import bracket_pairs, write_pairs

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "jax", reason="JAX alone trains on several devices"
)
TESTS = Path(__file__).with_name("two_devices.py")
FIRST = "10.213.7.1"
# The addresses of two hosts, by the name of each namespace and of its network device.
HOSTS = {f"hl{os.getpid()}a": FIRST, f"hl{os.getpid()}b": "10.213.7.2"}


def test_on_two_devices(tmp_path: Path) -> None:
    """In a process of its own: the number of devices is fixed once JAX has begun."""
    command = [sys.executable, "-m", "pytest", str(TESTS), "-x", "-q"]
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", "-p", "no:xdist"],
        env=devices.environment(2, tmp_path / "cache"),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and "skipped" not in done.stdout, done.stdout


def ip(*command: str) -> None:
    subprocess.run(["ip", *command], check=True)


@pytest.fixture
def hosts() -> Iterator[list[list[str]]]:
    """What runs a command on each of two hosts, which are network namespaces."""
    first, second = HOSTS
    try:
        for name, address in HOSTS.items():
            ip("netns", "add", name)
            # Gloo listens at the address of the host's name.
            etc = Path("/etc/netns", name)
            etc.mkdir(parents=True)
            (etc / "hosts").write_text(f"{address} {os.uname().nodename}\n")
        ends = (["link", "add", first, "netns", first], [second, "netns", second])
        ip(*ends[0], "type", "veth", "peer", "name", *ends[1])
        for name, address in HOSTS.items():
            ip("-n", name, "address", "add", f"{address}/24", "dev", name)
            for device in (name, "lo"):
                ip("-n", name, "link", "set", device, "up")
        yield [["ip", "netns", "exec", name] for name in HOSTS]
    finally:
        for name in HOSTS:
            subprocess.run(["ip", "netns", "del", name], check=False)
            with suppress(FileNotFoundError):
                Path("/etc/netns", name, "hosts").unlink()
                Path("/etc/netns", name).rmdir()


@pytest.mark.slow
@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0 or which("ip") is None,
    reason="makes network namespaces",
)
def test_an_update_sends_hardly_more_than_the_gradient(
    hosts: list[list[str]], tmp_path: Path
) -> None:
    pairs = [pair for pair in bracket_pairs(2000) if 8 < len(pair[1]) <= 16][:200]
    job = Job(
        files=[write_pairs(tmp_path / "news.csv", pairs)],
        data_dir=tmp_path / "data",
        format=CorpusFormat(),
        config=PrepareConfig(min_count=1, valid_size=0.1, test_size=0.0),
    )
    prepare(job)
    model_dirs = [tmp_path / "first", tmp_path / "second"]
    told = devices.train_in_two_processes(
        job.data_dir, model_dirs, tmp_path / "cache", FIRST, hosts
    )
    weights = load_bundle(model_dirs[0]).weights.values()
    gradient = sum(4 * int(np.prod(one.shape)) for one in weights)
    for text in told:
        sent = float(text.rpartition(devices.SENT)[2].split()[0])
        print(f"{sent / gradient:.3f} times the gradient")
        assert gradient <= sent <= 1.3 * gradient
