"""Errors that a user can cause; the command line prints each of them in one line.

A bug raises some other exception and keeps its traceback.
"""

import errno
import os
from collections.abc import Iterator
from signal import Signals

# Refusals of the operating system that any program may meet; never a bug of this one.
REFUSALS = {
    getattr(errno, name)
    for name in (
        "EACCES", "EDQUOT", "EFBIG", "EIO", "ELOOP", "ENAMETOOLONG", "ENOSPC", "EPERM",
        "EROFS",
    )
    if hasattr(errno, name)
}  # fmt: skip
FILES_USED_UP = (
    "too many open files: raise the limit, such as with `ulimit -n 1024`, "
    "or give fewer --workers"
)


class HeadlineError(Exception):
    """A problem that the user can fix; its text says what, where, and what to do."""


class ConfigError(HeadlineError):
    """A setting is unknown or out of its range.

    Args:
        setting: its name, if one setting is to blame.
    """

    def __init__(self, message: str, setting: str | None = None) -> None:
        super().__init__(message)
        self.setting = setting


class CorpusError(HeadlineError):
    """A corpus or article file cannot be read, or holds nothing that can be used."""


class DataError(HeadlineError):
    """A DATA_DIR is missing, damaged, or of another format version."""


class BundleError(HeadlineError):
    """A MODEL_DIR is missing, damaged, or of another format version."""


class TrainingError(HeadlineError):
    """Training cannot start or go on with these settings on this machine."""


class TrainingComplete(TrainingError):
    """The training that shall be resumed has come to its end."""


class Interrupted(HeadlineError):
    """A signal stopped a training, which has saved its progress.

    Args:
        signal: the signal that was received.
    """

    def __init__(self, signal: Signals) -> None:
        super().__init__(f"stopped by {signal.name}")
        self.exit_code = 128 + signal


class LockedError(HeadlineError):
    """Another process is writing the folder."""


class WorkerError(HeadlineError):
    """A worker process died before its work was done."""


class ClusterError(HeadlineError):
    """A run over shards cannot start, or cannot go on: trying again does not help."""


def refusal(error: BaseException) -> str | None:
    """Returns in one line what the operating system refused; None for other errors.

    The limit of open files may hide behind another error, such as a failed import or a
    file that seems damaged; so the causes of the error are searched too.
    """
    used_up = os.strerror(errno.EMFILE)
    if any(used_up in str(one) for one in _chain(error)):
        return FILES_USED_UP
    if isinstance(error, OSError) and error.errno in REFUSALS:
        place = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
        return f"{place}{error.strerror}"
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yields an error, then its causes."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
