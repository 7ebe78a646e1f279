"""Shards: joined they are what one process writes, whatever happens on the way."""

import errno
import fcntl
import json
import os
import pickle
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headline.cluster import plan as plan_module
from headline.cluster import shards
from headline.cluster.local import Part, run_here
from headline.cluster.output import MANIFEST, SUCCESS
from headline.cluster.plan import Plan, Splitting
from headline.cluster.plan_file import from_bytes, head_of, to_bytes
from headline.cluster.settings import ShardSettings
from headline.cluster.shards import MOST_FAILURES, Failures, ShardRun
from headline.errors import (
    ClusterError,
    ConfigError,
    CorpusError,
    HeadlineError,
    WorkerError,
)
from headline.formats.options import CorpusFormat
from headline.generation.files import write_headlines
from headline.generation.generator import Generator
from headline.generation.headlines import Headline
from headline.settings.commands import GenerateConfig
from headline.system.blas import _libraries, blas_threads
from tests.cluster.running import (
    COPYING,
    HAN,
    joined,
    model,
    opened,
    plain,
    run_all,
    settings_of,
)
from tests.formats.test_every_format import corpus
from tests.generation.test_shards import CSV, FILES
from tests.reading import write
from tests.written import WRITERS, written


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> ShardSettings:
    return settings_of(model(tmp_path_factory.mktemp("model") / "m"))


@pytest.fixture
def own(tmp_path: Path) -> ShardSettings:
    """Settings with a model that a test may change."""
    return settings_of(model(tmp_path / "m"))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write(tmp_path / "a.csv", "".join(CSV))


# --- what is written ------------------------------------------------------------------


@pytest.mark.parametrize("name", list(FILES))
@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16"])
@pytest.mark.parametrize("rows", [1, 2, 3, 100])
def test_the_shards_joined_are_what_one_process_writes(
    tmp_path: Path, settings: ShardSettings, name: str, encoding: str, rows: int
) -> None:
    path = write(tmp_path / name, "".join(FILES[name]), encoding)

    run = opened([path], settings, tmp_path / "out", rows)
    manifest = run_all(run)

    assert joined(tmp_path / "out") == plain([path], settings)
    is_split = encoding != "utf-16"  # whose line ends may be half a character
    assert (len(run.plan.jobs) > 1) == (is_split and rows < 100)
    assert manifest["rows"] == sum(one["rows"] for one in manifest["shards"])
    if is_split:
        assert [one["rows"] for one in manifest["shards"]] == [
            job.shard.rows for job in run.plan.jobs
        ]


@given(
    st.lists(st.sampled_from([*CSV[1:], '"']), min_size=1, max_size=12),
    st.integers(1, 5),
)
def test_any_table_is_split_before_records_only(
    tmp_path_factory: pytest.TempPathFactory,
    settings: ShardSettings,
    lines: list[str],
    rows: int,
) -> None:
    folder = tmp_path_factory.mktemp("any")
    path = write(folder / "any.csv", "".join(CSV[:3] + lines))

    run_all(opened([path], settings, folder / "out", rows), COPYING)

    assert joined(folder / "out") == plain([path], settings, COPYING)


@pytest.mark.parametrize("name", list(WRITERS))
def test_a_file_of_any_format_gets_an_output_of_its_kind(
    tmp_path: Path, settings: ShardSettings, name: str
) -> None:
    path = written(tmp_path, name, corpus(20))

    run = opened([path], settings, tmp_path / "out", 7)
    run_all(run)

    if name == "news.xlsx":  # a zip file with the time in it
        assert len(joined(tmp_path / "out")) > 5000
    else:
        assert joined(tmp_path / "out") == plain([path], settings)
    assert (len(run.plan.jobs) > 1) == (name == "news.csv")
    stem = name.split(".")[0]
    assert all(job.name.startswith(f"00000-{stem}-") for job in run.plan.jobs)
    packed = [suffix for suffix in (".gz", ".bz2", ".zst") if name.endswith(suffix)]
    assert all(job.name.endswith(tuple(packed or [""])) for job in run.plan.jobs)


@pytest.mark.parametrize("search", [{"sample": True, "seed": 5}, {"num_headlines": 2}])
def test_samples_and_several_headlines_are_those_of_one_process(
    tmp_path: Path, table: Path, settings: ShardSettings, search: dict[str, int]
) -> None:
    asked = replace(settings, search=settings.search.changed(search))

    run_all(opened([table], asked, tmp_path / "out"))

    assert joined(tmp_path / "out") == plain([table], asked)


def test_scores_have_the_same_digits_if_shards_hold_whole_windows(
    tmp_path: Path, settings: ShardSettings
) -> None:
    scored = replace(
        settings,
        search=settings.search.changed({"batch_size": 1}),
        output=GenerateConfig(with_scores=True),
    )
    rows = scored.generator().window_size
    text = "".join(f"{HAN[at % 9 :]}{at}\n" for at in range(2 * rows + 1))
    path = write(tmp_path / "a.csv", f"content\n{text}")

    run_all(opened([path], scored, tmp_path / "out", rows))

    assert joined(tmp_path / "out") == plain([path], scored)
    assert len([*(tmp_path / "out").glob("0*")]) == 3


def test_rows_with_a_problem_are_counted_and_told(
    tmp_path: Path, table: Path, settings: ShardSettings
) -> None:
    run = opened([table], settings, tmp_path / "out", 2)
    worker = run.worker
    outcomes = [worker.run(job) for job in run.left()]

    manifest = run.finish()

    told = [line for outcome in outcomes for line in outcome.told]
    expected: list[str] = []
    plain([table], settings, told=expected)
    assert told == expected and len(told) == 3
    assert manifest["rows"] == 7


# --- several files --------------------------------------------------------------------


def test_files_with_the_same_name_or_dialects_of_their_own_are_joined(
    tmp_path: Path, settings: ShardSettings
) -> None:
    (tmp_path / "b").mkdir()
    paths = [
        write(tmp_path / "a.csv", 'id,content\n1,"一,二"\n2,央行\n'),
        write(tmp_path / "b" / "a.csv", f'sep=;\nid;content\n3;"{HAN};\n末"\n4;x,y\n'),
        write(tmp_path / "c.tsv", f'id\tcontent\n5\t"{HAN}\n6\t央行\n'),
    ]

    run_all(opened(paths, settings, tmp_path / "out", 1))

    assert joined(tmp_path / "out") == plain(paths, settings)
    others = [*paths[2:], *paths[:2]]
    run_all(opened(others, settings, tmp_path / "others", 1))
    assert joined(tmp_path / "others") == plain(others, settings)
    assert joined(tmp_path / "out", "c.tsv") == plain(paths[2:], settings)


def test_arrays_of_json_are_joined(tmp_path: Path, settings: ShardSettings) -> None:
    paths = [
        write(tmp_path / "a.json", f'[{{"content": "{HAN}"}}, {{"content": "央"}}]'),
        write(tmp_path / "b.json", f'[{{"content": "{HAN[3:]}"}}]'),
    ]

    run_all(opened(paths, settings, tmp_path / "out"))

    assert joined(tmp_path / "out") == plain(paths, settings)


def test_what_cannot_be_joined_is_told_in_one_line(
    tmp_path: Path, settings: ShardSettings
) -> None:
    table = write(tmp_path / "a.csv", f"content\n{HAN}\n")
    text = write(tmp_path / "b.txt", HAN)
    run_all(opened([table, text], settings, tmp_path / "out"))

    with pytest.raises(ClusterError, match=r"a\.csv and b\.txt cannot go into one"):
        joined(tmp_path / "out")
    with pytest.raises(ClusterError, match=r"no shards of 'x\.csv', but of a\.csv"):
        joined(tmp_path / "out", "x.csv")
    assert joined(tmp_path / "out", "b.txt") == plain([text], settings)

    sheet = written(tmp_path, "news.parquet", corpus(20))
    run_all(opened([sheet, sheet], settings, tmp_path / "two"))
    with pytest.raises(ClusterError, match=r"files of \.parquet cannot be joined"):
        joined(tmp_path / "two")


def test_a_damaged_output_is_found_while_it_is_joined(
    tmp_path: Path, table: Path, settings: ShardSettings
) -> None:
    run = opened([table], settings, tmp_path / "out")
    run_all(run)
    name = run.plan.jobs[1].name
    path = tmp_path / "out" / name
    content = path.read_bytes()

    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ClusterError, match=f"{name} is missing or damaged"):
        joined(tmp_path / "out")

    path.write_bytes(content[:-1])
    with pytest.raises(ClusterError, match=f"{name} is missing or damaged"):
        joined(tmp_path / "out")
    assert run.left() == [run.plan.jobs[1]]
    run.start()
    with pytest.raises(ClusterError, match=r"not complete: 3 of 4 shards"):
        joined(tmp_path / "out")
    run_all(run)
    assert path.read_bytes() == content


# --- the plan -------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(FILES))
def test_a_plan_is_read_as_it_was_written(
    tmp_path: Path, settings: ShardSettings, name: str
) -> None:
    path = write(tmp_path / name, "".join(FILES[name]), "gb18030")
    stamps = [(path, plan_module.stamp_of(path))]
    head = head_of(stamps, settings, 2)

    splitting = Splitting(settings.corpus_format(), 2, True)
    made = plan_module.plan([path], splitting)
    content = to_bytes(made, head)

    assert from_bytes(content, [path], head, tmp_path) == made
    assert to_bytes(plan_module.plan([path], splitting), head) == content


@pytest.mark.forks
def test_processes_plan_large_files_as_one_does(
    tmp_path: Path, started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [write(tmp_path / name, "".join(FILES[name])) for name in FILES]
    splitting = Splitting(CorpusFormat(), 2, True)
    expected = plan_module.plan(paths, splitting, 2)
    assert started == []

    monkeypatch.setattr(plan_module, "LARGE", 100)
    assert plan_module.plan(paths, splitting, 2) == expected
    assert len(started) == 2


def test_a_run_goes_on_under_another_path_of_the_files(
    tmp_path: Path, table: Path, settings: ShardSettings
) -> None:
    first = opened([table], settings, tmp_path / "out")
    first.worker.run(first.left()[0])
    (tmp_path / "mounted").symlink_to(tmp_path)

    run = opened([tmp_path / "mounted" / "a.csv"], settings, tmp_path / "out")

    assert len(run.left()) == len(first.plan.jobs) - 1
    run_all(run)
    assert joined(tmp_path / "out") == plain([table], settings)


def test_another_run_in_the_folder_is_refused_and_says_what_differs(
    tmp_path: Path, table: Path, own: ShardSettings
) -> None:
    out = tmp_path / "out"
    run_all(opened([table], own, out))
    before = tree(out)
    other = write(tmp_path / "b.csv", "content\nx\n")

    def refused(settings: ShardSettings, path: Path = table, rows: int = 2) -> str:
        with pytest.raises(ClusterError) as caught:
            opened([path], settings, out, rows)
        assert "\n" not in str(caught.value)
        assert str(caught.value).startswith(str(out))
        return str(caught.value)

    search = own.search.changed({"beam_size": 3})
    assert "beam_size = 2, now it is 3" in refused(replace(own, search=search))
    assert "rows_per_shard = 2, now it is 3" in refused(own, rows=3)
    assert "device = 'cpu', now it is 'gpu'" in refused(replace(own, device="gpu"))
    assert "begun with other files: a.csv" in refused(own, other)
    os.utime(table, (1, 1))
    assert "begun before a.csv changed" in refused(own)
    model(own.model_dir, width=12)
    changed = settings_of(own.model_dir)
    os.utime(table, None)
    assert tree(out) == before
    out = tmp_path / "new"
    run_all(opened([table], own_again := changed, out))
    assert own_again.model != own.model
    assert "headlines of another model" in refused(own)


def test_tasks_that_begin_at_once_wait_for_the_plan_of_the_first(
    tmp_path: Path,
    table: Path,
    settings: ShardSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    planned: list[int] = []

    def planning(*args: Any) -> Plan:
        planned.append(1)
        time.sleep(0.3)  # so that the others come meanwhile
        return plan_module.plan(*args)

    monkeypatch.setattr(shards, "plan", planning)
    out = tmp_path / "out"
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(opened, [table], settings, out) for _ in range(4)]
        runs = [one.result() for one in asked]

    assert planned == [1]
    assert len({run.plan for run in runs}) == 1
    assert [path.name for path in out.iterdir()] == ["_plan.json"]


@pytest.mark.forks
def test_a_file_system_without_locks_will_do(
    tmp_path: Path,
    table: Path,
    settings: ShardSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", refuse)

    run = opened([table], settings, tmp_path / "out")
    assert run_here(run, run.worker, 1, lambda *_: None)

    assert joined(tmp_path / "out") == plain([table], settings)


def test_a_run_that_has_written_nothing_is_forgotten(
    tmp_path: Path, table: Path, settings: ShardSettings
) -> None:
    out = tmp_path / "out"
    wrong = replace(settings, output=GenerateConfig(headline_column="content"))
    with pytest.raises(CorpusError, match="there is a column 'content' already"):
        run_all(opened([table], wrong, out))

    run_all(opened([table], settings, out))

    assert joined(out) == plain([table], settings)


def test_two_runs_that_begin_at_once_are_not_mixed(
    tmp_path: Path, table: Path, settings: ShardSettings
) -> None:
    out = tmp_path / "out"
    other = replace(settings, search=settings.search.changed({"beam_size": 3}))
    first = opened([table], settings, out)
    second = opened([table], other, out)
    worker = first.worker
    for job in first.left():
        worker.run(job)

    with pytest.raises(ClusterError, match="another run has begun there"):
        first.finish()

    assert second.left() == [*second.plan.jobs]  # those of the first do not count
    run_all(second)
    assert joined(out) == plain([table], other)


def test_a_folder_with_other_files_is_refused(
    tmp_path: Path, table: Path, settings: ShardSettings
) -> None:
    with pytest.raises(ClusterError, match=r"holds other files, such as a\.csv"):
        opened([table], settings, tmp_path)


def tree(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


# --- workers --------------------------------------------------------------------------


def test_a_worker_is_sent_without_its_model(
    tmp_path: Path, table: Path, settings: ShardSettings
) -> None:
    run = opened([table], settings, tmp_path / "out")
    worker = run.worker
    worker.load()

    sent = pickle.dumps(worker)
    jobs = [pickle.loads(pickle.dumps(job)) for job in run.left()]

    assert len(sent) < 3000 < len(pickle.dumps(worker.generator.engine))
    other = pickle.loads(sent)
    for job in jobs:
        other.run(job)
    run.finish()
    assert joined(tmp_path / "out") == plain([table], settings)


def test_the_parts_of_an_array_job_do_each_shard_once_and_the_last_one_finishes(
    tmp_path: Path, table: Path, settings: ShardSettings
) -> None:
    done: list[str] = []
    for number in (2, 0, 1):
        run = opened([table], settings, tmp_path / "out", 1)
        worker = run.worker
        part = Part.parse(f"{number}/3").of(run.left())
        assert 2 <= len(part) <= 3  # of 7
        for job in part:
            assert not run.is_complete()
            done.append(worker.run(job).name)
    assert run.is_complete()
    run.finish()
    assert sorted(done) == [job.name for job in run.plan.jobs]
    assert joined(tmp_path / "out") == plain([table], settings)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("8/8", "counted from 0, so the last one is 7/8"),
        ("1/1", "counted from 0, so the last one is 0/1"),
        ("0/0", "the last one is 0/1"),
        ("1", "written I/N, such as 0/8; got '1'"),
        ("-1/4", "written I/N"),
        ("/4", "written I/N"),
    ],
)
def test_a_part_that_is_not_there_is_refused(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        Part.parse(text)


def test_two_workers_may_run_the_same_shard_at_once(
    tmp_path: Path,
    table: Path,
    settings: ShardSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = opened([table], settings, tmp_path / "out")
    job, other = run.left()[0], run.worker
    before = write_headlines

    def meanwhile(*args: object) -> None:
        monkeypatch.setattr(shards, "write_headlines", before)
        other.run(job)
        before(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(shards, "write_headlines", meanwhile)
    run.worker.run(job)

    assert job not in run.left()
    run_all(run)
    assert joined(tmp_path / "out") == plain([table], settings)
    assert [*(tmp_path / "out").glob(".*")] == []


# --- what goes wrong ------------------------------------------------------------------


def test_the_end_of_a_run_removes_what_killed_workers_left(
    tmp_path: Path, table: Path, settings: ShardSettings
) -> None:
    out = tmp_path / "out"
    run = opened([table], settings, out)
    name = run.plan.jobs[1].name
    left = [out / f".{name}.abcdefgh", out / "_shards" / f".{name}.json.abcdefgh"]
    other = out / ".other.abcdefgh"

    def leave() -> None:
        for folder in (*left, other):
            folder.mkdir(parents=True, exist_ok=True)

    worker = run.worker
    for job in run.left():
        worker.run(job)
    leave()

    run.finish()

    assert not any(folder.exists() for folder in left) and other.exists()


class Spy(Generator):
    """Looks at the threads of NumPy's matrix products while it works."""

    threads: ClassVar[list[int]] = []

    def generate(self, *args: Any, **more: Any) -> list[list[Headline]]:
        self.threads.append(max(one.get_num_threads() for one in _libraries()))
        return super().generate(*args, **more)


def test_a_worker_uses_one_thread(
    tmp_path: Path, table: Path, settings: ShardSettings
) -> None:
    spy = Spy.load(settings.model_dir)
    with blas_threads(2):
        if not _libraries() or _libraries()[0].get_num_threads() < 2:
            pytest.skip("NumPy has one thread only")
    before = [one.get_num_threads() for one in _libraries()]
    for library in _libraries():
        library.set_num_threads(2)
    try:
        run_all(opened([table], settings, tmp_path / "out"), spy)
    finally:
        for library, number in zip(_libraries(), before, strict=True):
            library.set_num_threads(number)
    assert Spy.threads and set(Spy.threads) == {1}


class Crash(BaseException):
    """What a test ends a process with."""


@pytest.fixture
def crashing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int, bool], None]]:
    """A function: crash before or after the n-th renaming from now on."""
    replace_file = os.replace
    left = [0]

    def renaming(*args: object) -> None:
        left[0] -= 1
        is_now, is_after = left[0] == 0, left[1]
        if is_now and not is_after:
            raise Crash
        replace_file(*args)  # type: ignore[arg-type]
        if is_now:
            raise Crash

    def arm(number: int, after: bool) -> None:
        left[:] = [number, after]

    monkeypatch.setattr(os, "replace", renaming)
    yield arm
    monkeypatch.setattr(os, "replace", replace_file)


@pytest.mark.parametrize("after", [False, True])
def test_after_a_crash_at_any_renaming_the_rest_is_done_and_nothing_twice(
    tmp_path: Path,
    table: Path,
    settings: ShardSettings,
    crashing: Callable[[int, bool], None],
    after: bool,
) -> None:
    expected = plain([table], settings, COPYING)
    crashes = 0
    for number in range(1, 15):
        out = tmp_path / f"out{number}"
        crashing(number, after)
        try:
            run_all(opened([table], settings, out), COPYING)
        except Crash:
            crashes += 1
        crashing(-1, False)
        there = {path.name: path.stat().st_ino for path in out.glob("0*")}
        run = opened([table], settings, out)
        assert {*there} == {job.name for job in run.plan.jobs} - {
            job.name for job in run.left()
        }
        assert (out / SUCCESS).exists() <= (len(there) == len(run.plan.jobs))
        run_all(run, COPYING)
        assert joined(out) == expected
        now = {path.name: path.stat().st_ino for path in out.glob("0*")}
        assert now.items() >= there.items()  # the same files, not new ones
    # The plan, two renamings a shard, the manifest and the mark.
    assert crashes == 1 + 2 * 4 + 2


def test_a_model_that_changes_during_the_run_stops_it(
    tmp_path: Path, table: Path, own: ShardSettings
) -> None:
    run = opened([table], own, tmp_path / "out")
    worker = run.worker
    first, second, *_ = run.left()
    worker.run(first)
    model(own.model_dir, width=12)

    for other in (worker, run.worker):  # one that has the old model, and a new one
        with pytest.raises(ClusterError, match=r"the model .* changed during the run"):
            other.run(second)
    assert run.left()[0] == second
    model(own.model_dir)
    run_all(run)
    assert joined(tmp_path / "out") == plain([table], own)


def test_an_input_that_changes_during_the_run_stops_it(
    tmp_path: Path, table: Path, settings: ShardSettings
) -> None:
    run = opened([table], settings, tmp_path / "out")
    with table.open("a") as stream:
        stream.write("9,x\n")

    with pytest.raises(ClusterError, match=r"a\.csv changed since the run began"):
        run.worker.run(run.left()[0])

    table.unlink()
    with pytest.raises(CorpusError, match=r"a\.csv"):
        run.worker.run(run.left()[0])
    assert len(run.left()) == 4


@pytest.mark.parametrize("change", [{"rows": 1}, {"run": "x"}, {"size": 7}, None])
def test_a_run_whose_counts_do_not_add_up_is_not_finished(
    tmp_path: Path, table: Path, settings: ShardSettings, change: dict[str, Any] | None
) -> None:
    run = opened([table], settings, tmp_path / "out")
    worker = run.worker
    for job in run.left():
        worker.run(job)
    name = run.plan.jobs[2].name
    record = tmp_path / "out" / "_shards" / f"{name}.json"
    if change is None:
        record.write_bytes(b"{")
    else:
        record.write_text(json.dumps(json.loads(record.read_text()) | change))

    with pytest.raises(ClusterError, match=f"shard {name} ") as caught:
        run.finish()

    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out" / SUCCESS).exists()
    assert not (tmp_path / "out" / MANIFEST).exists()


def test_a_shard_is_tried_three_times(
    tmp_path: Path, table: Path, settings: ShardSettings
) -> None:
    run: ShardRun = opened([table], settings, tmp_path / "out")
    one, other, *_ = run.left()
    failures = Failures()

    for _ in range(MOST_FAILURES - 1):
        failures.add(one, WorkerError("killed"))
        failures.add(other, ValueError("a bug"))
    with pytest.raises(ClusterError, match=f"shard {one.name} failed 3 times.*killed"):
        failures.add(one, WorkerError("killed"))
    with pytest.raises(HeadlineError, match="cannot write out: No space left"):
        Failures().add(one, HeadlineError("cannot write out: No space left"))
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(OSError, match="No space left"):  # of the scratch of a store
        Failures().add(one, full)
