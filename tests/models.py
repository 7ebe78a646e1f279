"""Models with random weights and batches with random ids, for the tests of both
engines; Keras is imported here, so only tests of Keras import this."""

from dataclasses import replace
from functools import cache

import keras
import numpy as np

from headline.engines.base import Floats, SourceBatch
from headline.engines.keras_engine import KerasEngine
from headline.network.model import HeadlineModel, build_model
from headline.settings.model import ModelConfig
from headline.settings.presets import PRESETS
from headline.text.ids import BOS, EOS, PAD, UNK, Ids

TINY = {
    name: replace(
        preset.model,
        vocab_size=40,
        width=16,
        heads=4,
        bigrams=preset.model.bigrams and 50,
    )
    for name, preset in PRESETS.items()
} | {
    "mixed": ModelConfig(
        vocab_size=40,
        width=12,
        heads=3,
        encoder_layers=1,
        decoder_layers=3,
        pointer=True,
        match_length=2,
        bigrams=7,
        source_prior=True,
        conditional_norm=True,
    ),
    "styles": ModelConfig(
        vocab_size=40,
        width=16,
        heads=4,
        encoder_layers=1,
        decoder_layers=2,
        match_length=2,
        bigrams=7,
        styles=3,
    ),
}


def without_dropout(config: ModelConfig) -> ModelConfig:
    """The network whose training drops nothing, so that it is the same each time."""
    return replace(config, dropout=0.0, token_dropout=0.0, bigram_dropout=0.0)


def array(tensor: object) -> Floats:
    """A tensor of either backend as NumPy has it."""
    result: Floats = keras.ops.convert_to_numpy(tensor)
    return result


def random_model(config: ModelConfig, seed: int = 3) -> HeadlineModel:
    """A model whose weights are far enough from 0 for its choices to be clear."""
    keras.utils.set_random_seed(seed)  # of the weights that it begins with
    model = build_model(config)
    generator = np.random.default_rng(seed)
    for weight in model.trainable_weights:
        noise = generator.normal(scale=0.4, size=weight.shape)
        weight.assign(np.asarray(weight.value) + noise.astype("float32"))
    return model


@cache
def shared_model(config: ModelConfig) -> HeadlineModel:
    """The ``random_model`` of all tests that change no weight: it is built once."""
    return random_model(config)


@cache
def shared_engine(config: ModelConfig, shortlist: int = 0) -> KerasEngine:
    """The engine of that model: what one test has compiled, the others have, too."""
    return KerasEngine(shared_model(config), shortlist)


def random_sources(config: ModelConfig, lengths: list[int], seed: int = 5) -> Ids:
    """Copy ids of one article of each length; a quarter is outside the vocab."""
    generator = np.random.default_rng(seed)
    copy_ids = np.full((len(lengths), max(lengths)), PAD, np.int32)
    for row, length in zip(copy_ids, lengths, strict=True):
        highest = config.vocab_size * 4 // 3
        row[:length] = generator.integers(EOS + 1, highest, length)
    return copy_ids


def embeddable(config: ModelConfig, ids: Ids) -> Ids:
    """The ids with UNK for each outside the vocab."""
    return np.where(ids < config.vocab_size, ids, np.int32(UNK))


def source_batch(config: ModelConfig, copy_ids: Ids) -> SourceBatch:
    """The articles as an engine reads them, in styles if the network has some."""
    condition = styles_of(config, copy_ids) if config.styles else None
    return SourceBatch(embeddable(config, copy_ids), copy_ids, condition)


def styles_of(config: ModelConfig, copy_ids: Ids) -> Ids:
    """A style for each article, or -1 for none; it follows from the article alone."""
    styles: Ids = copy_ids.sum(axis=1, dtype=np.int32) % (config.styles + 1) - 1
    return styles


def training_batch(
    config: ModelConfig, copy_ids: Ids, targets: list[list[int]]
) -> dict[str, Ids]:
    """The arrays that the model is called with."""
    width = max(len(target) for target in targets) + 1
    labels = np.full((len(targets), width), PAD, np.int32)
    decoder_input = labels.copy()
    for row, target in enumerate(targets):
        labels[row, : len(target) + 1] = [*target, EOS]
        decoder_input[row, : len(target) + 1] = [BOS, *target]
    batch = {
        "source_ids": embeddable(config, copy_ids),
        "copy_ids": copy_ids,
        "decoder_input": embeddable(config, decoder_input),
        "labels": labels,
    }
    if config.styles:
        batch["style"] = styles_of(config, copy_ids)
    return batch
