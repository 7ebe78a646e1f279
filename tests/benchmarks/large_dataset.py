"""Opens a synthetic DATA_DIR of many pairs and plans an epoch of it.

    python -m tests.benchmarks.large_dataset /tmp/large --pairs 100_000_000

The articles are very short, 7 tokens, with headlines of 2. What grows with the number
of pairs is there in full: the offsets, the buckets and the plan. What grows with the
length of articles is the reading of all files for their checksums, so the seconds of
opening hold for so many bytes.
"""

import argparse
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from headline.data.batches import buckets_of, make_batch, plan_batches
from headline.data.report import Counts, FileCounts, summarise
from headline.data.store import SPLITS, Sides, open_dataset, replacing_dataset
from headline.settings.prepare import PrepareConfig
from headline.text.ids import Ragged
from headline.text.tokenizer import CharTokenizer, Vocab

BLOCK = 1 << 18  # pairs written at a time
HELD_OUT = 1000  # pairs of each other split
BATCH = 64
LONGEST = 20, 6  # tokens of articles and headlines


def write(folder: Path, pairs: int) -> None:
    """Writes a dataset with so many train pairs."""
    tokens = {chr(0x4E00 + number): 4000 - number for number in range(3000)}
    tokenizer = CharTokenizer(Vocab.from_counts(tokens, 3000, 1))
    counts = Counts([FileCounts("large.csv", 1.0)], {})
    counts.corpora[0].pairs.update({split: HELD_OUT for split in SPLITS[1:]})
    counts.corpora[0].pairs["train"] = pairs
    for side in counts.lengths.values():
        side.update({5: 1})
    with replacing_dataset(folder, SPLITS, overwrite=False) as draft:
        for split in SPLITS:
            draft.write_ids(
                split, partial(_blocks, counts.pairs(split)), lambda _: None
            )
        draft.finish(tokenizer, summarise(PrepareConfig(), counts, tokenizer))


def _blocks(pairs: int) -> Iterator[Sides]:
    """Yields the same random pairs again and again, which is fast to write."""
    rng = np.random.default_rng(1)
    sides = []
    for longest in LONGEST:
        # As those of real texts, lengths are in several buckets and mostly short.
        lengths = np.minimum(*rng.integers(1, longest + 1, (2, BLOCK)))
        ids = rng.integers(4, 3000, int(lengths.sum()), dtype=np.uint16)
        sides.append(Ragged(ids, lengths))
    for begin in range(0, pairs, BLOCK):
        count = min(BLOCK, pairs - begin)
        yield [next(side.split([count])) for side in sides]


def measure(folder: Path) -> None:
    """Opens the dataset and plans its first epoch; prints seconds and megabytes."""
    _tell("imports", time.monotonic())
    begin = time.monotonic()
    dataset = open_dataset(folder)
    _tell("open", begin)
    begin = time.monotonic()
    train = dataset.splits["train"]
    buckets = buckets_of(train)
    _tell("buckets", begin)
    begin = time.monotonic()
    plan = plan_batches(buckets, BATCH, 1, 0)
    _tell(f"plan of {len(plan):,} batches", begin)
    begin = time.monotonic()
    make_batch(train, plan[0], dataset.tokenizer)
    _tell("first batch", begin)


def _tell(what: str, begin: float) -> None:
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    seconds = time.monotonic() - begin
    cpu = time.process_time()
    print(f"{what:32}{seconds:8.1f} s  (CPU so far {cpu:6.1f} s){memory:8,.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pairs", type=int, default=100_000_000)
    parser.add_argument("--measure", action="store_true", help="only measure")
    given = parser.parse_args()
    if given.measure:
        return measure(given.folder)
    try:
        write(given.folder, given.pairs)
        size = sum(path.stat().st_size for path in given.folder.iterdir())
        print(f"{given.pairs:,} pairs, {size / 1e9:.2f} GB")
        # In a process of its own, which writing has left no memory in.
        here = [sys.executable, "-m", "tests.benchmarks.large_dataset"]
        subprocess.run([*here, str(given.folder), "--measure"], check=True)
    finally:
        shutil.rmtree(given.folder, ignore_errors=True)


if __name__ == "__main__":
    main()
