"""A small trained model, for tests that need one and do not ask how it came to be.

    python -m tests.trained

makes ``tests/golden/trained`` anew; a test of ``make stress`` does the same elsewhere.
"""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.commands import HEADLINE
from tests.corpora import bracket_pairs, write_pairs

TRAINED = Path(__file__).parent / "golden" / "trained"
PAIRS = 1200
# Small enough to lie in the repository, and good enough to find the brackets.
NETWORK = "--width 24 --heads 2 --bigrams 50 --encoder-layers 1 --decoder-layers 1"
TRAINING = "--epochs 6 --batch-size 32 --learning-rate 0.01 --warmup-updates 20"
VALIDATION = "--valid-articles 30 --patience 0 --samples 0 --r-drop 0"
Command = Sequence[str | Path]
FILES = ("config.json", "manifest.json", "vocab.json", "weights.safetensors")


def prepare(folder: Path) -> Path:
    """Makes the dataset that the model is trained on; returns its folder."""
    corpus = write_pairs(folder / "news.csv", bracket_pairs(PAIRS))
    data_dir = folder / "prepared"
    command: Command = [*HEADLINE, "prepare", corpus, "-o", data_dir]
    command = [*command, "--test-size", "0.1"]
    subprocess.run(command, check=True, capture_output=True)
    return data_dir


def train(data_dir: Path, model_dir: Path) -> subprocess.CompletedProcess[str]:
    """Trains the model by the command, in a process of its own."""
    options = f"{NETWORK} {TRAINING} {VALIDATION}".split()
    command: Command = [*HEADLINE, "train", data_dir, "-o", model_dir, *options]
    return subprocess.run(command, capture_output=True, text=True, check=True)


def main() -> None:
    """Trains the model, and keeps what a model is read from."""
    with TemporaryDirectory() as folder:
        model_dir = Path(folder, "model")
        print(train(prepare(Path(folder)), model_dir).stderr)
        TRAINED.mkdir(exist_ok=True)
        for name in FILES:
            (TRAINED / name).write_bytes((model_dir / name).read_bytes())


if __name__ == "__main__":
    main()
