"""What processes that train together agree on, with threads in place of processes."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from signal import SIGINT, SIGTERM
from threading import Barrier, BrokenBarrierError, Condition
from typing import Any, TypeVar

import pytest

from headline.errors import HeadlineError, Interrupted, TrainingError
from headline.system.interrupt import Wish
from headline.training import group as module
from headline.training.alike import check_alike
from headline.training.group import AGAIN, KEPT, Group, PromptWish
from headline.training.hosts import Place

T = TypeVar("T")
SEVERAL = 3


class Store:
    """A key-value store as that of JAX's coordinator."""

    def __init__(self, count: int) -> None:
        self.values: dict[str, str] = {}
        self.changed = Condition()
        self.barrier = Barrier(count)

    def key_value_set(
        self, key: str, value: str, allow_overwrite: bool = False
    ) -> None:
        with self.changed:
            assert allow_overwrite or key not in self.values
            self.values[key] = value
            self.changed.notify_all()

    def blocking_key_value_get(self, key: str, milliseconds: int) -> str:
        with self.changed:
            if not self.changed.wait_for(
                lambda: key in self.values, milliseconds / 1e3
            ):
                raise RuntimeError("DEADLINE_EXCEEDED: no such key")
            return self.values[key]

    def key_value_delete(self, key: str) -> None:
        with self.changed:
            del self.values[key]

    def key_value_dir_get(self, begin: str) -> list[tuple[str, str]]:
        with self.changed:
            return [pair for pair in self.values.items() if pair[0].startswith(begin)]

    def wait_at_barrier(self, name: str, milliseconds: int) -> None:
        try:
            self.barrier.wait(milliseconds / 1e3)
        except BrokenBarrierError as error:
            raise RuntimeError("DEADLINE_EXCEEDED") from error


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    store = Store(SEVERAL)
    monkeypatch.setattr(module, "_client", lambda: store)
    monkeypatch.setattr(module, "LOOK", 0.02)
    yield store


@pytest.fixture
def groups(store: Store) -> list[Group]:
    places = [Place("a:1", rank, SEVERAL) for rank in range(SEVERAL)]
    return [Group(place, lambda line: None, Wish()) for place in places]


def in_all(
    groups: list[Group], action: Callable[[Group], T]
) -> list[T | HeadlineError]:
    """What the action returns or raises in each process."""

    def caught(group: Group) -> T | HeadlineError:
        try:
            return action(group)
        except HeadlineError as error:
            return error

    with ThreadPoolExecutor(len(groups)) as threads:
        return list(threads.map(caught, groups))


def test_all_get_the_value_of_process_0(groups: list[Group], store: Store) -> None:
    def several(group: Group) -> list[Any]:
        return [group.agree([turn, group.rank]) for turn in range(3)]

    assert in_all(groups, several) == [[[0, 0], [1, 0], [2, 0]]] * SEVERAL
    everyone = in_all(groups, lambda group: group.gather(group.rank))
    assert everyone == [[0, 1, 2]] * SEVERAL
    first = groups[0]
    for _ in range(2 * KEPT):
        first.agree(0.1)
    assert len(store.values) <= KEPT + 1 + SEVERAL  # the store does not grow


def test_a_slow_process_0_is_waited_for(groups: list[Group]) -> None:
    def slow(group: Group) -> Any:
        time.sleep(0.2 * group.is_first)
        return group.agree(0.1 + 0.2)

    assert in_all(groups, slow) == [0.1 + 0.2] * SEVERAL


@pytest.mark.parametrize("failing", range(SEVERAL))
def test_an_error_in_one_is_an_error_in_all(groups: list[Group], failing: int) -> None:
    def body(group: Group) -> None:
        with group.together():
            if group.rank == failing:
                raise TrainingError("no data here")

    for rank, error in enumerate(in_all(groups, body)):
        told = "" if rank == failing else f"process {failing}: "
        assert isinstance(error, TrainingError) and str(error) == f"{told}no data here"
    assert in_all(groups, lambda group: group.agree(5)) == [5] * SEVERAL


def test_only_process_0_acts_and_all_learn_how_it_ended(groups: list[Group]) -> None:
    def act(group: Group, what: Callable[[], Any]) -> Any:
        def action() -> Any:
            assert group.is_first
            return what()

        return group.decide(action)

    def fail(error: HeadlineError) -> Any:
        raise error

    assert (
        in_all(groups, lambda one: act(one, lambda: {"a": 1})) == [{"a": 1}] * SEVERAL
    )
    stopped = in_all(groups, lambda one: act(one, lambda: fail(Interrupted(SIGINT))))
    assert [getattr(one, "exit_code", None) for one in stopped] == [130] * SEVERAL
    full = in_all(
        groups, lambda one: act(one, lambda: fail(HeadlineError("disk full")))
    )
    assert [str(one) for one in full] == ["disk full", *["process 0: disk full"] * 2]


def test_process_0_learns_of_a_signal_to_another(groups: list[Group]) -> None:
    first, _, other = groups
    prompt = PromptWish(first)
    prompt.check()
    assert first.asked_to_stop() is None
    other.wish.stop(SIGTERM)
    other.tell_wish()
    other.tell_wish()
    assert first.asked_to_stop() == SIGTERM
    time.sleep(2 * module.LOOK)
    with pytest.raises(Interrupted) as stopped:
        prompt.check()
    assert stopped.value.exit_code == 128 + SIGTERM


def test_a_process_that_waits_tells_of_its_signal(groups: list[Group]) -> None:
    def wait(group: Group) -> Any:
        if not group.is_first:
            if group.rank == 1:
                group.wish.stop(SIGINT)
            return group.decide(lambda: None)

        def action() -> Any:
            prompt = PromptWish(group)
            while True:
                prompt.check()
                time.sleep(0.01)

        return group.decide(action)

    for error in in_all(groups, wait):
        assert isinstance(error, Interrupted) and error.exit_code == 128 + SIGINT


def test_whether_all_came(groups: list[Group], store: Store) -> None:
    assert in_all(groups, lambda group: group.all_came("a", 5)) == [True] * SEVERAL
    some = groups[:2]
    assert in_all(some, lambda group: group.all_came("b", 0.1)) == [False] * 2


def test_what_differs_is_named_in_all_processes(groups: list[Group]) -> None:
    def check(group: Group) -> None:
        seed = 2 if group.rank == 2 else 1
        data = {"train": "other" if group.rank == 2 else "same"}
        check_alike(group, {"train.seed": seed, "train.epochs": 3, "data": data})

    own, *_, last = in_all(groups, check)
    assert str(last) == (
        "process 2 must train as process 0 does: the dataset is not the same; "
        "train.seed is 2, not 1"
    )
    assert str(own) == f"process 2: {last}"
    assert in_all(groups, lambda group: check_alike(group, {"a": [1]})) == [None] * 3


def test_a_group_of_one_needs_nobody() -> None:
    lines: list[str] = []
    group = Group(None, lines.append, Wish())
    assert group.agree(1) == 1 and group.gather(2) == [2] and group.is_alone
    assert group.decide(lambda: {3}) == {3} and group.all_came("x", 0)
    group.report("told")
    assert lines == ["told"] and group.asked_to_stop() is None


# --- ends of a process ----------------------------------------------------------------

BEGIN = """
import ctypes, os, time
from headline.system.abort import on_abort
from headline.system.interrupt import Wish
from headline.training.group import Group
from headline.training.hosts import Place
def report(line): print(line, flush=True)
group = Group(Place("a:1", 1, 2), report, Wish(), stall_minutes=0.005)
"""


def ended(body: str) -> tuple[int, list[str]]:
    """The exit code of a process, and its lines."""
    command = [sys.executable, "-c", BEGIN + body]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout.splitlines()


def test_a_process_without_progress_ends() -> None:
    code, (line,) = ended("group.watch(); time.sleep(50)")
    assert code == AGAIN == 75 and "no progress for 0.005 minutes" in line
    assert "process 1 of 2" in line and "--resume" in line


def test_a_process_with_progress_goes_on() -> None:
    body = (
        "group.watch()\nfor _ in range(15): time.sleep(0.05); group.tick()\nos._exit(3)"
    )
    assert ended(body) == (3, [])


def test_an_abort_of_native_code_ends_with_a_line() -> None:
    body = "on_abort(group.lost); ctypes.CDLL(None).abort()"
    code, (line,) = ended(body)
    assert code == AGAIN and "another process of this training ended" in line


@pytest.mark.parametrize(
    "text",
    ["Gloo all-reduce failed: timed out", "UNAVAILABLE: Socket closed"],
)
def test_a_lost_peer_ends_with_a_line(text: str) -> None:
    code, (line,) = ended(f"with group.ending_together(): raise ValueError({text!r})")
    assert code == AGAIN and "cannot be reached" in line


def test_a_bug_keeps_its_traceback() -> None:
    command = BEGIN + "with group.ending_together(): raise ValueError('a bug')"
    done = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True
    )
    assert done.returncode == 1 and "ValueError: a bug" in done.stderr
