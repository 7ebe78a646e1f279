"""Writes headlines for articles full of numbers, and looks for one that was split.

    python -m tests.stress.numbers [--minutes N] [--seed N]

Numbers, codes, ranges, emoji and odd characters in random order; whatever engine writes
and whatever is asked of it, each run of a headline is one of its article, or one that
was asked for; every text normalises to the same again, and can be encoded.
"""

import argparse
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import cycle
from typing import Any

from headline.bundle import Bundle
from headline.engines.base import Engine
from headline.engines.numpy.engine import NumpyEngine
from headline.errors import ConfigError
from headline.generation.generator import Generator
from headline.settings.search import DecodeConfig
from headline.text.normalise import normalise, normalise_all
from headline.text.spans import runs
from tests.scripted import CopyEngine, tiny_bundle, word_bundle

HAN = "央行今日降息上涨至战胜到年月日号时点万亿元级"
NUMBERS = [
    "12.95万亿", "3.5%", "-3℃", "＋5％", "±2", "1,000.5", "１３：３３", "3：2", "6∶1",
    "21-19", "2023-05-01", "9·18", "1/3", "½", "10²", "5㎡", "¥100", "US$3亿",
    "010-12389", "+86 138 0013 8000", "0.41%～0.47%", "2025—2027", "5日-7", "1至11",
    "1、2", "5——7", "12", "1", "0", "5.", "1\ufe0f\u20e3",
]  # fmt: skip
CODES = [
    "SU7", "C919", "C91", "CD44V6", "5G-A", "COVID-19", "F-16", "iPhone15", "AT&T",
    "C++", "C#", "O'Neill", "Cafe\u0301", "km/h", "v2.0.1", "x86_64", "β", "Ⅲ", "5G+4K",
    "a@b.cn",
]  # fmt: skip
ODD = [
    *".,:：．～—–-+$#*%℃°'’&/·×±①²\u20e3\ufe0f\u200d\u0301 　\u200b\ufeff\ud800。，",
    "👩\u200d💻", "👍🏽", "🇨🇳🇺🇸", "🏴\U000e0067\U000e0062\U000e007f", "❤\ufe0f\u200d🔥",
    "⽇⻓", "豈", "\u1112\u1161\u11ab", "ﬁ", "\u0315\u0300", "&amp;", "<br>",
]  # fmt: skip
EVERYTHING = [*HAN, *NUMBERS, *CODES, *ODD]
FEW = 6  # pieces that an article is made of, so that its headlines nearly are others


class Numbers:
    """Makes articles and wishes from a seed.

    Args:
        keras: write with the engine of the training, too.
    """

    def __init__(self, seed: int, keras: bool = False) -> None:
        self.rng = random.Random(seed)
        self.outcomes: Counter[str] = Counter()
        self._writers = cycle(self._generators(keras))

    def _generators(self, keras: bool) -> Iterator[tuple[str, Generator]]:
        known = normalise("".join(EVERYTHING))
        characters = tiny_bundle(known, vocab_size=60)
        words = word_bundle(known)
        for name, bundle in (("characters", characters), ("words", words)):
            numpy = NumpyEngine(bundle.model, bundle.weights)
            yield f"{name}, numpy", _generator(bundle, numpy)
            yield f"{name}, copied", _generator(bundle, CopyEngine(9))
        if keras:
            from headline.engines.keras_engine import KerasEngine

            engine = KerasEngine.from_weights(characters.model, characters.weights)
            yield "characters, keras", _generator(characters, engine)

    def text(self, most: int) -> str:
        """Pieces of few kinds, in any order."""
        pieces = self.rng.choices(EVERYTHING, k=FEW)
        return "".join(self.rng.choices(pieces, k=self.rng.randrange(1, most)))

    def wishes(self) -> DecodeConfig:
        """What may be asked of a headline; it may contradict itself."""
        asked: list[dict[str, Any]] = [
            {},
            {"sample": True, "num_headlines": 3, "seed": self.rng.randrange(99)},
            {"num_headlines": 4, "diversity": 1.0},
            {"beam_size": 8, "consensus": True},
            {"max_length": self.rng.randrange(4, 12)},
            {"min_length": 9, "no_repeat_ngram_size": 0},
            {"prefix": self.text(3)},
            {"must_include": (self.text(2), self.text(2))},
            {"avoid": (self.text(2),)},
        ]
        return DecodeConfig(
            **{"beam_size": 3, "max_length": 14} | self.rng.choice(asked)
        )

    def run(self, articles: int = 16) -> None:
        """Writes headlines for some articles, and checks them."""
        name, generator = next(self._writers)
        texts = [self.text(14) for _ in range(articles)]
        self._check_texts(texts)
        try:
            config = self.wishes()
            asked = [(config.prefix, *config.must_include)] * len(texts)
            found = generator.generate(texts, [config] * len(texts))
        except ConfigError:
            self.outcomes["contradictions"] += 1
            return
        for text, words, headlines in zip(texts, asked, found, strict=True):
            for headline in headlines:
                self._check(text, words, headline.text)
                self.outcomes[name] += 1

    def _check_texts(self, texts: Sequence[str]) -> None:
        once = normalise_all(texts)
        assert once == [normalise(text) for text in texts]
        assert once == [normalise(text) for text in once]
        for text in once:
            text.encode()

    def _check(self, article: str, asked: Sequence[str], headline: str) -> None:
        allowed = {run for text in (article, *asked) for run in runs(normalise(text))}
        split = set(runs(headline)) - allowed
        assert not split, (article, asked, headline, split)
        assert normalise(headline) == headline
        headline.encode()
        self.outcomes["with runs"] += bool(runs(headline))


def _generator(bundle: Bundle, engine: Engine[Any]) -> Generator:
    return Generator(bundle.tokenizer, engine, bundle.decode, bundle.max_source_length)


def main() -> None:
    """Writes for some minutes, and prints how much."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    numbers, begin = Numbers(args.seed, keras=True), time.monotonic()
    while time.monotonic() - begin < 60 * args.minutes:
        numbers.run()
    for outcome, times in sorted(numbers.outcomes.items()):
        print(f"{times:7} {outcome}")


if __name__ == "__main__":
    main()
