"""A training that starts from another model: ids, weights, and what it says."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from headline.bundle import Bundle, load_bundle, save_bundle
from headline.data.prepare import Job, prepare
from headline.data.store import Dataset, open_dataset
from headline.errors import TrainingError
from headline.formats.tables import CorpusFormat
from headline.generation.generator import Generator
from headline.network.model import build_model, weight_arrays
from headline.settings.model import ModelConfig
from headline.settings.prepare import PrepareConfig
from headline.settings.presets import Run
from headline.settings.search import DecodeConfig
from headline.settings.train import TrainConfig
from headline.text.ids import SPECIAL_TOKENS
from headline.text.tokenizer import CharTokenizer, Vocab
from headline.training.train import train_model
from headline.training.transfer import carry_weights, merged_vocab, with_base_vocab
from tests.corpora import bracket_pairs, write_pairs
from tests.models import TINY, random_model

BASE_TOKENS = "天地玄黄宇宙洪荒日月盈昃」「。甲乙丙"


def vocab_of(generable: str, others: str = "") -> Vocab:
    tokens = (*SPECIAL_TOKENS, *generable, *others)
    return Vocab(tokens, len(SPECIAL_TOKENS) + len(generable))


def base_bundle(config: ModelConfig = TINY["pointer"]) -> Bundle:
    """A model of other characters, one of which it can only copy."""
    vocab = vocab_of(BASE_TOKENS, "丁")
    keras.utils.set_random_seed(7)
    model = random_model(replace(config, vocab_size=vocab.vocab_size))
    return Bundle(
        model=model.config,
        decode=DecodeConfig(),
        max_source_length=400,
        tokenizer=CharTokenizer(vocab),
        weights=weight_arrays(model),
        provenance={},
    )


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("data")
    # 丁 is frequent here, 戊 too rare to be generable.
    pairs = [(f"丁{title}", f"丁{article}") for title, article in bracket_pairs(120)]
    pairs.append(("戊天", "天地玄黄「戊天」宇宙洪荒。"))
    job = Job(
        files=[write_pairs(folder / "corpus.csv", pairs)],
        data_dir=folder / "prepared",
        format=CorpusFormat(),
        config=PrepareConfig(valid_size=0.2, test_size=0.0),
    )
    prepare(job)
    return open_dataset(folder / "prepared")


def test_merged_vocab_has_the_bases_ids_and_every_token_once() -> None:
    base, data = vocab_of("天地", "玄"), vocab_of("玄天", "地黄")
    merged = merged_vocab(base, data)
    assert merged.tokens == (*SPECIAL_TOKENS, *"天地玄黄")
    assert merged.vocab_size == len(SPECIAL_TOKENS) + 3


def test_the_ids_of_another_vocab_are_those_of_the_same_texts(dataset: Dataset) -> None:
    """The articles' own characters, which have no id in the corpus, included."""
    moved = with_base_vocab(dataset, base_bundle())
    pairs = dataset.sample("valid", 10**6)
    assert len(pairs) > 10
    for place, pair in enumerate(pairs):
        source = moved.tokenizer.encode(pair.source)
        target = moved.tokenizer.encode(pair.target, source.extra)
        split = moved.splits["valid"]
        np.testing.assert_array_equal(split.source[place], source.ids)
        np.testing.assert_array_equal(split.target[place], target.ids)


def test_an_articles_own_ids_move_behind_all_tokens(tmp_path: Path) -> None:
    # None of them is a token of the base, nor, in the valid split, of the corpus.
    own = "子丑寅卯午未申酉"
    rare = [(f"己{one}", f"天地「己{one}」玄黄宇宙洪荒。") for one in own]
    job = Job(
        files=[write_pairs(tmp_path / "c.csv", rare + bracket_pairs(50))],
        data_dir=tmp_path / "prepared",
        format=CorpusFormat(),
        config=PrepareConfig(valid_size=0.5, test_size=0.0, min_count=1),
    )
    prepare(job)
    dataset = open_dataset(tmp_path / "prepared")
    known = len(dataset.tokenizer.vocab)
    assert int(np.max(dataset.splits["valid"].source.ids)) >= known  # else no test
    moved = with_base_vocab(dataset, base_bundle())
    for place, pair in enumerate(dataset.sample("valid", 100)):
        encoded = moved.tokenizer.encode(pair.source)
        ids = moved.splits["valid"].source[place]
        np.testing.assert_array_equal(ids, encoded.ids)


@pytest.mark.parametrize("preset", list(TINY))
def test_a_carried_model_has_the_bases_weights_where_no_token_is_new(
    preset: str,
) -> None:
    base = base_bundle(TINY[preset])
    vocab = merged_vocab(base.tokenizer.vocab, vocab_of("己庚", "辛"))
    model = build_model(replace(base.model, vocab_size=vocab.vocab_size))
    carried = carry_weights(model, base, vocab)
    assert not carried.left
    assert (carried.tokens, carried.new_tokens) == (len(BASE_TOKENS), 2)
    size = base.model.vocab_size
    for name, weight in weight_arrays(model).items():
        old = base.weights[name]
        kept = weight[:size] if weight.shape[0] != old.shape[0] else weight
        kept = kept[:, :size] if kept.ndim > 1 and kept.shape != old.shape else kept
        np.testing.assert_array_equal(kept, old)
        if weight.ndim > 1 and weight.shape != old.shape:  # the new ones are not zero
            assert (
                weight[size:].any()
                if weight.shape[0] > size
                else weight[:, size:].any()
            )


def test_what_does_not_fit_is_named_and_nothing_at_all_is_refused() -> None:
    base = base_bundle()
    vocab = merged_vocab(base.tokenizer.vocab, base.tokenizer.vocab)
    deeper = replace(base.model, vocab_size=vocab.vocab_size, decoder_layers=3)
    carried = carry_weights(build_model(deeper), base, vocab)
    assert carried.new_tokens == 0
    assert all(
        name.startswith(("decoder_2", "decoder_norm_2")) for name in carried.left
    )
    assert "decoder_2/lstm_cell/kernel" in str(carried)
    wider = build_model(replace(base.model, vocab_size=vocab.vocab_size, width=24))
    with pytest.raises(TrainingError, match=r"width there is 16, here 24.*--width"):
        carry_weights(wider, base, vocab)


def test_words_and_characters_do_not_mix(dataset: Dataset) -> None:
    from headline.text.tokenizer import WordTokenizer

    base = base_bundle()
    words = replace(base, tokenizer=WordTokenizer(base.tokenizer.vocab))
    with pytest.raises(TrainingError, match=r"prepare with --tokenizer word"):
        with_base_vocab(dataset, words)


def test_training_from_a_model_goes_on_where_it_stood(
    dataset: Dataset, tmp_path: Path
) -> None:
    """With all weights frozen but the biases, the others are the base's."""
    base_dir, model_dir = tmp_path / "base", tmp_path / "m"
    base = base_bundle(replace(TINY["pointer"], dropout=0.0))
    save_bundle(base_dir, base)
    run = Run(
        data_dir=dataset.path,
        model_dir=model_dir,
        preset="pointer",
        model=base.model,
        train=TrainConfig(
            epochs=1,
            valid_articles=4,
            learning_rate=1e-9,
            freeze=("kernel|embedding|gamma",),
        ),
        init_from=base_dir,
    )
    lines: list[str] = []
    train_model(run, lines.append)
    assert "weights carried over" in lines[0] and "tokens" in lines[0]
    trained = load_bundle(model_dir)
    for name in ("hidden/kernel", "encoder_0/forward/lstm_cell/kernel"):
        np.testing.assert_array_equal(trained.weights[name], base.weights[name])
    article = ["丁天地玄黄「甲乙」宇宙"]
    assert Generator.load(model_dir).generate(article)[0][0].text
    resumed = replace(run, resume=True, init_from=None)
    with pytest.raises(TrainingError, match="the model of --init-from has changed"):
        train_model(resumed, print)
