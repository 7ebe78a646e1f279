"""Two hosts in one: network namespaces of Linux, joined by a cable."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import which

import pytest

HOSTS = {"headline_c": "10.213.8.1", "headline_d": "10.213.8.2"}  # by namespace

needs_namespaces = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0 or which("ip") is None,
    reason="makes network namespaces",
)


def ip(*command: str) -> None:
    subprocess.run(["ip", *command], check=True)


def inside(name: str) -> list[str]:
    """What runs a command on a host."""
    return ["ip", "netns", "exec", name]


@contextmanager
def two_hosts(known: dict[str, str]) -> Iterator[list[str]]:
    """Makes two hosts; yields their names.

    Args:
        known: what the name of the machine means on each host.
    """
    first, second = HOSTS
    try:
        for name in HOSTS:
            ip("netns", "add", name)
            etc = Path("/etc/netns", name)
            etc.mkdir(parents=True)
            line = f"{known[name]} {os.uname().nodename}\n"
            (etc / "hosts").write_text(line, "utf-8")
        ends = (["link", "add", first, "netns", first], [second, "netns", second])
        ip(*ends[0], "type", "veth", "peer", "name", *ends[1])
        for name, address in HOSTS.items():
            ip("-n", name, "address", "add", f"{address}/24", "dev", name)
            for device in (name, "lo"):
                ip("-n", name, "link", "set", device, "up")
        yield list(HOSTS)
    finally:
        for name in HOSTS:
            subprocess.run(["ip", "netns", "del", name], check=False)
            with suppress(FileNotFoundError):
                Path("/etc/netns", name, "hosts").unlink()
                Path("/etc/netns", name).rmdir()
