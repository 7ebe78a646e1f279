"""Which articles are searched together, and which leave the queue."""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headline.generation.batching import LONG
from headline.serving.batch_queue import MOST_DEATHS, BatchQueue, QueueFull, Waiting
from headline.serving.messages import Explain, Score, Search
from headline.serving.service import kind_of
from headline.settings.search import DecodeConfig

WAIT = 0.005


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 10))


def articles(*lengths: int, kind: str = "k") -> list[Waiting]:
    return [Waiting(length, kind, length) for length in lengths]


def queue_of(capacity: int = 1000, size: int = 4, wait: float = 0.0) -> BatchQueue:
    return BatchQueue(capacity, size, wait)


def works(batch: Sequence[Waiting]) -> list[Any]:
    return [one.work for one in batch]


@given(
    st.lists(st.tuples(st.integers(0, 5 * LONG), st.sampled_from("ab")), max_size=60),
    st.integers(1, 8),
    st.integers(1, 3),
)
def test_batches_hold_every_article_once_within_the_limits(
    given: list[tuple[int, str]], size: int, takers: int
) -> None:
    async def test() -> None:
        queue = queue_of(size=size)
        waiting = [Waiting(at, kind, n) for at, (n, kind) in enumerate(given)]
        queue.put(waiting)
        taken: list[Waiting] = []

        async def take() -> None:
            while True:
                batch = await queue.take()
                longest = max(one.length for one in batch)
                assert len({one.group for one in batch}) == 1
                assert len(batch) == 1 or len(batch) * longest <= size * LONG
                assert len(batch) <= size
                taken.extend(batch)

        tasks = [asyncio.create_task(take()) for _ in range(takers)]
        while len(taken) < len(waiting):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        assert sorted(works(taken)) == [*range(len(given))]
        assert len(queue) == 0

    run(test())


def test_only_articles_with_the_same_search_share_a_batch() -> None:
    config = DecodeConfig()
    plain = Search("天", config)
    for other, alike in (
        (Search("地", replace(config, prefix="快讯", max_length=9)), True),
        (Search("天", replace(config, beam_size=8)), False),
        (Search("天", replace(config, sample=True)), False),
        (Score("天", "天"), False),
        (Explain("天", None, config), False),
    ):
        assert (kind_of(plain) == kind_of(other)) is alike
    assert kind_of(Score("天", "天")) == kind_of(Score("地", "玄"))


def test_the_oldest_article_is_never_passed_over() -> None:
    async def test() -> None:
        queue = queue_of(size=2)
        queue.put(articles(10))
        queue.put(articles(100, 101, 102, 103))
        assert 10 in works(await queue.take())
        assert 101 in works(await queue.take())

    run(test())


def test_the_nearest_in_length_go_together() -> None:
    async def test() -> None:
        queue = queue_of(size=3)
        queue.put(articles(100, 10, 99, 200, 102, 20))
        assert sorted(works(await queue.take())) == [99, 100, 102]

    run(test())


def test_a_long_article_keeps_no_short_one_waiting() -> None:
    async def test() -> None:
        queue = queue_of(size=8)
        queue.put(articles(LONG * 2, 10, LONG * 2 + 1, LONG))
        batches = [works(await queue.take()) for _ in range(3)]
        assert batches == [[LONG * 2], [10, LONG], [LONG * 2 + 1]]

    run(test())


def test_idle_workers_share_what_waits() -> None:
    async def test() -> None:
        queue = queue_of(size=8, wait=WAIT)
        takers = [asyncio.create_task(queue.take()) for _ in range(2)]
        await asyncio.sleep(0)
        queue.put(articles(1, 2, 3, 4))
        assert [len(batch) for batch in await asyncio.gather(*takers)] == [2, 2]

    run(test())


def test_a_batch_waits_for_others_and_leaves_at_once_when_full() -> None:
    async def test() -> None:
        loop = asyncio.get_running_loop()
        queue = queue_of(size=2, wait=0.2)
        begin = loop.time()
        queue.put(articles(1))
        taker = asyncio.create_task(queue.take())
        await asyncio.sleep(0.05)
        assert not taker.done()
        queue.put(articles(2))
        assert works(await taker) == [1, 2] and loop.time() - begin < 0.15
        queue.put(articles(3))
        begin = loop.time()
        assert works(await queue.take()) == [3] and 0.15 < loop.time() - begin < 0.5

    run(test())


def test_a_full_queue_takes_a_request_whole_or_not_at_all() -> None:
    async def test() -> None:
        queue = queue_of(capacity=3)
        queue.put(articles(1, 2))
        with pytest.raises(QueueFull):
            queue.put(articles(3, 4))
        assert len(queue) == 2
        queue.put(articles(5))
        assert sorted(works(await queue.take())) == [1, 2, 5]

    run(test())


def test_what_no_client_wants_any_more_leaves_at_once() -> None:
    async def test() -> None:
        queue = queue_of(capacity=2)
        gone, other = articles(1, 2)
        queue.put([gone, other])
        gone.result.cancel()
        await asyncio.sleep(0)
        assert len(queue) == 1
        queue.put(articles(3))  # there is room again
        assert works(await queue.take()) == [2, 3]

    run(test())


def test_after_a_death_each_article_is_searched_alone_and_not_for_ever() -> None:
    async def test() -> None:
        queue = queue_of(size=4)
        queue.put(articles(1, 2, 3))
        batch = await queue.take()
        batch[1].result.cancel()
        queue.put(articles(4))
        assert queue.put_back(batch) == []
        assert [works(await queue.take()) for _ in range(3)] == [[1], [3], [4]]
        for _ in range(MOST_DEATHS - 2):
            assert queue.put_back(batch[:1]) == []
            assert works(await queue.take()) == [1]
        assert works(queue.put_back(batch[:1])) == [1]
        assert len(queue) == 0

    run(test())
