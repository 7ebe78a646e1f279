"""What ``headline generate -m MODEL_DIR`` does, with the Keras engine on the CPU.

python -m tests.benchmarks.keras_generate MODEL_DIR < article.txt
"""

import sys
from pathlib import Path

from headline.bundle import load_bundle
from headline.generation.generator import Generator
from headline.network.backend import muted_native_stderr, select_device


def main(model_dir: Path) -> None:
    """Writes a headline for the article of stdin."""
    with muted_native_stderr():
        from headline.engines.keras_engine import KerasEngine

        bundle = load_bundle(model_dir)
        select_device("cpu")
        engine = KerasEngine.from_weights(
            bundle.model, bundle.weights, bundle.decode.shortlist
        )
        generator = Generator(
            bundle.tokenizer, engine, bundle.decode, bundle.max_source_length
        )
        print(generator.generate([sys.stdin.read()])[0][0].text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
