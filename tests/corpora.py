"""A task that can be learned in seconds: the headline stands between two brackets."""

import csv
import random
from collections.abc import Iterable
from pathlib import Path

from headline.data.prepare import Job, prepare
from headline.formats.tables import CorpusFormat
from headline.settings.prepare import PrepareConfig

CHARACTERS = "天地玄黄宇宙洪荒日月盈昃辰宿列张寒来暑往秋收冬藏闰余成岁律吕调阳云腾致雨"


def bracket_pairs(number: int, seed: int = 1) -> list[tuple[str, str]]:
    """Pairs of title and article, such as 月盈昃 and 天地「月盈昃」玄黄."""
    generator = random.Random(seed)

    def some(least: int, most: int) -> str:
        length = generator.randint(least, most)
        return "".join(generator.choices(CHARACTERS, k=length))

    titles = [some(3, 5) for _ in range(number)]
    return [(title, f"{some(4, 9)}「{title}」{some(4, 9)}。") for title in titles]


THEMES = "天地玄黄宇宙洪荒", "寒来暑往秋收冬藏", "金生丽水玉出昆冈"
THEME_PAIRS = 60, 100, 40  # of each theme
SHARED = "的一是在不了有和人这"  # characters that articles of every theme have


def theme_pairs() -> list[tuple[str, str]]:
    """Articles with headlines of three themes, each with characters of its own.

    A headline has characters of its theme only.
    """
    generator = random.Random(1)
    pairs = []
    for theme, number in zip(THEMES, THEME_PAIRS, strict=True):
        for _ in range(number):
            article = [*generator.choices(theme, k=12), *generator.choices(SHARED, k=8)]
            generator.shuffle(article)
            pairs.append(("".join(article), "".join(generator.choices(theme, k=4))))
    generator.shuffle(pairs)
    return pairs


def write_pairs(path: Path, pairs: Iterable[tuple[str, str]]) -> Path:
    """Writes a CSV corpus."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("title", "content"))
        writer.writerows(pairs)
    return path


def prepared(
    data_dir: Path, pairs: Iterable[tuple[str, str]], held_out: float = 0.0
) -> Path:
    """Makes a dataset of pairs in memory, each article first; returns its folder.

    Args:
        held_out: the share of the valid split, and of the test split.
    """
    config = PrepareConfig(min_count=1, valid_size=held_out, test_size=held_out)
    job = Job(
        files=[],
        data_dir=data_dir,
        format=CorpusFormat(),
        config=config,
        pairs=[*pairs],
    )
    prepare(job)
    return data_dir
