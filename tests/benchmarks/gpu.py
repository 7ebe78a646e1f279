"""On a GPU: how fast ``--device gpu`` writes and ``train`` reads, and how busy it is.

Runs under JAX, in processes that see the GPU; needs ``nvidia-smi``. What a process
compiles at first is left out of the rates, and told beside them.
"""

import shlex
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import fmean

import click

from tests.benchmarks.processes import ROOT, answer
from tests.benchmarks.rows import Row
from tests.benchmarks.subject import Subject
from tests.benchmarks.training import POLL, SPEED, read_history, speed, train_command
from tests.corpora import write_pairs

USUAL = "batches of 64"
TRAININGS = {
    USUAL: ["--batch-size", "64"],
    "batches of 512": ["--batch-size", "512"],
    "batches of 512, bfloat16": ["--batch-size", "512", "--mixed-precision"],
}
BULK = ((32, 1), (256, 1), (1024, 1), (256, 8))  # articles of a batch, processes
EPOCHS = 4  # the first compiles, and does not count
QUERY = "nvidia-smi --query-gpu=utilization.gpu --format=csv,noheader,nounits"
WRITER = [sys.executable, "-m", "tests.benchmarks.gpu_generate"]
UNDER_JAX = ["env", "KERAS_BACKEND=jax", "XLA_PYTHON_CLIENT_PREALLOCATE=false"]


def has_gpu() -> bool:
    """Tells whether there is a GPU that can be asked how busy it is."""
    if shutil.which("nvidia-smi") is None:
        return False
    return subprocess.run(QUERY.split(), capture_output=True).returncode == 0


def measure(subject: Subject) -> Iterator[Row]:
    """Yields the rates of writing and of training, and the share of time at work."""
    for batch, workers in BULK:
        yield from _writing(subject, batch, workers)
    for name, options in TRAININGS.items():
        yield from _training(subject, name, options)


def _training(subject: Subject, name: str, options: list[str]) -> Iterator[Row]:
    model_dir = subject.scratch / "gpu-model"
    command = train_command(
        subject.data_dir,
        model_dir,
        *("--device", "gpu", "--epochs", str(EPOCHS), *options),
    )
    shutil.rmtree(model_dir, ignore_errors=True)
    begin, compiled, busy = time.perf_counter(), 0.0, []
    with subprocess.Popen([*UNDER_JAX, *command], cwd=ROOT) as training:
        running = True
        while running:
            running = training.poll() is None
            if read_history(model_dir):
                compiled = compiled or time.perf_counter() - begin
                busy.append(_utilisation())
            time.sleep(POLL)
    history = read_history(model_dir)
    if training.returncode:
        raise click.ClickException(f"{shlex.join(command)}: {training.returncode}")
    yield Row("gpu", f"train, {name}", speed(history), SPEED)
    yield Row("gpu", f"train, {name}: GPU at work", fmean(busy), "% of the time")
    yield Row("gpu", f"train, {name}: first epoch done", compiled, "s")
    rouge_l = max(float(row["rouge_l"]) for row in history)
    yield Row("gpu", f"train, {name}: after {EPOCHS} epochs", rouge_l, "ROUGE-L")


def _writing(subject: Subject, batch: int, workers: int) -> Iterator[Row]:
    path = write_pairs(
        subject.scratch / "gpu-articles.csv", [("题", text) for text in subject.texts]
    )
    arguments = [str(subject.model_dir), str(path), str(batch), str(workers)]
    found = answer(shlex.join([*UNDER_JAX, *WRITER, *arguments]))
    name = f"write, {batch} articles at once"
    name = f"{name}, {workers} processes" if workers > 1 else name
    yield Row("gpu", name, found["articles_per_second"], "articles/s")
    yield Row("gpu", f"{name}: GPU at work", found["busy"], "% of the time")
    yield Row("gpu", f"{name}: until compiled", found["compiled"], "s")


@contextmanager
def watched(samples: list[float]) -> Iterator[None]:
    """Adds to the samples, while the body runs, how busy the GPU is."""
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            samples.append(_utilisation())
            over.wait(POLL)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _utilisation() -> float:
    """Returns the % of the last moments in which the GPU ran something."""
    output = subprocess.run(QUERY.split(), capture_output=True, text=True, check=True)
    return float(output.stdout.split()[0])
