"""Writes the sample corpus: invented news articles with their headlines."""

import argparse
import csv
import sys
from pathlib import Path

# Run as a script, Python looks beside this file and not in the repository's root.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data.sample.assemble import make_pairs

DEFAULT_PAIRS = 4500
DEFAULT_SEED = 1


def write_sample(path: Path, count: int, seed: int) -> None:
    """Writes `count` pairs as CSV; the same seed gives the same bytes."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["title", "content"])
        writer.writerows((pair.title, pair.content) for pair in make_pairs(count, seed))


def main() -> None:
    """Reads the options and writes the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=DEFAULT_PAIRS, help="how many")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED, help="of the chance")
    parser.add_argument(
        "--output", type=Path, default=Path("data/sample.csv"), help="the CSV file"
    )
    options = parser.parse_args()
    write_sample(options.output, options.pairs, options.seed)


if __name__ == "__main__":
    main()
