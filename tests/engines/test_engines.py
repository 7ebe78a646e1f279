"""The two engines are one: the same numbers, the same headlines."""

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from headline.engines.base import (
    IMPOSSIBLE,
    DoubtEngine,
    Engine,
    Floats,
    SourceBatch,
    Step,
    StyleEngine,
)
from headline.engines.keras_engine import KerasEngine
from headline.engines.numpy.engine import NumpyEngine
from headline.generation.generator import Generator
from headline.network.model import HeadlineModel, weight_arrays
from headline.search.beam_search import beam_search
from headline.search.beams import Hypothesis
from headline.search.rules import Rules, TokenTable
from headline.settings.model import ModelConfig
from headline.settings.search import DecodeConfig
from headline.text.ids import BOS, EOS, PAD, SPECIAL_TOKENS, UNK, Ids
from tests.corpora import CHARACTERS, bracket_pairs
from tests.models import (
    TINY,
    random_model,
    random_sources,
    shared_engine,
    shared_model,
    source_batch,
    styles_of,
    training_batch,
)
from tests.scripted import char_tokenizer

LENGTHS = [9, 4, 1, 12, 7]
PRESETS = pytest.mark.parametrize("preset", list(TINY))
SHORTLISTS = pytest.mark.parametrize("shortlist", [0, 12])


def both_engines(
    config: ModelConfig, shortlist: int = 0
) -> tuple[StyleEngine[Any], StyleEngine[Any]]:
    weights = weight_arrays(shared_model(config))
    # A list of some tokens is of a pointer: without one, all are the same engine.
    keras_engine = shared_engine(config, shortlist if config.pointer else 0)
    return NumpyEngine(config, weights, shortlist), keras_engine


def run_steps(engine: Engine[Any], config: ModelConfig, copy_ids: Ids) -> list[Any]:
    """Log-probs and ids of three steps: widening, reordering, dropping an article."""
    state = engine.encode(source_batch(config, copy_ids))
    batch = len(copy_ids)
    tokens = np.full(batch, BOS, np.int32)
    results = []
    log_probs, ids, state = engine.step(
        state, Step(np.arange(batch, dtype="i4"), tokens, 6)
    )
    results.append((log_probs, ids))
    parents = np.repeat(np.arange(batch, dtype=np.int32), 2)
    tokens = np.resize(np.array([5, 50, 7], np.int32), 2 * batch)
    log_probs, ids, state = engine.step(state, Step(parents, tokens, 6))
    results.append((log_probs, ids))
    kept = np.array([1, 1, 4, 5, 7, 6], np.int32)  # of articles 0, 2 and 3
    log_probs, ids, _ = engine.step(state, Step(kept, tokens[:6], 6))
    results.append((log_probs, ids))
    return results


@SHORTLISTS
@PRESETS
def test_engines_give_the_same_log_probs_and_ids(preset: str, shortlist: int) -> None:
    config = TINY[preset]
    copy_ids = random_sources(config, LENGTHS)
    numpy_engine, keras_engine = both_engines(config, shortlist)

    expected = run_steps(keras_engine, config, copy_ids)
    for step, (log_probs, ids) in enumerate(run_steps(numpy_engine, config, copy_ids)):
        np.testing.assert_allclose(log_probs, expected[step][0], atol=1e-4)
        np.testing.assert_array_equal(ids, expected[step][1])


@PRESETS
def test_engines_tell_the_same_doubts(preset: str) -> None:
    config = TINY[preset]
    copy_ids = random_sources(config, LENGTHS)
    parents = np.repeat(np.arange(len(LENGTHS), dtype=np.int32), 2)
    tokens = np.resize(np.array([5, 50, 7, PAD], np.int32), 2 * len(LENGTHS))
    found = []
    for engine in both_engines(config):
        state = engine.encode(source_batch(config, copy_ids))
        bos = np.full(len(LENGTHS), BOS, np.int32)
        first = Step(np.arange(len(LENGTHS), dtype="i4"), bos, 3)
        plain, _, _ = engine.step(state, first)
        log_probs, _, state = engine.step(state, replace(first, doubts=True))
        np.testing.assert_array_equal(log_probs, plain)
        *_, state = engine.step(state, Step(parents, tokens, 3, doubts=True))
        found.append(cast(DoubtEngine[Any], engine).doubts(state)[tokens != PAD])
    np.testing.assert_allclose(found[0], found[1], atol=1e-4)
    gates, entropies = found[0].T
    if not config.pointer:
        assert (gates == 1).all() and (entropies == 0).all()
        return
    assert ((gates > 0) & (gates < 1)).all() and len(set(gates.tolist())) == len(gates)
    lengths = np.repeat(LENGTHS, 2)[tokens != PAD]
    assert (entropies <= np.log(lengths) + 1e-5).all()  # padding has no weight
    assert (entropies >= 0).all() and entropies.max() > 0.1


@SHORTLISTS
@PRESETS
@pytest.mark.parametrize("which", [0, 1])
def test_dead_rows_change_nothing_for_the_others(
    preset: str, shortlist: int, which: int
) -> None:
    config = TINY[preset]
    copy_ids = random_sources(config, LENGTHS)
    engine = both_engines(config, shortlist)[which]
    tokens = np.array([5, 50, 7, 8, 5, 9, 6, 6, 7, 5], np.int32)
    dead = [1, 4, 8]  # one of each of three articles
    kept = np.array([0, 0, 2, 3, 5, 5, 9, 9], np.int32)  # article 3 is dropped

    def steps(tokens: Ids) -> list[Any]:
        state = engine.encode(source_batch(config, copy_ids))
        bos = np.full(len(LENGTHS), BOS, np.int32)
        *_, state = engine.step(
            state, Step(np.arange(len(LENGTHS), dtype="i4"), bos, 6)
        )
        parents = np.repeat(np.arange(len(LENGTHS), dtype=np.int32), 2)
        wanted = np.tile(np.array([7, EOS], np.int32), (len(parents), 1))
        *second, state = engine.step(state, Step(parents, tokens, 6, wanted))
        *third, _ = engine.step(state, Step(kept, tokens[kept], 6))
        return [*second, *third]

    *before, log_probs, ids = steps(tokens)
    *after, dead_log_probs, dead_ids = steps(
        np.where(np.isin(np.arange(10), dead), np.int32(PAD), tokens)
    )

    live = np.delete(np.arange(10), dead)
    np.testing.assert_allclose(after[0][live], before[0][live], atol=1e-5)
    np.testing.assert_array_equal(after[1][live], before[1][live])
    np.testing.assert_allclose(dead_log_probs, log_probs, atol=1e-5)
    np.testing.assert_array_equal(dead_ids, ids)


@pytest.mark.parametrize("shortlist", [0, pytest.param(12, marks=pytest.mark.slow)])
@PRESETS
def test_engines_write_the_same_headlines_for_200_articles(
    preset: str, shortlist: int
) -> None:
    config = TINY[preset]
    generator = np.random.default_rng(11)
    copy_ids = random_sources(config, generator.integers(1, 30, 200).tolist())
    decode = DecodeConfig(beam_size=3, num_headlines=3, max_length=8)

    rules = Rules(TokenTable(SPECIAL_TOKENS), [decode] * 200, [None] * 200)
    numpy_found, keras_found = (
        beam_search(engine, source_batch(config, copy_ids), rules, decode)
        for engine in both_engines(config, shortlist)
    )

    assert [texts(found) for found in numpy_found] == [
        texts(found) for found in keras_found
    ]
    scores = [[one.score for one in found] for found in numpy_found]
    expected = [[one.score for one in found] for found in keras_found]
    np.testing.assert_allclose(scores, expected, atol=1e-4)


@pytest.mark.parametrize("shortlist", [pytest.param(0, marks=pytest.mark.slow), 12])
@PRESETS
def test_engines_write_the_same_headlines_whatever_is_asked_of_them(
    preset: str, shortlist: int
) -> None:
    config = TINY[preset]
    tokenizer = char_tokenizer(CHARACTERS + "1，", config.vocab_size)
    assert tokenizer.vocab.vocab_size == config.vocab_size
    titles = [title + article for title, article in bracket_pairs(30)]
    articles = [f"{'5.2%' * (n % 2)}{text}{n}年GDP囧" for n, text in enumerate(titles)]
    common: dict[str, Any] = {"num_headlines": 3, "max_length": 8}
    asked: list[dict[str, Any]] = [
        {},
        {"prefix": "囧天 ", "no_repeat_ngram_size": 2},
        {"must_include": ("GDP", "玄"), "avoid": ("地",), "min_length": 7},
    ]
    configs = [DecodeConfig(**common | asked[n % 3]) for n in range(len(articles))]

    numpy_found, keras_found = (
        Generator(tokenizer, engine, DecodeConfig(), 50).generate(articles, configs)
        for engine in both_engines(config, shortlist)
    )

    for found, expected in zip(numpy_found, keras_found, strict=True):
        assert [one.text for one in found] == [one.text for one in expected]
        scores = [one.score for one in expected]
        assert [one.score for one in found] == pytest.approx(scores, abs=1e-3)
    assert all(found[0].text.startswith("囧天 ") for found in numpy_found[1::3])
    assert all("GDP" in found[0].text for found in numpy_found[2::3])


@PRESETS
def test_step_by_step_equals_teacher_forcing(preset: str) -> None:
    config = TINY[preset]
    copy_ids = random_sources(config, [6, 3])
    target = [8, int(copy_ids[0, 0]), 20]
    batch = training_batch(config, copy_ids[:1], [target])
    expected = np.asarray(shared_model(config)(batch)["log_probs"])[0]

    for engine in both_engines(config):
        found = score_target(engine, config, copy_ids[:1], target)
        np.testing.assert_allclose(found, expected, atol=1e-4)


def score_target(
    engine: Engine[Any], config: ModelConfig, copy_ids: Ids, target: list[int]
) -> list[float]:
    """Log P of each label, looked up among all candidates of each step."""
    state = engine.encode(source_batch(config, copy_ids))
    row = np.zeros(1, np.int32)
    scores = []
    for token, label in zip([BOS, *target], [*target, EOS], strict=True):
        tokens = np.array([token], np.int32)
        log_probs, ids, state = engine.step(state, Step(row, tokens, config.vocab_size))
        scores.append(float(log_probs[0, ids[0].tolist().index(label)]))
    return scores


@PRESETS
def test_wanted_tokens_are_the_candidates_that_a_longer_list_has(preset: str) -> None:
    config = TINY[preset]
    copy_ids = np.array([[5, 50, 7, 8], [6, 9, 51, PAD]], np.int32)
    # Not there: PAD, the other article's token, one of nobody; twice: the token 5.
    wanted = np.array([[5, 50, 51, PAD, 5, EOS], [8, 50, 51, 70, 30, 9]], np.int32)
    for engine in both_engines(config):
        state = engine.encode(source_batch(config, copy_ids))
        rows, tokens = np.arange(2, dtype=np.int32), np.full(2, BOS, np.int32)
        every, all_ids, _ = engine.step(state, Step(rows, tokens, 42))
        known = [
            {token: score for token, score in zip(*row, strict=True) if score > -1e9}
            for row in zip(all_ids.tolist(), every, strict=True)
        ]

        log_probs, ids, _ = engine.step(state, Step(rows, tokens, 3, wanted))

        np.testing.assert_allclose(log_probs[:, :4], every[:, :4], atol=1e-6)
        np.testing.assert_array_equal(ids[:, 4:], wanted)
        for row, column in np.ndindex(wanted.shape):
            expected = known[row].get(wanted[row, column], IMPOSSIBLE)
            assert log_probs[row, 4 + column] == pytest.approx(expected, abs=1e-6)


@PRESETS
def test_more_padding_and_other_articles_change_nothing(preset: str) -> None:
    config = TINY[preset]
    copy_ids = random_sources(config, LENGTHS)
    for engine in both_engines(config):
        together = run_first_step(engine, config, copy_ids)
        for place, length in enumerate(LENGTHS):
            alone = run_first_step(engine, config, copy_ids[place : place + 1, :length])
            np.testing.assert_allclose(together[place], alone[0], atol=1e-5)


def run_first_step(engine: Engine[Any], config: ModelConfig, copy_ids: Ids) -> Floats:
    state = engine.encode(source_batch(config, copy_ids))
    rows = np.arange(len(copy_ids), dtype=np.int32)
    log_probs, _, _ = engine.step(state, Step(rows, np.full_like(rows, BOS), 8))
    return log_probs


@PRESETS
def test_probabilities_of_all_candidates_and_the_specials_sum_to_one(
    preset: str,
) -> None:
    config = TINY[preset]
    copy_ids = random_sources(config, [8])
    model = shared_model(config)
    state = (engine := NumpyEngine(config, weight_arrays(model))).encode(
        source_batch(config, copy_ids)
    )
    row = np.zeros(1, np.int32)
    log_probs, ids, _ = engine.step(state, Step(row, np.full(1, BOS, np.int32), 100))

    total = np.exp(log_probs[np.isfinite(log_probs)]).sum()
    batch = training_batch(config, copy_ids, [[PAD], [UNK], [BOS]][:1])
    specials = [special_probability(model, batch, which) for which in (PAD, UNK, BOS)]
    assert not {PAD, UNK, BOS} & set(ids[np.isfinite(log_probs)].tolist())
    assert total + sum(specials) == pytest.approx(1, abs=1e-4)


def special_probability(
    model: HeadlineModel, batch: dict[str, Ids], which: int
) -> float:
    labels = np.full_like(batch["labels"], which)
    # Padding of the source has the id PAD, and must not count as copied.
    copy_ids = np.where(batch["copy_ids"] == PAD, -1, batch["copy_ids"])
    outputs = model(batch | {"labels": labels, "copy_ids": copy_ids})
    return float(np.exp(np.asarray(outputs["log_probs"])[0, 0]))


def test_a_step_leaves_the_state_before_as_it_was() -> None:
    config = TINY["pointer"]
    copy_ids = random_sources(config, LENGTHS)
    for engine in both_engines(config):
        rows = np.arange(len(copy_ids), dtype=np.int32)
        before = engine.encode(source_batch(config, copy_ids))
        tokens = np.full_like(rows, BOS)
        _, _, state = engine.step(before, Step(rows, tokens, 4))
        first = engine.step(state, Step(rows, tokens + 3, 4))[0]
        engine.step(state, Step(rows[::-1].copy(), tokens + 9, 4))

        np.testing.assert_array_equal(
            first, engine.step(state, Step(rows, tokens + 3, 4))[0]
        )


def test_columns_without_a_token_are_impossible() -> None:
    config = replace(TINY["pointer"], vocab_size=6)
    copy_ids = np.array([[4, 5, 4]], np.int32)
    for engine in both_engines(config):
        state = engine.encode(SourceBatch(copy_ids, copy_ids))
        row = np.zeros(1, np.int32)
        log_probs, ids, _ = engine.step(state, Step(row, np.full(1, BOS, np.int32), 9))
        assert log_probs.shape == ids.shape == (1, 10)
        assert np.isfinite(log_probs[0]).sum() == 3  # EOS, 4 and 5
        assert ids[0, 0] == EOS and set(ids[0, 1:3].tolist()) == {4, 5}


def test_an_article_is_offered_no_token_that_only_another_one_has() -> None:
    config = TINY["pointer"]
    copy_ids = np.array([[5, 6, 7, 8], [5, 50, 51, 52]], np.int32)
    for engine in both_engines(config):
        state = engine.encode(source_batch(config, copy_ids))
        rows, tokens = np.arange(2, dtype=np.int32), np.full(2, BOS, np.int32)
        log_probs, ids, _ = engine.step(
            state, Step(rows, tokens, config.vocab_size + 4)
        )
        offered = [set(ids[row, np.isfinite(log_probs[row])].tolist()) for row in rows]
        assert max(offered[0]) < config.vocab_size
        assert offered[1] - offered[0] == {50, 51, 52} and PAD not in offered[0]


def test_articles_of_the_tests_have_all_styles_and_none() -> None:
    config = TINY["styles"]
    styles = styles_of(config, random_sources(config, LENGTHS))
    assert {*styles.tolist()} == {-1, 0, 1, 2}


def test_an_article_without_a_style_is_searched_as_by_a_network_without_styles() -> (
    None
):
    config = TINY["styles"]
    copy_ids = random_sources(config, LENGTHS)
    plain = {**weight_arrays(shared_model(config))}
    plain = {name: plain[name] for name in plain if not name.startswith("styles/")}
    engine = both_engines(config)[0]
    without = NumpyEngine(replace(config, styles=0), plain)
    rows = np.arange(len(LENGTHS), dtype=np.int32)
    states = [
        without.encode(source_batch(without.config, copy_ids)),
        engine.encode(source_batch(config, copy_ids)),
        engine.encode(replace(source_batch(config, copy_ids), condition=None)),
    ]
    style = styles_of(config, copy_ids)

    for token in (BOS, 5, 7):
        step = Step(rows, np.full_like(rows, token), 6)
        expected, mixed, none = [
            each.step(state, step)
            for each, state in zip((without, engine, engine), states, strict=True)
        ]
        states = [expected[2], mixed[2], none[2]]
        for found, kept in ((mixed, style == -1), (none, style < 9)):
            for column in (0, 1):  # equal to the last bit
                np.testing.assert_array_equal(
                    found[column][kept], expected[column][kept]
                )
        changed = np.abs(mixed[0] - expected[0]).max(axis=1) > 1e-3
        np.testing.assert_array_equal(changed, style >= 0)


@PRESETS
def test_a_branch_is_what_encoding_its_articles_again_gives(preset: str) -> None:
    config = TINY[preset]
    copy_ids = random_sources(config, LENGTHS)
    again = np.array([3, 0, 0, 3, 2, 4], np.int32)
    condition = np.array([0, 2, -1, 1, 1, 2], np.int32) if config.styles else None
    sources = replace(source_batch(config, copy_ids[again]), condition=condition)
    for engine in both_engines(config):
        encoded = engine.encode(source_batch(config, copy_ids))
        before = engine.features(encoded)
        state, other = engine.branch(encoded, again, condition), engine.encode(sources)
        np.testing.assert_array_equal(engine.features(encoded), before)
        np.testing.assert_allclose(engine.features(state), before[again], atol=1e-6)
        rows = np.arange(len(again), dtype=np.int32)
        for token in (BOS, 5):
            step = Step(rows, np.full_like(rows, token), 6)
            *found, state = engine.step(state, step)
            *expected, other = engine.step(other, step)
            np.testing.assert_allclose(found[0], expected[0], atol=1e-5)
            np.testing.assert_array_equal(found[1], expected[1])


@PRESETS
def test_features_are_mean_and_maximum_of_the_values(preset: str) -> None:
    config = TINY[preset]
    copy_ids = random_sources(config, LENGTHS)
    sources = source_batch(config, copy_ids)
    model = shared_model(config)
    mask = sources.source_ids != PAD
    states = np.asarray(model.encoder.read(sources.source_ids, mask))
    values = states @ np.asarray(model.readout.attention.value.kernel)
    real = [row[: np.sum(kept)] for row, kept in zip(values, mask, strict=True)]
    expected = [np.concatenate([row.mean(axis=0), row.max(axis=0)]) for row in real]
    for engine in both_engines(config):
        found = engine.features(engine.encode(sources))
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_style_that_the_network_does_not_have_is_refused() -> None:
    config = TINY["styles"]
    sources = source_batch(config, random_sources(config, LENGTHS))
    for engine in both_engines(config):
        for wrong in (-2, 3):
            condition = np.array([0, 1, -1, wrong, 2], np.int32)
            with pytest.raises(ValueError, match=f"no style {wrong}"):
                engine.encode(replace(sources, condition=condition))
            with pytest.raises(ValueError, match=f"no style {wrong}"):
                engine.branch(
                    engine.encode(sources), np.arange(5, dtype=np.int32), condition
                )


def test_a_condition_that_no_network_reads_is_refused() -> None:
    config = TINY["pointer"]
    plain = source_batch(config, random_sources(config, LENGTHS))
    styled = replace(plain, condition=np.zeros(len(LENGTHS), np.int32))
    for engine in both_engines(config):
        engine.encode(plain)
        with pytest.raises(ValueError, match="condition"):
            engine.encode(styled)
        with pytest.raises(ValueError, match="condition"):
            places = np.arange(len(LENGTHS), dtype=np.int32)
            engine.branch(engine.encode(plain), places, styled.condition)
    batch = training_batch(config, plain.copy_ids[:1], [[5]])
    with pytest.raises(ValueError, match="condition"):
        shared_model(config)(batch | {"style": np.zeros(1, np.int32)})


def test_sources_have_as_many_copy_ids_and_a_condition_for_each_row() -> None:
    ids = np.array([[4, 5, 4], [6, 7, PAD]], np.int32)
    assert len(SourceBatch(ids, ids, np.array([0, 1], np.int32))) == 2
    with pytest.raises(AssertionError):
        SourceBatch(ids, ids[:, :2])
    with pytest.raises(AssertionError):
        SourceBatch(ids, ids, np.array([0], np.int32))


def test_keras_engine_from_weights_is_the_model_itself() -> None:
    config = TINY["mixed"]
    copy_ids = random_sources(config, LENGTHS)
    again = KerasEngine.from_weights(config, weight_arrays(shared_model(config)))

    expected = run_first_step(shared_engine(config), config, copy_ids)
    np.testing.assert_array_equal(run_first_step(again, config, copy_ids), expected)


def test_keras_engine_reads_the_weights_at_each_call() -> None:
    config = TINY["pointer"]
    model = random_model(config)
    engine, copy_ids = KerasEngine(model), random_sources(config, LENGTHS)
    before = run_first_step(engine, config, copy_ids)

    model.readout.output.bias.assign(np.linspace(-2, 2, 40, dtype=np.float32))

    numpy_engine = NumpyEngine(config, weight_arrays(model))
    after = run_first_step(engine, config, copy_ids)
    assert np.abs(after - before).max() > 0.1
    expected = run_first_step(numpy_engine, config, copy_ids)
    np.testing.assert_allclose(after, expected, atol=1e-4)


def texts(found: list[Hypothesis]) -> list[tuple[int, ...]]:
    return [hypothesis.ids for hypothesis in found]


def test_a_search_compiles_two_steps_whoever_leaves() -> None:
    config = TINY["pointer"]
    copy_ids = random_sources(config, [3, 30, 9, 12, 5])
    decode = DecodeConfig(beam_size=3, max_length=8)
    configs = [replace(decode, max_length=length) for length in (2, 3, 5, 7, 8)]
    rules = Rules(TokenTable(SPECIAL_TOKENS), configs, [None] * 5)
    engine = Recording(shared_engine(config))
    beam_search(engine, source_batch(config, copy_ids), rules, decode)
    # Articles left, and the arrays of one hypothesis and of three are as they were.
    assert len({*engine.rows}) > 2 and len({*map(tuple, engine.shapes)}) == 2


class Recording:
    """An engine that keeps how many rows it was asked for, and how many it ran."""

    def __init__(self, engine: KerasEngine) -> None:
        self.engine = engine
        self.encode = engine.encode
        self.rows: list[int] = []
        self.shapes: list[list[tuple[int, ...]]] = []  # of the layers' states

    def step(self, state: Any, step: Step) -> Any:
        *found, state = self.engine.step(state, step)
        self.rows.append(len(step.parents))
        self.shapes.append([tuple(hidden.shape) for hidden, _ in state.decoder_state])
        return *found, state
