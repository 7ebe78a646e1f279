"""Optional packages, which are imported only when they are needed."""

from importlib import import_module
from typing import Any

from headline.errors import HeadlineError


def optional(module: str, extra: str, need: str) -> Any:
    """Imports a module of an optional package.

    Args:
        extra: the extra of this package that installs it.
        need: what needs it, for the message.

    Raises:
        HeadlineError: it is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != package:
            raise  # the package is there, but broken
        raise HeadlineError(
            f"{need} needs the package {package}: pip install 'headline[{extra}]'"
        ) from error
