"""Cold start: whole processes, from nothing to the headline of one article."""

import sys
from collections.abc import Iterator

from tests.benchmarks.processes import Finished, run
from tests.benchmarks.rows import Row, compared
from tests.benchmarks.subject import Subject
from tests.benchmarks.texts import of_length
from tests.commands import HEADLINE

LENGTH = 109  # characters of the article
GENERATE = "generate, one article"
KERAS = "generate, Keras engine"
USAGE_ERROR = 2


def measure(subject: Subject) -> Iterator[Row]:
    """Yields seconds of each kind of process, and the memory of those that write."""
    runs = _runs(subject)
    seconds = {name: [one.seconds for one in found] for name, found in runs.items()}
    yield from compared("cold", seconds, "s", GENERATE)
    peaks = {
        f"{name}, peak memory": [one.megabytes for one in runs[name]]
        for name in (GENERATE, KERAS)
    }
    yield from compared("cold", peaks, "MB", f"{GENERATE}, peak memory")


def _runs(subject: Subject) -> dict[str, list[Finished]]:
    """Runs all kinds in turns."""
    model = str(subject.model_dir)
    (article,) = of_length(subject.texts, LENGTH, 1)
    commands = {
        GENERATE: [*HEADLINE, "generate", "-m", model],
        KERAS: [sys.executable, "-m", "tests.benchmarks.keras_generate", model],
        "--help": [*HEADLINE, "--help"],
        "usage error": [*HEADLINE, "generate", "--no-such-option"],
        "Python alone": [sys.executable, "-c", ""],
        "Python and NumPy": [sys.executable, "-c", "import numpy"],
    }
    runs: dict[str, list[Finished]] = {name: [] for name in commands}
    for _ in range(2 * subject.rounds + 1):
        for name, command in commands.items():
            exit_code = USAGE_ERROR if name == "usage error" else 0
            runs[name].append(run(command, article.encode(), exit_code))
    return runs
