"""What a user can cause: every kind of error that the command line prints in one line.

A bug is none of these and keeps its traceback.
"""

from signal import Signals


class HeadlineError(Exception):
    """A problem that the user can mend; its text says what, where, and the way out."""


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


class Interrupted(HeadlineError):
    """A signal asked a training to stop; what it has done is kept.

    Args:
        signal: which.
    """

    def __init__(self, signal: Signals) -> None:
        super().__init__(f"stopped by {signal.name}")
        self.exit_code = 128 + signal


class LockedError(HeadlineError):
    """Another process writes the folder."""


class WorkerError(HeadlineError):
    """A worker process ended before its work did."""
