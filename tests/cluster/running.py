"""Runs over shards in this process, and what a plain ``generate`` writes."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from headline.bundle import load_bundle, save_bundle
from headline.cluster.joined import join
from headline.cluster.settings import ShardSettings
from headline.cluster.shards import ShardRun, ShardWorker, open_run
from headline.generation.files import Task, write_headlines
from headline.generation.generator import Generator
from headline.generation.inputs import Shard
from headline.settings.commands import GenerateConfig
from headline.settings.search import DecodeConfig
from tests.scripted import CopyEngine, char_tokenizer, tiny_bundle

HAN = "央行今日宣布下调存款准备金率"
LINES = GenerateConfig(lines=True)
# Without a network, for tests with many runs.
COPYING = Generator(
    char_tokenizer(HAN),
    CopyEngine(3),
    DecodeConfig(batch_size=2, exact_numbers=False, no_repeat_ngram_size=0),
    50,
)


def model(folder: Path, width: int = 8) -> Path:
    """Makes a model that was never trained."""
    save_bundle(folder, tiny_bundle(HAN, width=width))
    return folder


def settings_of(model_dir: Path, **search: Any) -> ShardSettings:
    """Settings with some changes of the search; each line of text is an article."""
    own = load_bundle(model_dir).decode
    return ShardSettings.of(model_dir, own.changed(search), output=LINES)


def opened(
    files: Sequence[Path], settings: ShardSettings, output_dir: Path, rows: int = 2
) -> ShardRun:
    return open_run(files, settings, output_dir, rows)


def run_all(run: ShardRun, generator: Generator | None = None) -> dict[str, Any]:
    """Runs the shards that are left, and finishes the run."""
    worker = ShardWorker(run.settings, run.folder, generator)
    for job in run.left():
        worker.run(job)
    return run.finish()


def joined(output_dir: Path, *names: str) -> bytes:
    sink = io.BytesIO()
    join(output_dir, names, sink)
    return sink.getvalue()


def plain(
    files: Sequence[Path],
    settings: ShardSettings,
    generator: Generator | None = None,
    told: list[str] | None = None,
) -> bytes:
    """What one process writes for the files, and the lines that it tells."""
    output = settings.output
    tell = None if told is None else told.append
    form = settings.corpus_format(tell=tell, note=tell)
    task = Task(form, output.headline_column, output.lines, output.with_scores)
    raw = io.BytesIO()
    sink = io.TextIOWrapper(raw, "utf-8", newline="")
    write_headlines(generator or settings.generator(), [*map(Shard, files)], sink, task)
    sink.flush()
    return raw.getvalue()
