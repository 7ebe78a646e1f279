"""Dirt of scraped corpora, put on the pairs of data/sample.csv."""

import csv
import random
from collections.abc import Sequence
from functools import cache
from itertools import islice
from pathlib import Path

from headline.data.corpus import Pair

SAMPLE = Path(__file__).parent.parent.parent / "data" / "sample.csv"

AFFIXES = (
    "_云岭在线",
    " - 云岭新闻网",
    "（图）",
    "[组图]",
    "|今日视点",
    "_要闻_云岭在线",
)
PREFIXES = ("【云岭在线】", "[视频]", "云岭日报：")
NAMES = ("赵某", "钱小某", "孙某某", "李某 周某")
DATELINES = (
    "云岭在线讯（记者 {name}）",
    "云岭社北京{month}月{day}日电 (记者 {name})",
    "【云岭在线报道】",
    "本报讯（见习记者 {name} 通讯员 {name}）",
    "云岭社昆明{month}月{day}日电 题：",
)
CLOSINGS = (
    "（责任编辑：{name}）",
    "更多精彩内容请扫描二维码关注云岭在线",
    "版权声明：本文由云岭新闻网发布，未经许可不得转载。",
    "[责任编辑：{name}]",
)


@cache
def sample_pairs(most: int = 2000) -> Sequence[Pair]:
    """Returns the first pairs of the sample corpus."""
    with SAMPLE.open(encoding="utf-8", newline="") as stream:
        rows = islice(csv.DictReader(stream), most)
        return [Pair(row["content"], row["title"]) for row in rows]


def filled(text: str, rng: random.Random) -> str:
    """Returns a dateline or a closing line with names and numbers."""
    name, month, day = rng.choice(NAMES), rng.randint(1, 12), rng.randint(1, 28)
    return text.format(name=name, month=month, day=day)


def with_affix(pair: Pair, rng: random.Random) -> Pair:
    if rng.random() < 0.3:
        return Pair(pair.source, rng.choice(PREFIXES) + pair.target)
    return Pair(pair.source, pair.target + rng.choice(AFFIXES))


def with_title(pair: Pair, rng: random.Random) -> Pair:
    mark = rng.choice(["", "原标题："])
    return Pair(f"{mark}{pair.target}\n{pair.source}", pair.target)


def with_dateline(pair: Pair, rng: random.Random) -> Pair:
    return Pair(filled(rng.choice(DATELINES), rng) + pair.source, pair.target)


def with_closing(pair: Pair, rng: random.Random) -> Pair:
    line = rng.choice(["", "\n"]) + filled(rng.choice(CLOSINGS), rng)
    return Pair(pair.source + line, pair.target)


def reprinted(pair: Pair, rng: random.Random) -> Pair:
    """Changes about one character in eighty."""
    characters = list(pair.source)
    for _ in range(max(1, len(characters) // 80)):
        at = rng.randrange(len(characters))
        characters[at] = rng.choice(["", "鑫", "淼", characters[at] * 2])
    return Pair("".join(characters), pair.target)
