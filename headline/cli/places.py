"""Checks that a command does not write over files that it reads.

The files of a model count as read; other files in its folder do not.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from headline.bundle import model_files
from headline.errors import HeadlineError
from headline.settings.presets import Run
from headline.settings.styles import StylesRun
from headline.system.compression import named_compression
from headline.system.outputs import (
    STDOUT,
    check_output,
    check_outputs,
    descriptor_of,
    is_stdout,
    same_file,
)
from headline.system.storage import matching

MODEL = "a file of the model"
STDIN = Path("-")


def check_preparation(data_dir: Path, files: Sequence[Path]) -> None:
    """Refuses to prepare a dataset from files that lie in its own folder.

    Raises:
        HeadlineError: a file is in that folder.
    """
    for path in files:
        folders = [path.parent, path.resolve().parent, *[path] * path.is_dir()]
        check_outputs({"-o": data_dir}, {f"the folder of {path}": folders})


def check_training(run: Run, find_lr: bool) -> None:
    """Refuses to train into a folder that the training reads.

    Args:
        find_lr: no model is written, only a page beside that of ``--init-from``.

    Raises:
        HeadlineError: the folder is the dataset or the model to start from.
    """
    data, start = {"DATA_DIR": [run.data_dir]}, {"--init-from": run.init_from}
    bases = {name: [folder] for name, folder in start.items() if folder is not None}
    check_outputs({"MODEL_DIR": run.model_dir}, data if find_lr else data | bases)
    check_outputs({"--tensorboard": run.tensorboard}, data | bases)


def check_styles(run: StylesRun) -> None:
    """Refuses to write styles into the dataset that they are found in.

    Raises:
        HeadlineError: the folder of the model is that of the dataset.
    """
    check_outputs({"MODEL_DIR": run.model_dir}, {"DATA_DIR": [run.data_dir]})


def check_calibration(model_dir: Path, data_dir: Path) -> None:
    """Refuses to write a confidence into the dataset that it is fitted on.

    Raises:
        HeadlineError: the folder of the model is that of the dataset.
    """
    check_outputs({"MODEL_DIR": model_dir}, {"DATA_DIR": [data_dir]})


def check_log(log: Path, places: Iterable[Path]) -> None:
    """Refuses a log that would overwrite a file that the command reads or writes.

    Args:
        places: files and folders; a folder means all its files of a dataset or model.

    Raises:
        HeadlineError: it would overwrite such a file, or cannot be written.
    """
    from headline.data.store import dataset_files  # only needed by this check

    check_output(log)
    if is_stdout(log):
        raise HeadlineError(f"--log-file {log} is stdout, which carries the result")
    taken = [
        file
        for path in places
        for file in (path, *model_files(path), *dataset_files(path))
    ]
    kept = {"a file of this command": taken}
    check_outputs({"stdout": STDOUT, "--log-file": log}, kept)


def check_evaluation(
    output: Path | None, model_dir: Path, file: Path, other: Path | None
) -> None:
    """Refuses an output that would overwrite what ``evaluate`` reads or prints.

    Raises:
        HeadlineError: it would overwrite such a file, or cannot be written.
    """
    if output is None:
        return
    check_output(output)
    others = [] if other is None else [other, *model_files(other)]
    printed = {} if is_stdout(output) else {"stdout": STDOUT}
    read = {MODEL: model_files(model_dir), "an input": [file, *others]}
    check_outputs({"-o": output, **printed}, read)


def check_generation(
    output: Path, page: Path | None, model_dir: Path, files: Sequence[Path]
) -> None:
    """Refuses headlines or a page that would overwrite each other or an input.

    Args:
        files: the input files; empty means stdin.

    Raises:
        HeadlineError: they would overwrite such a file, or cannot be written.
    """
    from headline.formats.registry import check_output_name  # loads all formats

    for path in (output, page):
        if path is not None:
            check_output(path)
    kept = files or [Path("/dev/stdin")]
    read = {
        MODEL: model_files(model_dir),
        "an input": [] if rewrites(files, output) else kept,
    }
    name = "stdout" if output == STDOUT else "-o"
    check_outputs({name: output, "--explain": page}, read)
    _check_not_within({name: output, "--explain": page}, files)
    check_output_name(files, output)


def check_shards(output_dir: Path, model_dir: Path, files: Sequence[Path]) -> None:
    """Refuses a folder of shards that is read, or lies in one that is read.

    Raises:
        HeadlineError: it is such a folder.
    """
    folders = [file.parent for file in files] + [*filter(Path.is_dir, files)]
    read = {"the model": [model_dir], "the folder of an input": folders}
    check_outputs({"--output-dir": output_dir}, read)
    _check_not_within({"--output-dir": output_dir}, files)


def _check_not_within(
    outputs: Mapping[str, Path | None], files: Iterable[Path]
) -> None:
    """Refuses outputs in a folder that is read as one corpus.

    Raises:
        HeadlineError: an output lies in such a folder.
    """
    for folder in filter(Path.is_dir, files):
        for name, path in outputs.items():
            if path is None or path == STDOUT:
                continue
            if folder.resolve() in path.resolve().parents:
                raise HeadlineError(
                    f"{name} {path} lies in {folder}, which is read: "
                    "choose another folder"
                )


def sources(files: Sequence[Path]) -> Sequence[Path]:
    """Returns the files to read; empty for stdin, which ``-`` means.

    Raises:
        HeadlineError: stdin is given together with other files, or there is no file
            that a pattern means.
    """
    files = [found for file in files for found in matching(file)]
    if STDIN not in files:
        return files
    if len(files) > 1:
        raise HeadlineError(f"{STDIN} is stdin, and goes with no other FILES")
    return ()


def rewrites(files: Sequence[Path], output: Path) -> bool:
    """Tells whether the output replaces the only input, a table."""
    from headline.formats.registry import is_text  # loads all formats

    if len(files) != 1 or output == STDOUT or descriptor_of(output) is not None:
        return False
    is_plain = not is_text(files[0]) and named_compression(files[0]) is None
    return is_plain and same_file(files[0], output)


def refusing_rows(line: str) -> None:
    """Stops at an unreadable row, because replacing its file would lose the row.

    Args:
        line: the message about the row.

    Raises:
        HeadlineError: always.
    """
    raise HeadlineError(
        f"{line}; this row would be lost if its file is replaced: give -o another file"
    )
