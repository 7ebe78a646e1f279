"""Training: how fast ``headline train`` reads, and when it comes to a ROUGE-L."""

import csv
import subprocess
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from statistics import median

from headline.evaluation.evaluate import read_pairs
from headline.formats.tables import CorpusFormat
from tests.benchmarks.against import Rival, beside
from tests.benchmarks.processes import ROOT, run
from tests.benchmarks.rows import Row
from tests.benchmarks.subject import Subject
from tests.commands import HEADLINE
from tests.corpora import write_pairs

WIDTHS = (64, 128, 256)
USUAL = 128
EPOCHS = 3  # the first compiles, and does not count
SPEED = "source characters/s"
POLL = 0.1  # seconds

History = Sequence[dict[str, str]]


def measure(subject: Subject) -> Iterator[Row]:
    """Yields the speed, alone and beside another system's, and the time it takes."""
    data_dir = _few_pairs(subject)
    yield from _widths(subject, data_dir)
    if subject.against_training is not None:
        yield _against(subject, data_dir, subject.against_training)
    yield _time_to_rouge(subject)


def speed(history: History) -> float:
    """Returns source tokens a second, the first epoch left out."""
    return median(float(row["source_tokens_per_second"]) for row in history[1:])


def best(history: History) -> float:
    """Returns the best ROUGE-L so far; 0 before the first validation."""
    return max((float(row["rouge_l"]) for row in history), default=0.0)


def read_history(model_dir: Path) -> History:
    """Reads what a training has told of its epochs so far."""
    path = model_dir / "history.csv"
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def train_command(data_dir: Path, model_dir: Path, *options: str) -> list[str]:
    """Returns the command that trains a model, in place of the one that is there."""
    folders = [str(data_dir), "-o", str(model_dir), "--overwrite"]
    return [*HEADLINE, "train", *folders, *options]


def _few_pairs(subject: Subject) -> Path:
    """Prepares the first pairs of the corpus: an epoch of them is soon over."""
    pairs = read_pairs(subject.corpus, CorpusFormat())
    few = ((p.target, p.source) for p in islice(pairs, subject.training_pairs))
    path = write_pairs(subject.scratch / "few.csv", few)
    data_dir = subject.scratch / "few"
    run([*HEADLINE, "prepare", str(path), "-o", str(data_dir), "--overwrite"])
    return data_dir


def _train_few(subject: Subject, data_dir: Path, width: int) -> float:
    model_dir = subject.scratch / "few-model"
    options = ["--width", str(width), "--epochs", str(EPOCHS), "--valid-articles", "1"]
    run(train_command(data_dir, model_dir, *options))
    return speed(read_history(model_dir))


def _widths(subject: Subject, data_dir: Path) -> Iterator[Row]:
    """One training of each width: an epoch has updates enough."""
    found = {width: _train_few(subject, data_dir, width) for width in WIDTHS}
    for width, value in found.items():
        ratio = None if width == USUAL else value / found[USUAL]
        to = "" if width == USUAL else f"width of {USUAL}"
        yield Row("training", f"width of {width}", value, SPEED, ratio, to)


def _against(subject: Subject, data_dir: Path, command: str) -> Row:
    """Compares with another system's source characters a second."""
    key = "source_characters_per_second"
    return beside(
        Rival(command, key, "training", SPEED, f"width of {USUAL}"),
        lambda: _train_few(subject, data_dir, USUAL),
        subject.rounds,
    )


def _time_to_rouge(subject: Subject) -> Row:
    """Watches a training from its cold start, and stops it once it is good enough."""
    model_dir = subject.scratch / "trained"
    options = ["--max-minutes", str(subject.minutes)]
    begin = time.perf_counter()
    command = train_command(subject.data_dir, model_dir, *options)
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as training:
        while training.poll() is None:
            time.sleep(POLL)
            if best(read_history(model_dir)) >= subject.rouge_l:
                training.terminate()
                break
        seconds = time.perf_counter() - begin
    reached = best(read_history(model_dir))
    if reached >= subject.rouge_l:
        return Row("training", f"to ROUGE-L {subject.rouge_l:g}", seconds, "s")
    name = f"ROUGE-L after {subject.minutes:g} minutes"
    return Row("training", name, reached, "ROUGE-L")
