"""Several processes write what one writes."""

import random
from dataclasses import replace

import pytest

from headline.generation.generator import Generator
from headline.generation.headlines import BLANK, Headline
from headline.generation.parallel import ParallelGenerator
from headline.settings.search import DecodeConfig
from tests.scripted import styled_bundle, texts, tiny_bundle, word_bundle

pytestmark = pytest.mark.forks

HAN = "央行今日宣布下调存款准备金率"
CONFIG = DecodeConfig(max_length=8, batch_size=2, num_headlines=2)
# Of many lengths in no order; some blank, some with unknown characters.
ARTICLES = [HAN[at % 7 :] * (1 + at * 5 % 4) + "罕😀"[: at % 3] for at in range(37)]
ARTICLES[5], ARTICLES[30] = "", " "


def assert_same(found: list[list[Headline]], expected: list[list[Headline]]) -> None:
    """The same texts in the same order; sums of unlike batches end in other digits."""
    assert texts(found) == texts(expected)
    scores, others = (
        [headline.score for headlines in side for headline in headlines]
        for side in (found, expected)
    )
    assert scores == pytest.approx(others, abs=1e-4)


def pair_of(config: DecodeConfig = CONFIG) -> tuple[Generator, ParallelGenerator]:
    single = Generator.from_bundle(tiny_bundle(HAN), config)
    return single, ParallelGenerator(single, 2)


@pytest.mark.parametrize(
    "config",
    [
        CONFIG,
        replace(CONFIG, sample=True, seed=3),
        replace(CONFIG, num_headlines=3, diversity=1.0, beam_size=3),
    ],
)
def test_the_headlines_and_their_order_are_those_of_one_process(
    config: DecodeConfig, started: list[str]
) -> None:
    single, parallel = pair_of(config)
    found = parallel.generate(ARTICLES)
    assert len(started) == 2
    assert_same(found, single.generate(ARTICLES))
    assert found[5] == found[30] == [BLANK]
    assert list(parallel.stream(ARTICLES)) == found


def test_each_article_has_its_own_config() -> None:
    single, parallel = pair_of()
    configs = [replace(CONFIG, prefix=HAN[at % 5]) for at in range(len(ARTICLES))]
    found = parallel.generate(ARTICLES, configs)
    assert_same(found, single.generate(ARTICLES, configs))
    assert found[7][0].text.startswith(HAN[2])


def test_words_too() -> None:
    single = Generator.from_bundle(word_bundle(HAN), CONFIG)
    parallel = ParallelGenerator(single, 2)
    assert_same(parallel.generate(ARTICLES), single.generate(ARTICLES))


def test_styles_too() -> None:
    config = replace(CONFIG, num_headlines=1, styles=True)
    single = Generator.from_bundle(styled_bundle(HAN), config)
    found = ParallelGenerator(single, 2).generate(ARTICLES)
    expected = single.generate(ARTICLES)
    assert_same(found, expected)
    assert [[one.style for one in several] for several in found] == [
        [one.style for one in several] for several in expected
    ]


def test_few_articles_start_no_process(started: list[str]) -> None:
    single, parallel = pair_of()
    few = ARTICLES[: CONFIG.batch_size]
    assert_same(parallel.generate(few), single.generate(few))
    assert not started
    parallel.generate(ARTICLES)
    assert len(started) == 2


def test_what_contradicts_itself_is_the_error_of_its_article_alone() -> None:
    single, parallel = pair_of()
    wrong = replace(CONFIG, must_include=("长",), max_length=1, prefix="下")
    configs = [wrong if at % 5 == 1 else CONFIG for at in range(len(ARTICLES))]
    found = parallel.generate(ARTICLES, configs)
    assert_same(found, single.generate(ARTICLES, configs))
    errors = [headlines[0].error for headlines in found]
    assert [error is not None for error in errors] == [
        config is wrong for config in configs
    ]


@pytest.mark.parametrize("count", [1, 2])
def test_it_tells_how_many_articles_are_done(count: int) -> None:
    generators = pair_of()
    done: list[int] = []
    generators[count - 1].generate(ARTICLES, advance=done.append)
    assert sum(done) == len(ARTICLES) and len(done) > len(ARTICLES) // 4


def test_a_window_keeps_every_process_busy() -> None:
    single, parallel = pair_of()
    assert parallel.window_size == 2 * single.window_size
    assert CONFIG.batch_size < parallel.ready_size <= parallel.window_size


def test_nothing_about_the_run_changes_a_headline(started: list[str]) -> None:
    """Not the batch, nor the processes, nor what comes before or after."""
    rng = random.Random(1)
    articles = [
        "".join(rng.choices(HAN + "罕 12", k=rng.randrange(60))) for _ in range(200)
    ]
    config = replace(CONFIG, num_headlines=1, beam_size=4)
    expected = pair_of(config)[0].generate(articles)
    for batch_size, count in ((1, 1), (7, 2), (32, 3), (200, 1)):
        order = rng.sample(range(200), k=200)
        single, _ = pair_of(replace(config, batch_size=batch_size))
        found = ParallelGenerator(single, count).generate(
            [articles[at] for at in order]
        )
        assert_same(found, [expected[at] for at in order])
    assert len(started) == 1 + 2 + 3
