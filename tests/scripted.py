"""A scripted engine and the smallest real one, for tests of what stands above them."""

import math
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from headline.bundle import Bundle
from headline.engines.base import IMPOSSIBLE, Floats, SourceBatch, Step
from headline.generation.confidence import FEATURES, NUMBERS
from headline.generation.headlines import Headline
from headline.network.confidence import ConfidenceModel, Likeness
from headline.network.styles.catalogue import Example, Style, StyleMap, Styles
from headline.network.styles.form import FormSpace
from headline.network.styles.posterior import StyleJudge, judge_shapes
from headline.network.weights import Weights, weight_specs
from headline.settings.model import ModelConfig
from headline.settings.search import DecodeConfig
from headline.text.ids import EOS, PAD, UNK, Ids
from headline.text.tokenizer import CharTokenizer, Vocab, WordTokenizer

EXAMPLE = Example("文章的开头", "标题")


@dataclass(frozen=True)
class CopyState:
    """The source of each row, and how many tokens the rows have read."""

    sources: Ids  # (R, S)
    position: int


class CopyEngine:
    """Thinks that a headline is the first ``length`` tokens of its article.

    The token that its rule wants next has nine tenths of the probability; EOS and the
    other tokens of the article share what is left.
    """

    def __init__(self, length: int) -> None:
        self.length = length
        self.shapes: list[tuple[int, ...]] = []  # of the batches, in their order

    def encode(self, sources: SourceBatch) -> CopyState:
        assert UNK not in sources.copy_ids  # each token has an id of its own
        self.shapes.append(sources.copy_ids.shape)
        return CopyState(sources.copy_ids, 0)

    def step(self, state: CopyState, step: Step) -> tuple[Floats, Ids, CopyState]:
        sources = state.sources[step.parents]
        nothing = np.zeros((len(sources), 0), np.int32)
        asked = nothing if step.wanted is None else step.wanted
        columns = 1 + step.num_candidates + asked.shape[1]
        log_probs = np.full((len(sources), columns), IMPOSSIBLE, np.float32)
        ids = np.full(log_probs.shape, EOS, np.int32)
        for row, source in enumerate(sources):
            probs = self._probs(source[source != PAD].tolist(), state.position)
            others = probs.keys() - {EOS}
            chosen = [EOS, *sorted(others, key=lambda token: (-probs[token], token))]
            places = [*enumerate(chosen[: 1 + step.num_candidates])]
            places += enumerate(asked[row].tolist(), 1 + step.num_candidates)
            for place, token in places:
                if token in probs:
                    log_probs[row, place] = math.log(probs[token])
                ids[row, place] = token
        return log_probs, ids, CopyState(sources, state.position + 1)

    def _probs(self, source: list[int], position: int) -> dict[int, float]:
        known = {EOS, *source}
        probs = dict.fromkeys(known, 0.1 / len(known))
        wanted = [*source[: self.length], EOS]
        probs[wanted[min(position, len(wanted) - 1)]] += 0.9
        return probs


def char_tokenizer(text: str, vocab_size: int = 5000) -> CharTokenizer:
    """Returns a tokenizer that knows the characters of the text."""
    return CharTokenizer(Vocab.from_counts(Counter(text), vocab_size, 1))


def random_weights(config: ModelConfig, seed: int = 0) -> Weights:
    """Returns weights for the network, far enough from 0 that each one matters."""
    rng = np.random.default_rng(seed)
    specs = weight_specs(config).values()
    return {one.name: rng.normal(size=one.shape).astype(np.float32) for one in specs}


def tiny_bundle(text: str, vocab_size: int = 12, width: int = 8) -> Bundle:
    """Returns a model that was never trained and knows a few characters of a text."""
    tokenizer = char_tokenizer(text, vocab_size)
    model = ModelConfig(
        vocab_size=tokenizer.vocab.vocab_size,
        width=width,
        decoder_layers=1,
        heads=2,
        bigrams=31,
    )
    return Bundle(
        model=model,
        decode=DecodeConfig(beam_size=2, max_length=8),
        max_source_length=50,
        tokenizer=tokenizer,
        weights=random_weights(model),
        provenance={"corpus": "没有"},
    )


def random_confidence(seed: int = 0) -> ConfidenceModel:
    """Returns a confidence that nobody has fitted; each of its numbers matters."""
    rng = np.random.default_rng(seed)
    size, numbers = len(FEATURES), len(NUMBERS)
    likeness = Likeness(
        names=NUMBERS,
        mean=tuple(rng.normal(size=numbers).tolist()),
        scale=tuple(rng.uniform(0.5, 2, numbers).tolist()),
        precision=tuple(tuple(row) for row in np.eye(numbers).tolist()),
        bound=3.0,
    )
    return ConfidenceModel(
        names=FEATURES,
        mean=tuple(rng.normal(size=size).tolist()),
        scale=tuple(rng.uniform(1, 3, size).tolist()),
        weights=tuple(rng.normal(scale=0.3, size=size).tolist()),
        bias=0.3,
        likeness=likeness,
        good_rouge_l=50.0,
        fit={"auroc": 0.5},
    )


def confident_bundle(text: str) -> Bundle:
    """Returns the ``tiny_bundle`` with a confidence."""
    return replace(tiny_bundle(text), confidence=random_confidence())


def styled_bundle(text: str, styles: int = 3) -> Bundle:
    """Returns the ``tiny_bundle`` with styles that nobody has trained, either."""
    plain = tiny_bundle(text)
    model = replace(plain.model, styles=styles)
    known = "".join(sorted(set(text)))
    space = FormSpace((3, 5), (0.4, 0.8), known[:4], known[2:7], known[:3])
    judges = [random_judge(space, model, seed) for seed in (1, 2)]
    found = [
        Style(share=share, median_length=4.0, traits=("短",), examples=(EXAMPLE,))
        for share in (0.6, 0.3, 0.1)[:styles]
    ]
    points = np.eye(styles, 2, dtype=np.float32)
    shown = StyleMap(points, np.arange(styles, dtype=np.int32), points)
    return replace(
        plain,
        model=model,
        weights=random_weights(model),
        styles=Styles(
            judge=judges[0], second=judges[1], styles=tuple(found), map=shown
        ),
    )


def random_judge(space: FormSpace, model: ModelConfig, seed: int) -> StyleJudge:
    """Returns a judge of styles with random opinions."""
    rng = np.random.default_rng(seed)
    shapes = judge_shapes(space, model.width, model.styles)
    arrays = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    arrays["article/scale"] = np.ones(2 * model.width)
    return StyleJudge(
        space, {name: array.astype(np.float32) for name, array in arrays.items()}
    )


def word_bundle(text: str) -> Bundle:
    """Returns such a model that knows all words of a text, and their characters."""
    pieces = Counter(WordTokenizer.split(text))
    vocab = Vocab.from_counts(WordTokenizer.count(pieces, 1), 5000, 1)
    plain = tiny_bundle(text)
    model = replace(plain.model, vocab_size=vocab.vocab_size)
    tokenizer, weights = WordTokenizer(vocab), random_weights(model)
    return replace(plain, model=model, tokenizer=tokenizer, weights=weights)


def texts(found: list[list[Headline]]) -> list[list[str]]:
    """The texts alone of the headlines of each article."""
    return [[headline.text for headline in headlines] for headlines in found]
