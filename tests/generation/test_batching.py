"""Every item is in one batch, none waits for long, and none overtakes another."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from queue import Empty, Queue
from threading import Thread
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headline.errors import CorpusError
from headline.generation.batching import (
    LONG,
    Batcher,
    batches_by_length,
    ready_batches,
    windows,
)

Found = TypeVar("Found")
items = st.lists(st.text("央行今日", max_size=3), max_size=20)


# --- by length ------------------------------------------------------------------------


@given(st.lists(st.integers(1, 40 * LONG), max_size=60), st.integers(1, 16))
def test_a_batch_of_long_articles_holds_fewer(tokens: list[int], most: int) -> None:
    lengths = dict(enumerate(tokens))

    batches = list(batches_by_length(lengths, most))

    order = [lengths[place] for batch in batches for place in batch]
    assert order == sorted(tokens)
    assert sorted(place for batch in batches for place in batch) == list(lengths)
    sizes = {most >> halvings for halvings in range(5)}
    for batch in batches[:-1]:
        assert len(batch) in sizes
    for batch in batches:
        longest = lengths[batch[-1]]
        assert len(batch) == 1 or len(batch) * longest <= most * LONG


def test_no_batch_of_short_articles_is_smaller_than_it_may_be() -> None:
    lengths = dict.fromkeys(range(20), LONG)
    assert [len(batch) for batch in batches_by_length(lengths, 8)] == [8, 8, 4]
    assert [len(batch) for batch in batches_by_length({0: LONG + 1, 1: 1}, 2)] == [1, 1]


# --- what is there anyway -------------------------------------------------------------


@given(items, st.integers(1, 5))
def test_windows_hold_all_items_in_their_order(texts: list[str], size: int) -> None:
    found = list(windows(iter(texts), size))

    assert [text for window in found for text in window] == texts
    assert all(len(window) == size for window in found[:-1])
    assert all(1 <= len(window) <= size for window in found)


# --- what arrives over time -----------------------------------------------------------


@dataclass
class Arriving:
    """A queue and its clock: items arrive at given seconds, and waiting takes none."""

    arrivals: list[tuple[float, Any]]  # when, and what
    now: float = 0.0
    waited: list[float | None] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    def get(self, timeout: float | None = None) -> Any:
        self.waited.append(timeout)
        when, item = self.arrivals[0] if self.arrivals else (float("inf"), None)
        if timeout is not None and when > self.now + timeout:
            self.now += timeout
            raise Empty
        self.now = max(self.now, when)
        del self.arrivals[0]
        return item


def batcher(arrivals: list[tuple[float, str]], size: int, max_wait: float) -> Any:
    queue: Any = Arriving(list(arrivals))
    return Batcher[str](size, max_wait, queue, queue.clock), queue


def test_a_batch_is_full_or_its_first_item_has_waited_long_enough() -> None:
    arrivals = [(0.0, "a"), (0.25, "b"), (0.5, "c"), (0.75, "d"), (9.0, "e")]
    found, queue = batcher(arrivals, size=3, max_wait=1.0)
    batches = iter(found)

    assert next(batches) == ["a", "b", "c"] and queue.now == 0.5  # full
    assert next(batches) == ["d"] and queue.now == 1.75  # d came at 0.75
    assert next(batches) == ["e"] and queue.now == 10.0
    assert None in queue.waited  # for the first item of a batch there is no limit


def test_later_items_do_not_make_the_first_wait_longer() -> None:
    arrivals = [(n / 2, str(n)) for n in range(9)]
    found, queue = batcher(arrivals, size=99, max_wait=1.25)

    assert next(iter(found)) == ["0", "1", "2"] and queue.now == 1.25


def test_without_a_wait_a_batch_is_what_is_there() -> None:
    arrivals = [(1.0, "a"), (1.0, "b"), (1.25, "c")]
    found, queue = batcher(arrivals, size=3, max_wait=0.0)
    batches = iter(found)

    assert next(batches) == ["a", "b"] and queue.now == 1.0
    assert next(batches) == ["c"] and queue.now == 1.25


def test_many_threads_may_put_items_with_places_for_their_results() -> None:
    """As a server does: an item carries what it asks for, and where its answer goes."""
    together = Batcher[tuple[int, Queue[int]]](size=4, max_wait=0.01)
    answers: list[tuple[int, int]] = []

    def serve() -> None:
        for batch in together:
            for number, answer in batch:
                answer.put(number * number)

    def ask(number: int) -> None:
        answer: Queue[int] = Queue()
        together.put((number, answer))
        answers.append((number, answer.get(timeout=10)))

    server = Thread(target=serve, daemon=True)
    clients = [Thread(target=ask, args=(n,), daemon=True) for n in range(20)]
    for thread in (server, *clients):
        thread.start()
    for client in clients:
        client.join(timeout=10)
    together.end()
    server.join(timeout=10)

    assert not server.is_alive()
    assert sorted(answers) == [(n, n * n) for n in range(20)]


def test_an_error_comes_behind_the_items_before_it() -> None:
    together = Batcher[str](size=4)
    together.put("a")
    together.end(ValueError("stop"))
    batches = iter(together)

    assert next(batches) == ["a"]
    with pytest.raises(ValueError, match="stop"):
        next(batches)


# --- pipes ----------------------------------------------------------------------------


@given(items, st.integers(1, 5))
def test_ready_batches_hold_all_items_in_their_order(
    texts: list[str], size: int
) -> None:
    batches = list(ready_batches(iter(texts), size))

    assert [text for batch in batches for text in batch] == texts
    assert all(1 <= len(batch) <= size for batch in batches)


def test_fast_pipe_is_read_in_full_batches() -> None:
    batches = ready_batches(range(9), 4)
    next(batches)
    time.sleep(0.2)  # the reader has run ahead as far as it may

    assert len(next(batches)) == 4


def test_reader_does_not_run_far_ahead() -> None:
    taken: list[int] = []

    def many() -> Iterator[int]:
        for number in range(10_000):
            taken.append(number)
            yield number

    batches = ready_batches(many(), 4)
    next(batches)
    time.sleep(0.1)

    assert 1 <= len(taken) <= 3 * 4


@pytest.mark.parametrize("error", [ValueError("stop"), CorpusError("damaged")])
def test_error_of_the_reader_is_passed_on(error: Exception) -> None:
    def broken() -> Iterator[str]:
        yield "央行"
        raise error

    with pytest.raises(type(error), match=str(error)):
        soon(lambda: caught(lambda: list(ready_batches(broken(), 1))))()


def soon(call: Callable[[], Found]) -> Found:
    """Calls in a thread of its own; fails where the call does not return soon."""
    results: Queue[Found] = Queue()
    Thread(target=lambda: results.put(call()), daemon=True).start()
    return results.get(timeout=10)


def caught(call: Callable[[], Found]) -> Callable[[], Found]:
    """Calls now and raises, or returns, later: errors cross a thread so."""
    try:
        result = call()
    except Exception as error:
        reason = error

        def fail() -> Found:
            raise reason

        return fail
    return lambda: result
