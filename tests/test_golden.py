"""What format 1 has written is read for ever, and means the same."""

from dataclasses import replace
from pathlib import Path

import pytest

from headline.data.batches import make_batch
from headline.data.store import open_dataset
from headline.generation.generator import Generator

GOLDEN = Path(__file__).parent / "golden"


def test_the_golden_model_writes_what_it_wrote() -> None:
    generator = Generator.load(GOLDEN / "model")
    # It was searched in full: a threshold came later.
    generator.config = replace(generator.config, beam_threshold=0.0)
    found = generator.generate(["天地玄黄，宇宙洪荒。", "日月 2026 盈昃"])
    first, second = (headlines[0] for headlines in found)
    assert (first.text, second.text) == ("宙", "日月 2026")
    assert first.score == pytest.approx(-7.44428, abs=1e-4)
    assert second.score == pytest.approx(-8.36592, abs=1e-4)


def test_the_golden_dataset_holds_what_it_held() -> None:
    dataset = open_dataset(GOLDEN / "data")
    sizes = {name: len(split) for name, split in dataset.splits.items()}
    assert sizes == {"train": 27, "valid": 8, "test": 5}
    batch = make_batch(dataset.splits["train"], [0], dataset.tokenizer)
    target = batch["labels"][0, :3]
    assert dataset.tokenizer.decode(tuple(target.tolist()), []) == "秋律玄"
    (pair,) = dataset.sample("valid", 1)
    assert pair.target == "列调来成列" and pair.source.startswith(
        "律云调成闰洪张宙「列"
    )
