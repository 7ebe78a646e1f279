"""The replay of a headline: the numbers of the search, and where they came from."""

import numpy as np
import pytest

from headline.engines.base import SourceBatch
from headline.engines.numpy.engine import NumpyEngine
from headline.engines.numpy.trace import Trace, traces
from headline.network.weights import Weights
from headline.search.beam_search import beam_search
from headline.search.beams import Hypothesis
from headline.search.rules import Rules, TokenTable
from headline.settings.model import ModelConfig
from headline.settings.search import DecodeConfig
from headline.text.ids import PAD, SPECIAL_TOKENS, Ids
from tests.models import TINY, random_sources, source_batch
from tests.scripted import random_weights

LENGTHS = [9, 4, 1, 12, 7]
POINTERS = [name for name, config in TINY.items() if config.pointer]
# No length penalty: the score is the sum of the log-probabilities.
DECODE = DecodeConfig(beam_size=4, num_headlines=4, max_length=8, length_penalty=0)
PRESETS = pytest.mark.parametrize("preset", list(TINY))


def mild_weights(config: ModelConfig) -> Weights:
    """Random weights that leave every token some probability."""
    scale = np.float32(0.4)
    return {name: scale * value for name, value in random_weights(config).items()}


def searched(
    config: ModelConfig, weights: Weights
) -> list[tuple[Ids, Hypothesis, Trace]]:
    """The copy ids of articles, each headline found for them, and its trace."""
    copy_ids = random_sources(config, LENGTHS)
    engine, articles = NumpyEngine(config, weights), len(copy_ids)
    rules = Rules(TokenTable(SPECIAL_TOKENS), [DECODE] * articles, [None] * articles)
    results = []
    every = beam_search(engine, source_batch(config, copy_ids), rules, DECODE)
    for place, hypotheses in enumerate(every):
        found = hypotheses[: DECODE.num_headlines]
        targets = [hypothesis.ids for hypothesis in found]
        replayed = traces(engine, article(config, copy_ids[place]), targets)
        row = [copy_ids[place]] * len(found)
        results += list(zip(row, found, replayed, strict=True))
    assert len(results) == len(LENGTHS) * DECODE.num_headlines
    return results


def article(config: ModelConfig, copy_ids: Ids) -> SourceBatch:
    """One article, ids of shape ``(S,)``, as an engine reads it."""
    return source_batch(config, copy_ids[None])


@PRESETS
def test_log_probs_sum_to_the_score_of_the_search(preset: str) -> None:
    found = searched(TINY[preset], mild_weights(TINY[preset]))

    assert max(len(hypothesis.ids) for _, hypothesis, _ in found) > 2
    for _, hypothesis, trace in found:
        assert len(trace.log_probs) == len(hypothesis.ids) + 1
        assert trace.log_probs.sum() == pytest.approx(hypothesis.score, abs=1e-4)


@PRESETS
def test_shares_sum_to_the_probability(preset: str) -> None:
    for _, _, trace in searched(TINY[preset], mild_weights(TINY[preset])):
        total = trace.generated + trace.copied
        np.testing.assert_allclose(total, np.exp(trace.log_probs), rtol=1e-5)


@PRESETS
def test_attention_sums_to_one_and_leaves_padding_out(preset: str) -> None:
    for copy_ids, _, trace in searched(TINY[preset], mild_weights(TINY[preset])):
        assert trace.attention.shape == (len(trace.log_probs), len(copy_ids))
        np.testing.assert_allclose(trace.attention.sum(axis=1), 1, rtol=1e-5)
        assert not trace.attention[:, copy_ids == PAD].any()
        assert not trace.copy[:, copy_ids == PAD].any()


@pytest.mark.parametrize("bias", [-3.0, 0.0, 1.5])
@pytest.mark.parametrize("preset", POINTERS)
def test_copy_weights_sum_to_what_the_gate_leaves(preset: str, bias: float) -> None:
    config = TINY[preset]
    weights = dict(mild_weights(config))
    weights["pointer/gate/kernel"] = np.zeros_like(weights["pointer/gate/kernel"])
    weights["pointer/gate/bias"] = np.full(1, bias, np.float32)

    for _, _, trace in searched(config, weights):
        left = np.full(len(trace.log_probs), 1 - 1 / (1 + np.exp(-bias)))
        np.testing.assert_allclose(trace.copy.sum(axis=1), left, rtol=1e-5)


@pytest.mark.parametrize("preset", POINTERS)
def test_a_token_is_copied_from_its_occurrences(preset: str) -> None:
    config = TINY[preset]
    weights, own = dict(mild_weights(config)), 0
    weights["pointer/gate/bias"] = weights["pointer/gate/bias"] - 2  # copies more
    for copy_ids, hypothesis, trace in searched(config, weights):
        assert trace.copied[-1] == 0  # no article holds EOS
        for place, token in enumerate(hypothesis.ids):
            expected = trace.copy[place, copy_ids == token].sum()
            assert trace.copied[place] == pytest.approx(expected, rel=1e-5)
            assert (token in copy_ids) == (trace.copied[place] > 0)
            if token >= config.vocab_size:
                own += 1
                assert trace.generated[place] == 0
    assert own > 3


def test_without_a_pointer_nothing_is_copied() -> None:
    for _, _, trace in searched(TINY["seed"], mild_weights(TINY["seed"])):
        assert not trace.copied.any() and not trace.copy.any()


@PRESETS
def test_padding_and_other_targets_change_no_trace(preset: str) -> None:
    config = TINY[preset]
    engine = NumpyEngine(config, mild_weights(config))
    copy_ids = random_sources(config, [6])[0]
    padded = np.pad(copy_ids, (0, 3), constant_values=PAD)
    targets = [[8, 20], [], [int(copy_ids[0])] * 3]

    together = traces(engine, article(config, padded), targets)

    for target, expected in zip(targets, together, strict=True):
        (alone,) = traces(engine, article(config, copy_ids), [target])
        for name, value in vars(alone).items():
            wanted = getattr(expected, name)
            if value.ndim == 2:
                wanted = wanted[:, : len(copy_ids)]
            np.testing.assert_allclose(value, wanted, rtol=1e-4, atol=1e-6)


@PRESETS
def test_attention_is_the_mean_of_the_heads(preset: str) -> None:
    config = TINY[preset]
    weights = dict(mild_weights(config))
    # All heads but the last know no query: they look at every token alike.
    others = [("attention/query/kernel", config.width // config.heads)]
    if config.match_length:
        features = config.match_length + 1
        others += [(f"attention/match/{one}", features) for one in ("kernel", "bias")]
    for name, last in others:
        weights[name] = weights[name].copy()
        weights[name][..., :-last] = 0

    for copy_ids, _, trace in searched(config, weights):
        length = int((copy_ids != PAD).sum())
        alike = (config.heads - 1) / config.heads / length
        assert trace.attention[:, :length].min() > alike * (1 - 1e-5)
        if length > 1:
            assert trace.attention.max() > 1.01 / length
