"""Damages a MODEL_DIR or a DATA_DIR in every way, and looks what opening it says.

    python -m tests.stress.damage [--flips N]

A file is cut, has a bit flipped, is missing, a folder, a link, another's; or its JSON
or its header lies about anything. With ``forged``, the checksums are right again, as
somebody would make them who wants it to be opened. Opened it must be, or refused in one
line, without more memory than the files are large.
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
import tracemalloc
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headline.bundle import (
    CARD_MARK,
    CHECKPOINT,
    CONFIG,
    MANIFEST,
    VOCAB,
    WEIGHTS,
    Checkpoint,
    load_checkpoint,
    save_bundle,
    save_checkpoint,
)
from headline.cli.info import described, lines_of
from headline.data.batches import buckets_of, make_batch, plan_batches
from headline.data.prepare import Job, prepare
from headline.data.store import DATA, data_files, open_dataset
from headline.errors import HeadlineError
from headline.formats.tables import CorpusFormat
from headline.generation.generator import Generator
from headline.settings.prepare import PrepareConfig
from headline.system.files import sha256
from tests.corpora import bracket_pairs, write_pairs
from tests.scripted import tiny_bundle

LONGEST_LINE = 700  # characters of a message
SPARE_MEMORY = 2_000_000  # bytes for modules that are loaded on the way
ODD: list[Any] = [
    None, True, -1, 0, 1, 1.5, 10**12, 1e308, float("nan"), "", "x", "../../x",
    [], [1], [None], ["a", "a"], {}, {"a": 1},
]  # fmt: skip

Damage = tuple[str, Callable[[], None]]  # its name, and what does it


def use_model(folder: Path) -> None:
    """Opens a model, tells what it is and writes two headlines."""
    list(lines_of(described(folder)))
    Generator.load(folder).generate(["天地玄黄的消息", "罕"])


def use_dataset(folder: Path) -> None:
    """Opens a dataset, tells what it is and reads all of it."""
    list(lines_of(described(folder)))
    dataset = open_dataset(folder)
    for split in dataset.splits.values():
        plan_batches(buckets_of(split), 8, seed=1, epoch=0, corpora=split.corpora)
        for pair in range(len(split)):
            make_batch(split, [pair], dataset.tokenizer)
    dataset.sample("valid", 3)


def use_checkpoint(folder: Path) -> None:
    """Reads a checkpoint."""
    load_checkpoint(folder.parent)


def make_checkpoint(folder: Path) -> Path:
    """Writes a small checkpoint into the folder of a model."""
    arrays: dict[str, NDArray[Any]] = {
        "kernel": np.ones((3, 4), np.float32),
        "step": np.array(7, np.int64),
    }
    save_checkpoint(folder, Checkpoint({"state": {"epoch": 1}}, arrays))
    return folder / Path(CHECKPOINT).parent


def forge_nothing(folder: Path) -> None:
    """A checksum of a checkpoint stands within it."""


def make_model(folder: Path) -> Path:
    """Writes a small model."""
    save_bundle(folder, tiny_bundle("天地玄黄宇宙洪荒"), CARD_MARK)
    return folder


def make_dataset(folder: Path) -> Path:
    """Writes a small dataset."""
    corpus = write_pairs(folder.parent / "corpus.csv", bracket_pairs(40))
    config = PrepareConfig(valid_size=0.2, test_size=0.1)
    prepare(Job(files=[corpus], data_dir=folder, format=CorpusFormat(), config=config))
    return folder


def forge_model(folder: Path) -> None:
    """Makes the checksums of a model right."""
    checksums = {name: sha256(folder / name) for name in (CONFIG, VOCAB, WEIGHTS)}
    (folder / MANIFEST).write_text(json.dumps({"format": 1, "sha256": checksums}))


def forge_dataset(folder: Path) -> None:
    """Makes the checksums of a dataset right."""
    summary = json.loads((folder / DATA).read_text("utf-8"))
    summary["sha256"] = {name: sha256(folder / name) for name in data_files()}
    (folder / DATA).write_text(json.dumps(summary))


# --- damages --------------------------------------------------------------------------


def raw_damages(path: Path, flips: int, rng: random.Random) -> Iterator[Damage]:
    """Cuts and flipped bits, above all at the beginning, where the headers are."""
    raw = path.read_bytes()
    for length in sorted({0, 1, 7, 8, 9, 60, 127, 128, len(raw) // 2, len(raw) - 1}):
        yield f"cut to {length}", partial(put, path, raw[:length])
    for number in range(flips):
        place = rng.randrange(min(len(raw), 160) if number % 2 else len(raw))
        bit = 1 << rng.randrange(8)
        flipped = raw[:place] + bytes([raw[place] ^ bit]) + raw[place + 1 :]
        yield f"bit {bit} of byte {place}", partial(put, path, flipped)
    yield "appended to", partial(put, path, raw + b"\0")


def no_file(path: Path) -> Iterator[Damage]:
    """What is no file at all, or somebody else's."""
    yield "missing", path.unlink

    def folder() -> None:
        path.unlink()
        path.mkdir()

    def link(target: str) -> None:
        path.unlink()
        path.symlink_to(target)

    yield "a folder", folder
    yield "a link to nothing", partial(link, "nothing")
    yield "a link out of the folder", partial(link, "/etc/hostname")
    yield "a link to itself", partial(link, path.name)


def json_damages(path: Path) -> Iterator[Damage]:
    """Every value of a JSON file replaced by odd ones, and every name left out."""
    content = json.loads(path.read_text("utf-8"))

    def written(value: Any) -> None:
        put(path, json.dumps(value, ensure_ascii=False).encode())

    for place in places(content):
        for odd in ODD:
            changed = replaced(content, place, odd)
            yield f"{place} is {odd!r}", partial(written, changed)
        if place and isinstance(place[-1], str):
            changed = without(content, place)
            yield f"lacks {place}", partial(written, changed)
    yield "nested", partial(put, path, b"[" * 100_000)


def header_damages(path: Path) -> Iterator[Damage]:
    """Lies in the header of a safetensors file."""
    raw = path.read_bytes()
    end = 8 + int.from_bytes(raw[:8], "little")
    header, body = json.loads(raw[8:end]), raw[end:]

    def written(header: Any, length: int | None = None, body: bytes = body) -> None:
        text = json.dumps(header).encode()
        length = len(text) if length is None else length
        put(path, length.to_bytes(8, "little") + text + body)

    for place in places(header):
        for odd in ODD:
            changed = replaced(header, place, odd)
            yield f"{place} is {odd!r}", partial(written, changed)
    for length in (0, 1, end - 9, end - 7, 10**10, 2**63, 2**64 - 1):
        yield f"length {length}", partial(written, header, length)
    yield "no body", partial(written, header, body=b"")
    for number in (np.nan, np.inf, 1e38):
        values = np.frombuffer(body, np.float32).copy()
        values[7] = number
        odd_body = values.tobytes()
        yield f"a weight of {number}", partial(written, header, body=odd_body)


def array_damages(path: Path) -> Iterator[Damage]:
    """Lies in the header of a NumPy file."""
    raw = path.read_bytes()
    begin, end = raw.index(b"{"), 128
    for shape in ("()", "(0,)", "(-1,)", "(10000000000,)", "(2, 2)", "(True,)", "'x'"):
        for kind in ("<u2", "<i8", "|O", "<U9", "x" * 20):
            text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}}}"
            header = text.encode().ljust(end - begin - 1) + b"\n"
            lie = raw[:begin] + header + raw[end:]
            yield f"{kind} of {shape}", partial(put, path, lie)


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where the values of a JSON value stand; of lists, the first three."""
    yield place
    if isinstance(value, dict):
        for name in value:
            yield from places(value[name], (*place, name))
    elif isinstance(value, list):
        for index in range(min(len(value), 3)):
            yield from places(value[index], (*place, index))


def replaced(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    """Returns the JSON value with another one at a place."""
    if not place:
        return new
    copy, parent = copied(value, place)
    parent[place[-1]] = new
    return copy


def without(value: Any, place: tuple[Any, ...]) -> Any:
    """Returns the JSON value without the name at a place."""
    copy, parent = copied(value, place)
    del parent[place[-1]]
    return copy


def copied(value: Any, place: tuple[Any, ...]) -> tuple[Any, Any]:
    """Returns a copy of a JSON value, and within it what holds the place."""
    copy = parent = json.loads(json.dumps(value))
    for name in place[:-1]:
        parent = parent[name]
    return copy, parent


def put(path: Path, content: bytes) -> None:
    """Writes a file anew."""
    path.write_bytes(content)


# --- the trial ------------------------------------------------------------------------


class Trial:
    """Tries one damage after another on copies of a folder.

    Args:
        folder: a whole one.
        use: opens it.
        forge: makes its checksums right.
    """

    def __init__(
        self, folder: Path, use: Callable[[Path], None], forge: Callable[[Path], None]
    ) -> None:
        self.folder, self.use, self.forge = folder, use, forge
        self.outcomes: Counter[str] = Counter()
        self.faults: list[str] = []
        self.usual = 0  # bytes that opening the whole folder takes

    def run(self, flips: int, share: float = 1.0, seed: int = 1) -> None:
        """Tries everything, or a share of it drawn at random."""
        self.use(self.folder)  # what is loaded once
        tracemalloc.start()
        try:
            self.usual = self._memory_of_use()
            self._try_all(flips, share, random.Random(seed))
        finally:
            tracemalloc.stop()

    def _try_all(self, flips: int, share: float, rng: random.Random) -> None:
        names = sorted(path.name for path in self.folder.iterdir())
        for name in names:
            path = self.folder / name
            for forged in (False, True):
                for what, damage in self._damages(path, flips, rng):
                    if rng.random() < share:
                        self._try(name, what, damage, forged)
        self._swap(names)

    def _damages(self, path: Path, flips: int, rng: random.Random) -> Iterator[Damage]:
        yield from raw_damages(path, flips, rng)
        yield from no_file(path)
        if path.suffix == ".json":
            yield from json_damages(path)
        elif path.suffix == ".safetensors":
            yield from header_damages(path)
        elif path.suffix == ".npy":
            yield from array_damages(path)

    def _swap(self, names: list[str]) -> None:
        for name in names:
            for other in names:
                content = (self.folder / other).read_bytes()
                path = self.folder / name
                for forged in (False, True):
                    self._try(name, f"is {other}", partial(put, path, content), forged)

    def _try(
        self, name: str, what: str, damage: Callable[[], None], forged: bool
    ) -> None:
        kept = self.folder.with_name("kept")
        shutil.copytree(self.folder, kept)
        try:
            damage()
            if forged:
                try:
                    self.forge(self.folder)
                except (OSError, ValueError, TypeError, KeyError, RecursionError):
                    return  # of what there is no checksum
            self._open(f"{name}: {what}" + ", forged" * forged)
        finally:
            shutil.rmtree(self.folder)
            kept.rename(self.folder)

    def _open(self, what: str) -> None:
        size = sum(path.stat().st_size for path in self._files())
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                self._memory_of_use()
            self.outcomes["opened"] += 1
        except HeadlineError as error:
            self.outcomes["refused"] += 1
            if "\n" in str(error) or len(str(error)) > LONGEST_LINE:
                self.faults.append(f"{what}: not one line: {str(error)[:200]}")
        except Exception as error:
            self.outcomes["crashed"] += 1
            self.faults.append(f"{what}: {type(error).__name__}: {error}")
        if (taken := self._taken()) > 2 * size + 2 * self.usual + SPARE_MEMORY:
            self.faults.append(f"{what}: took {taken:,} bytes")

    def _memory_of_use(self) -> int:
        """Opens the folder, and returns the most bytes that it took."""
        self._begin = self._reset_peak()
        self.use(self.folder)
        return self._taken()

    def _reset_peak(self) -> int:
        tracemalloc.reset_peak()
        return tracemalloc.get_traced_memory()[0]

    def _taken(self) -> int:
        return tracemalloc.get_traced_memory()[1] - self._begin

    def _files(self) -> Iterator[Path]:
        return (path for path in self.folder.iterdir() if path.is_file())


def main() -> None:
    """Tries many damages, and prints what came of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flips", type=int, default=2000, help="of each file")
    flips = parser.parse_args().flips
    with tempfile.TemporaryDirectory() as folder:
        model = make_model(Path(folder, "model"))
        dataset = make_dataset(Path(folder, "data"))
        trials = {
            "MODEL_DIR": Trial(model, use_model, forge_model),
            "DATA_DIR": Trial(dataset, use_dataset, forge_dataset),
            "checkpoint": Trial(
                make_checkpoint(Path(folder, "m")), use_checkpoint, forge_nothing
            ),
        }
        for name, trial in trials.items():
            trial.run(flips)
            print(name, dict(trial.outcomes), *trial.faults, sep="\n  ")
    sys.exit(any(trial.faults for trial in trials.values()))


if __name__ == "__main__":
    main()
