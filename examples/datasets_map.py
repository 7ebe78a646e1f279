"""Add headlines to a Hugging Face dataset: python datasets_map.py MODEL_DIR FILE."""

import sys
from typing import Any

from datasets import load_dataset

import headline


def main(model_dir: str, path: str) -> None:
    """Prints the headline of each row."""
    writer = headline.load(model_dir)

    def add_headlines(rows: dict[str, list[Any]]) -> dict[str, list[str]]:
        return {"headline": [found.text for found in writer.write(rows["content"])]}

    # A writer pickles as its folder, so each process opens the model once.
    dataset = load_dataset("csv", data_files=path, split="train")
    dataset = dataset.map(add_headlines, batched=True, batch_size=256, num_proc=2)
    print(*dataset["headline"], sep="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
