"""Worker processes: the results of the plain function, in order, and no one left."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from headline.errors import ConfigError, WorkerError
from headline.system.workers import AHEAD, Crew, Workers, cores, start_method

pytestmark = pytest.mark.forks


class Adder:
    """What workers run: something with a state of its own."""

    def __init__(self, amount: int) -> None:
        self.amount = amount

    def add(self, number: int) -> tuple[int, int]:
        # The first parts take longest, so that they end last.
        time.sleep(0.05 if number < 2 else 0)
        return number + self.amount, os.getpid()


def fail(part: int) -> int:
    raise ConfigError(f"part {part} is wrong", "part")


def fail_strangely(part: int) -> int:
    class StrangeError(Exception):
        pass

    raise StrangeError


def die(part: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return part


@contextmanager
def another_thread() -> Iterator[None]:
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


def test_results_come_in_the_order_of_the_parts_from_other_processes(
    started: list[str],
) -> None:
    found = list(Workers(Adder(10).add, 2).map(range(20)))
    assert started == [start_method()] * 2
    assert [number for number, _ in found] == list(range(10, 30))
    assert os.getpid() not in {pid for _, pid in found}


def test_processes_serve_again() -> None:
    workers = Workers(Adder(1).add, 2)
    pids = {pid for _ in range(3) for _, pid in workers.map(range(6))}
    assert len(pids) <= 2


def test_they_are_spawned_beside_other_threads_and_give_the_same(
    started: list[str],
) -> None:
    with another_thread():
        assert start_method() == "spawn"
        found = list(Workers(Adder(10).add, 1).map(range(3)))
    assert started == ["spawn"]
    assert [number for number, _ in found] == [10, 11, 12]


def test_parts_are_drawn_as_results_are_taken() -> None:
    drawn: list[int] = []

    def parts() -> Iterator[int]:
        for number in range(1000):
            drawn.append(number)
            yield number

    results = Workers(Adder(0).add, 2).map(parts())
    next(results)
    assert len(drawn) <= 2 * AHEAD + 1


def test_an_error_of_the_work_arrives_whole() -> None:
    with pytest.raises(ConfigError, match="part 0 is wrong") as caught:
        list(Workers(fail, 1).map([0, 1, 2]))
    assert caught.value.setting == "part"
    assert "in fail\n" in caught.value.__notes__[0]


def test_an_error_that_cannot_be_pickled_is_told() -> None:
    with pytest.raises(RuntimeError, match="Strange"):
        list(Workers(fail_strangely, 1).map([0]))


def test_a_killed_process_is_told_and_replaced() -> None:
    workers = Workers(die, 1)
    for _ in range(2):
        with pytest.raises(WorkerError, match="--workers 1"):
            list(workers.map([1]))


# A second map finds the process dead: it must tell, as the first would.
LEAVING = textwrap.dedent(
    """
    import os, signal, time
    from headline.system import workers
    from headline.errors import WorkerError

    workers.AHEAD = 10

    def die_of_one(part):
        time.sleep(0.2)
        if part:
            os.kill(os.getpid(), signal.SIGKILL)

    pool = workers.Workers(die_of_one, 1)
    results = pool.map([0] + [1] * 20)
    next(results)
    results.close()
    try:
        list(pool.map([0] * 20))
    except WorkerError as error:
        print(error)
    """
)

# Larger than a pipe holds, so the process is killed in the middle of sending it. It
# begins only after the first result was read, which otherwise may bring this one along.
HALF = textwrap.dedent(
    """
    import time
    from multiprocessing import Event, active_children
    from headline.errors import WorkerError
    from headline.system.workers import Workers

    first_was_read = Event()

    def zeros(size):
        if size:
            first_was_read.wait()
        return bytes(size)

    results = Workers(zeros, 2).map([0, 10_000_000])
    next(results)
    first_was_read.set()
    time.sleep(0.5)
    for child in active_children():
        child.kill()
    try:
        list(results)
    except WorkerError as error:
        print(error)
    """
)


@pytest.mark.parametrize("script", [LEAVING, HALF], ids=["left", "half"])
def test_a_process_that_is_killed_is_told_whenever_it_happens(script: str) -> None:
    run = [sys.executable, "-c", script]
    done = subprocess.run(run, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith("a worker process") and done.stderr == ""


def test_two_maps_take_turns() -> None:
    workers: Workers[int, int] = Workers(abs, 2)
    pairs = list(zip(workers.map(range(9)), workers.map(range(-9, 0)), strict=True))
    assert pairs == [(number, 9 - number) for number in range(9)]


def test_a_caller_who_leaves_does_not_disturb_the_next() -> None:
    workers = Workers(Adder(10).add, 2)
    next(workers.map(range(20)))
    assert [number for number, _ in workers.map(range(5))] == [10, 11, 12, 13, 14]


def test_cores_are_those_this_process_may_use() -> None:
    assert 1 <= cores() <= (os.cpu_count() or 1)


# Without the guard that a process needs which is spawned from a script.
UNGUARDED = textwrap.dedent(
    """
    import threading
    from functools import partial
    from headline.errors import WorkerError
    from headline.system.workers import Workers

    threading.Thread(target=threading.Event().wait, daemon=True).start()
    try:
        list(Workers(partial(max, b" " * 10_000_000), 1).map([b"a"]))
    except WorkerError as error:
        print(error)
    """
)


def test_a_process_that_ends_at_its_start_is_told(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(UNGUARDED)
    run = [sys.executable, str(script)]
    done = subprocess.run(run, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith("a worker process")


def test_nothing_is_said_at_the_end(tmp_path: Path) -> None:
    program = textwrap.dedent(
        """
        from headline.system.workers import Workers

        def work() -> None:
            assert list(Workers(abs, 2).map(range(8))) == [*range(8)]

        work()
        """
    )
    for _ in range(10):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True)
        assert (done.returncode, done.stderr) == (0, b"")


SLEEPER = textwrap.dedent(
    """
    import os, time
    from headline.system.workers import Workers

    def work(part):
        if part:
            time.sleep(60)
        return os.getpid()

    results = Workers(work, 2).map([0, 1, 2])
    print(next(results), flush=True)
    list(results)
    """
)


@pytest.mark.skipif(sys.platform == "win32", reason="kills a process by a signal")
def test_workers_leave_when_their_parent_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", SLEEPER], stdout=-1) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
        for _ in range(100):
            try:
                os.kill(worker, 0)
            except ProcessLookupError:
                return
            if _state(worker) == "Z":  # ended, and nobody has asked how
                return
            time.sleep(0.1)
    pytest.fail("the worker is still there")


def _state(pid: int) -> str:
    done = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True
    )
    return done.stdout.strip()[:1] or "Z"


# --- Crew -----------------------------------------------------------------------------


def die_at_5(part: int) -> int:
    time.sleep(0.05)
    if part == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


def test_a_crew_does_each_part_and_replaces_those_that_are_killed(
    started: list[str],
) -> None:
    done: dict[int, int | Exception] = dict(Crew(die_at_5, 2).run(deque(range(10))))

    assert done.keys() == {*range(10)}
    assert isinstance(done.pop(5), WorkerError)
    assert all(isinstance(pid, int) for pid in done.values())
    assert len(set(done.values())) == len(started) == 3
    assert os.getpid() not in done.values()


def test_a_crew_takes_up_what_is_put_back() -> None:
    parts, tries = deque([5, 6]), 0
    for part, _ in Crew(die_at_5, 1).run(parts):
        if part == 5 and tries < 3:
            tries += 1
            parts.appendleft(part)
    assert tries == 3


def test_a_crew_tells_the_error_of_a_part_and_goes_on() -> None:
    done = dict(Crew(fail, 2).run(deque(range(4))))
    assert {type(error) for error in done.values()} == {ConfigError}
    assert [str(done[part]) for part in range(4)] == [
        f"part {part} is wrong" for part in range(4)
    ]


def test_a_crew_is_gone_when_the_caller_stops(started: list[str]) -> None:
    running = Crew(die_at_5, 2).run(deque(range(4)))
    _, pid = next(running)
    running.close()  # type: ignore[attr-defined]
    assert isinstance(pid, int)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_crew_is_spawned_beside_other_threads() -> None:
    with another_thread():
        done = dict(Crew(Adder(10).add, 2).run(deque(range(3))))
    results = {part: found[0] for part, found in done.items() if type(found) is tuple}
    assert results == {0: 10, 1: 11, 2: 12}
