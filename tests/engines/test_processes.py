"""Several processes, each with a Keras model of its own, write what one writes."""

from functools import partial

import pytest

from headline.bundle import Bundle
from headline.engines.keras_engine import KerasEngine
from headline.generation.generator import Generator
from headline.generation.parallel import ParallelGenerator
from headline.settings.search import DecodeConfig
from headline.system.workers import start_method
from tests.scripted import texts, tiny_bundle

HAN = "央行今日宣布下调存款准备金率"
CONFIG = DecodeConfig(max_length=8, batch_size=4)
ARTICLES = [HAN[at % 7 :] * (1 + at % 2) for at in range(24)]


def keras_generator(bundle: Bundle) -> Generator:
    """As for a GPU, on whatever device there is."""
    engine = KerasEngine.from_weights(bundle.model, bundle.weights)
    return Generator(bundle.tokenizer, engine, CONFIG, bundle.max_source_length)


def test_headlines_are_those_of_one_process(started: list[str]) -> None:
    make = partial(keras_generator, tiny_bundle(HAN))
    single = make()
    # The model has run here: a process that is forked now could wait for ever.
    expected = texts(single.generate(ARTICLES))
    found = ParallelGenerator(single, 2, make).generate(ARTICLES)
    assert texts(found) == expected and started == ["spawn"] * 2


@pytest.mark.forks
def test_such_a_process_is_not_forked(started: list[str]) -> None:
    """Not even where it could be: threads that are no Python's cannot be seen."""
    make = partial(Generator.from_bundle, tiny_bundle(HAN), CONFIG)
    single = make()
    found = ParallelGenerator(single, 2, make).generate(ARTICLES)
    assert texts(found) == texts(single.generate(ARTICLES))
    assert start_method() == "fork" and started == ["spawn"] * 2
