"""``prepare`` in shares: the same bytes as one process, whatever dies on the way."""

import errno
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

import headline.system.files as files_of_system
from headline.cluster.local import Part
from headline.cluster.preparing import How, of_part, run_share
from headline.data.job import Job
from headline.data.parts import blocks, joining
from headline.data.parts.folder import JOIN, PLAN, Work
from headline.data.parts.passes import PASSES, passes_of
from headline.data.prepare import prepare
from headline.data.store import DATA, UNPAIRED, open_dataset
from headline.errors import (
    ClusterError,
    ConfigError,
    CorpusError,
    DataError,
    HeadlineError,
)
from headline.formats.tables import CorpusFormat
from headline.settings.clean import CleanConfig
from headline.settings.prepare import PrepareConfig
from tests.corpora import write_pairs
from tests.data.dirty_jobs import dirty_job, dirty_pairs
from tests.data.test_prepare import files, mixed_job

HERE = How()
WHOLE = Part(0, 1)


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves out what only a crash of the machine would show, for it takes long."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def in_shares(work: Work, count: int) -> int:
    """Runs all shares one after another until all is done; returns how often."""
    for rounds in range(1, 3 * len(PASSES)):
        done = [run_share(work, Part(number, count), HERE) for number in range(count)]
        if done[-1]:
            return rounds
    raise AssertionError("it never ends")


def prepared(job: Job) -> dict[str, bytes]:
    """Returns the files of the dataset that one process makes."""
    prepare(job)
    return files(job.data_dir)


# --- equal bytes ----------------------------------------------------------------------


@pytest.mark.parametrize("tokenizer", ["char", "word"])
def test_any_number_of_shares_gives_the_bytes_of_one_process(
    tmp_path: Path, tokenizer: str
) -> None:
    mixed = mixed_job(tmp_path, tokenizer)
    expected = prepared(mixed)
    assert {f"{UNPAIRED}.source.npy", DATA} <= expected.keys()

    for shares in (1, 2, 3, 7):
        work = Work(replace(mixed, data_dir=tmp_path / f"of {shares}"), rows=25)
        in_shares(work, shares)
        assert files(work.job.data_dir) == expected


@pytest.mark.parametrize(
    "cleaning",
    [
        CleanConfig(),
        CleanConfig(keep_near_duplicates=True, max_repeats=0, min_overlap=0.3),
        CleanConfig(clean=False),
    ],
    ids=["clean", "other settings", "no-clean"],
)
def test_shares_clean_as_one_process_does(
    tmp_path: Path, cleaning: CleanConfig
) -> None:
    job = dirty_job(tmp_path, 250, cleaning=cleaning)
    expected = prepared(job)

    for shares, rows in ((1, 10_000), (2, 150), (3, 50), (7, 60)):
        work = Work(replace(job, data_dir=tmp_path / f"of {shares}"), rows=rows)
        in_shares(work, shares)
        assert files(work.job.data_dir) == expected


def test_the_dirty_corpus_has_what_must_be_compared_among_parts(tmp_path: Path) -> None:
    summary = prepare(dirty_job(tmp_path))

    rejects = summary["rejects"]
    assert rejects["duplicate"] >= 20 and rejects["near-duplicate"] >= 20
    assert rejects["headline of many articles"] >= 5
    near = summary["cleaning"]["near_duplicates"]
    assert near["train"] and near[UNPAIRED] and near["examples"]
    assert summary["cleaning"]["affixes"] and summary["cleaning"]["openings"]


def test_processes_of_a_share_change_no_byte(tmp_path: Path) -> None:
    job = dirty_job(tmp_path, 150)
    expected = prepared(job)

    work = Work(replace(job, data_dir=tmp_path / "data"), rows=40)
    assert run_share(work, WHOLE, replace(HERE, workers=2))

    assert files(work.job.data_dir) == expected


def test_records_of_many_lines_are_not_cut(tmp_path: Path) -> None:
    texts = [
        f"第{n}条新闻的正文\n有好几行，" + "还有逗号\n" * (n % 5) for n in range(90)
    ]
    path = tmp_path / "lines.csv"
    rows = "".join(f'"第{n}条""标题""","{text}"\n' for n, text in enumerate(texts))
    path.write_text(f"title,content\n{rows}", encoding="utf-8")
    job = replace(
        dirty_job(tmp_path, 20),
        files=[path],
        unpaired=(),
        config=PrepareConfig(min_count=1, valid_size=0.1, test_size=0.1),
        cleaning=CleanConfig(clean=False),
    )
    expected = prepared(job)

    work = Work(replace(job, data_dir=tmp_path / "data"), rows=7)
    assert in_shares(work, 3) > 1 and files(work.job.data_dir) == expected


# --- what dies, and what is done twice ------------------------------------------------


def _die_at(work: Work, share: Part, number: int) -> None:
    """Runs a share in a process that is killed while it writes its nth file."""
    finish, written = blocks.BlockWriter.finish, []

    def finish_or_die(self: Any, about: Any) -> None:
        written.append(about)
        if len(written) == number:
            self.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        finish(self, about)

    blocks.BlockWriter.finish = finish_or_die  # type: ignore[method-assign]
    run_share(work, share, HERE)


def _run(work: Work, share: Part, stall: float = 20.0) -> None:
    run_share(work, share, replace(HERE, stall=stall))


def process(target: Any, *arguments: Any) -> Any:
    started = get_context("spawn").Process(target=target, args=arguments)
    started.start()
    return started


def finished_tasks(work: Work) -> dict[str, int]:
    """Returns when each finished task was written."""
    if not work.done(PLAN):
        return {}
    return {
        f"{one.name}/{task}": work.path(one.name, task).stat().st_mtime_ns
        for one in passes_of(work)
        for task in work.done(one.name)
    }


def test_killed_shares_go_on_and_repeat_nothing(tmp_path: Path) -> None:
    job = dirty_job(tmp_path, 150)
    expected = prepared(job)
    work = Work(replace(job, data_dir=tmp_path / "data"), rows=60)

    before: dict[str, int] = {}
    for number in (3, 6, 1, 9, 4):
        killed = process(_die_at, work, WHOLE, number)
        killed.join(60)
        assert killed.exitcode == -signal.SIGKILL
        now = finished_tasks(work)
        assert before.items() <= now.items()
        assert len(now) >= len(before) + number - 1
        before = now
    assert run_share(work, WHOLE, HERE)

    assert files(work.job.data_dir) == expected


@pytest.mark.parametrize("is_there", [True, False])
def test_kill_while_the_dataset_is_put_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_there: bool
) -> None:
    job = dirty_job(tmp_path, 100)
    expected = prepared(job)
    work = Work(replace(job, data_dir=tmp_path / "data"), rows=60)
    write_json = files_of_system.write_json

    def die(path: Path, value: Any) -> None:
        if (path == work.path(JOIN)) is is_there:
            raise KeyboardInterrupt  # as a kill, it leaves what is there
        write_json(path, value)

    monkeypatch.setattr(joining, "write_json", die)
    with pytest.raises(KeyboardInterrupt):
        run_share(work, WHOLE, HERE)
    monkeypatch.undo()
    assert (work.job.data_dir / DATA).exists() is is_there

    assert run_share(work, WHOLE, HERE)
    assert files(work.job.data_dir) == expected


def _run_in_two(work: Work, begun: Any) -> None:
    begun.set()
    run_share(work, WHOLE, How(workers=2))


@pytest.mark.slow
def test_kills_at_random_moments_lose_and_repeat_nothing(tmp_path: Path) -> None:
    job = dirty_job(tmp_path, 700)
    expected = prepared(job)
    rng = random.Random()
    work = Work(replace(job, data_dir=tmp_path / "data"), rows=40)

    before = finished_tasks(work)
    for _ in range(12):
        begun = get_context("spawn").Event()
        running = process(_run_in_two, work, begun)
        assert begun.wait(120)
        running.join(rng.uniform(0, 2))
        running.kill()
        running.join()
        now = {} if work.was_joined else finished_tasks(work)
        assert work.was_joined or before.items() <= now.items()
        before = now
    assert run_share(work, WHOLE, HERE)

    assert files(work.job.data_dir) == expected


def test_shares_side_by_side_wait_for_each_other(tmp_path: Path) -> None:
    job = dirty_job(tmp_path, 150)
    expected = prepared(job)
    work = Work(replace(job, data_dir=tmp_path / "data"), rows=60)

    # Two of them do the same: what is done twice is lost by nobody.
    shares = [Part(0, 2), Part(1, 2), Part(1, 2)]
    started = [process(_run, work, share) for share in shares]
    for one in started:
        one.join(90)

    assert [one.exitcode for one in started] == [0, 0, 0]
    assert files(work.job.data_dir) == expected


def test_script_for_slurm_runs_as_it_stands(tmp_path: Path) -> None:
    """Two tasks at the same time, as two of its 64."""
    root = Path(__file__).parents[2]
    page = (root / "headline" / "cluster" / "preparing.md").read_text("utf-8")
    (script,) = re.findall(r"```sh\n(#!/bin/bash\n.*?)```", page, re.DOTALL)
    (tmp_path / "archive").mkdir()
    for name in ("1.csv", "2.csv"):
        write_pairs(tmp_path / "archive" / name, [(b, a) for a, b in dirty_pairs(80)])
    (tmp_path / "headline").write_text(f'exec {sys.executable} -m headline "$@"\n')
    (tmp_path / "headline").chmod(0o755)
    path = os.pathsep.join([str(tmp_path), os.environ["PATH"]])
    tasks = [
        subprocess.Popen(
            ["bash", "-ec", script.replace("/64", "/2")],
            cwd=tmp_path,
            env=os.environ
            | {"PATH": path, "PYTHONPATH": str(root), "SLURM_ARRAY_TASK_ID": number},
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in "01"
    ]

    told = [task.communicate(timeout=120)[0] for task in tasks]

    assert [task.returncode for task in tasks] == [0, 0]
    assert told == ["prepared/archive\n"] * 2
    assert open_dataset(tmp_path / "prepared" / "archive").splits["train"]


def test_finished_preparation_is_not_begun_again(tmp_path: Path) -> None:
    job = dirty_job(tmp_path, 60)
    work = Work(replace(job, data_dir=tmp_path / "data"), rows=60)
    assert run_share(work, WHOLE, HERE)
    before = (work.job.data_dir / DATA).stat().st_mtime_ns

    assert run_share(Work(work.job, rows=60), Part(1, 4), HERE)

    assert (work.job.data_dir / DATA).stat().st_mtime_ns == before
    assert {path.name for path in work.folder.iterdir()} == {"begun.json", JOIN}


@pytest.mark.parametrize("replaced", [True, False])
def test_finished_dataset_that_is_gone_is_not_taken_for_complete(
    tmp_path: Path, replaced: bool
) -> None:
    job = dirty_job(tmp_path, 60)
    work = Work(replace(job, data_dir=tmp_path / "data", overwrite=True), rows=60)
    assert run_share(work, WHOLE, HERE)
    shutil.rmtree(work.job.data_dir)
    if replaced:
        prepare(replace(work.job, config=PrepareConfig(min_count=1)))

    with pytest.raises(DataError, match=r"no longer in .*data: remove it"):
        run_share(Work(work.job, rows=60), WHOLE, HERE)


# --- what is refused ------------------------------------------------------------------


@pytest.fixture
def begun(tmp_path: Path) -> Iterator[Work]:
    """A preparation whose first share has done what it can."""
    job = dirty_job(tmp_path, 60)
    work = Work(replace(job, data_dir=tmp_path / "data"), rows=60)
    assert not run_share(work, Part(0, 2), HERE)
    yield Work(work.job, rows=60)


def refusal(work: Work) -> str:
    with pytest.raises(ClusterError) as error:
        run_share(work, WHOLE, HERE)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_changed_input_is_refused(begun: Work) -> None:
    path = begun.job.files[1]
    with path.open("a", encoding="utf-8") as stream:
        stream.write("标题,正文\n")

    assert f"another {path}, which has changed since" in refusal(begun)


def test_input_that_changes_during_a_pass_is_refused(
    begun: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = begun.job.files[0]
    monkeypatch.setattr(Work, "begin", lambda self: None)
    os.utime(path, (0, 0))

    assert f"{path} changed since" in refusal(begun)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"config": PrepareConfig(min_count=7)}, "min-count 2, not 7"),
        ({"cleaning": CleanConfig(clean=False)}, "clean True, not False"),
        ({"unpaired": ()}, "other files: "),
    ],
)
def test_changed_settings_are_refused(
    begun: Work, change: dict[str, Any], named: str
) -> None:
    assert named in refusal(Work(replace(begun.job, **change), rows=60))


def test_share_that_waits_in_vain_says_for_whom(begun: Work) -> None:
    with pytest.raises(ClusterError) as error:
        run_share(begun, Part(2, 3), replace(HERE, stall=0.1))

    assert "pass plan lacks " in str(error.value)
    assert "of --shard 1/3" in str(error.value)


def test_share_that_does_not_wait_tells_what_is_missing(begun: Work) -> None:
    told: list[str] = []

    assert not run_share(begun, Part(0, 2), replace(HERE, tell=told.append))

    (line,) = told
    assert line.startswith("pass plan lacks 1 of 3 tasks, of --shard 1/2")


@pytest.mark.parametrize(
    "text", ["1", "1/", "a/2", "2/2", "3/2", "0/0", "-1/2", "1/2/3"]
)
def test_wrong_share_is_refused(text: str) -> None:
    with pytest.raises(ConfigError) as error:
        Part.parse(text)

    assert error.value.setting == "shard"


def test_each_task_is_in_one_share() -> None:
    tasks = [*range(3, 40)]
    shares = [of_part(Part(number, 7), tasks) for number in range(7)]

    assert sorted(task for share in shares for task in share) == tasks
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_dataset_that_is_there_is_replaced_only_when_told_to(tmp_path: Path) -> None:
    job = dirty_job(tmp_path, 60)
    expected = prepared(job)
    with pytest.raises(DataError, match="--overwrite"):
        run_share(Work(job, rows=60), WHOLE, HERE)
    assert not finished_tasks(Work(job, rows=60))  # refused before any work
    shutil.rmtree(job.data_dir)
    prepare(replace(job, config=PrepareConfig(min_count=1), unpaired=()))

    assert run_share(Work(replace(job, overwrite=True), rows=60), WHOLE, HERE)

    assert files(job.data_dir) == expected


def test_corpus_without_a_usable_pair_is_refused(tmp_path: Path) -> None:
    job = replace(dirty_job(tmp_path, 20), unpaired=())
    for path in job.files:
        path.write_text("title,content\n短,短\n", encoding="utf-8")

    with pytest.raises(CorpusError) as single:
        prepare(job)
    with pytest.raises(CorpusError) as shared:
        run_share(Work(job), WHOLE, HERE)

    assert str(shared.value) == str(single.value)


def test_full_disk_is_one_line_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = dirty_job(tmp_path, 60)
    expected = prepared(job)
    work = Work(replace(job, data_dir=tmp_path / "data"), rows=60)
    flush, written = blocks.BlockWriter.flush, []

    def full(self: Any) -> None:
        written.append(self)
        if len(written) > 9:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        flush(self)

    monkeypatch.setattr(blocks.BlockWriter, "flush", full)
    with pytest.raises(HeadlineError, match=r"cannot write .*: No space left"):
        run_share(work, WHOLE, HERE)
    monkeypatch.setattr(blocks.BlockWriter, "flush", flush)
    before = finished_tasks(work)
    scratch = [path for path in work.folder.rglob(".*") if path.is_dir()]
    assert before and not scratch

    assert run_share(work, WHOLE, HERE)
    assert files(work.job.data_dir) == expected


def test_strict_stops_at_the_row_at_which_one_process_stops(tmp_path: Path) -> None:
    job = dirty_job(tmp_path, 60, format=CorpusFormat(strict=True))
    with job.files[1].open("ab") as stream:
        stream.write("标题,正文\xff,多\n".encode("latin-1", "replace"))

    with pytest.raises(CorpusError) as single:
        prepare(job)
    with pytest.raises(CorpusError) as shared:
        run_share(Work(job, rows=20), WHOLE, HERE)

    assert str(shared.value) == str(single.value)
    assert "without --strict" in str(shared.value)


def test_unreadable_rows_are_listed_and_not_told_again_and_again(
    tmp_path: Path,
) -> None:
    told: list[str] = []
    form = CorpusFormat(delimiter="tab", tell=told.append, note=told.append)
    job = dirty_job(tmp_path, 60, format=form, unpaired=())
    for path in job.files:
        text = path.read_text("utf-8").replace(",", "\t")
        path.write_text(f"{text}一\t二\t三\n", "utf-8")
    prepare(job)
    assert len(told) >= 2
    told.clear()

    work = Work(replace(job, data_dir=tmp_path / "data"), rows=60)
    assert run_share(work, WHOLE, HERE) and not told

    assert files(work.job.data_dir) == files(job.data_dir)


def test_damaged_file_of_a_task_is_named(begun: Work) -> None:
    run_share(begun, Part(1, 2), HERE)
    run_share(begun, Part(0, 2), HERE)
    path = begun.path("count", 0)
    path.write_bytes(path.read_bytes()[:-3])

    with pytest.raises(DataError, match="remove the file"):
        in_shares(Work(begun.job, rows=60), 2)
