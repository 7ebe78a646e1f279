"""The machine: its name, and how fast it multiplies matrices."""

import os
import platform
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

import numpy as np

from headline import __version__
from headline.settings.model import ModelConfig
from headline.system.workers import cores
from tests.benchmarks.rows import Row

PRODUCTS = 30  # that a rate is the median of


def describe() -> dict[str, str | int]:
    """Returns the machine and the versions, by names for people."""
    return {
        "date": date.today().isoformat(),
        "processor": _processor(),
        "cores": cores(),
        "cores_of_the_machine": os.cpu_count() or 1,
        "platform": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "headline": __version__,
        **_versions("numpy", "keras", "tensorflow", "jax"),
    }


def _versions(*names: str) -> dict[str, str]:
    """Returns the versions of those packages that there are."""
    found = {}
    for name in names:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    names = (line.partition(":")[2] for line in lines if line.startswith("model name"))
    return next(names, platform.processor()).strip()


def matrix_rate(rows: int, inner: int, columns: int) -> float:
    """Returns floating-point operations a second of one core, of float32 products.

    Args:
        rows, inner, columns: of ``(rows, inner) @ (inner, columns)``.
    """
    rng = np.random.default_rng(0)
    left, right = (
        rng.normal(size=shape).astype(np.float32)
        for shape in ((rows, inner), (inner, columns))
    )
    seconds = []
    for _ in range(PRODUCTS):
        begin = time.perf_counter()
        _ = left @ right
        seconds.append(time.perf_counter() - begin)
    return 2 * rows * inner * columns / median(seconds)


def best_rate() -> float:
    """Returns the rate of products as large as a processor likes them."""
    return matrix_rate(1024, 1024, 1024)


def matrix_rates(model: ModelConfig, hypotheses: int) -> Iterator[Row]:
    """Yields the rates of one core, with large products and with the decoder's."""
    width = model.width
    for name, shape in {
        "matrix product, 1024 × 1024 × 1024": (1024, 1024, 1024),
        f"matrix product, {hypotheses} × {width} × {4 * width}, as of a step": (
            (hypotheses, width, 4 * width)
        ),
    }.items():
        yield Row("machine", name, matrix_rate(*shape) / 1e9, "GFLOP/s a core")
