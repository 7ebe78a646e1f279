"""What to do when native code ends the process with ``abort()``."""

import ctypes
import signal
from collections.abc import Callable

_kept: list[object] = []  # what native code calls must not be collected


def on_abort(leave: Callable[[], object]) -> None:
    """Calls ``leave`` when native code aborts the process; it must not return.

    A library such as JAX's ends the process by ``abort()`` if it loses its peers. The
    handlers of Python would run later, in the main thread, and there is no later. This
    one runs at once, in the thread that aborts. It must not wait for other threads.
    """
    kind = ctypes.CFUNCTYPE(None, ctypes.c_int)
    handler = kind(lambda number: leave())
    _kept.append(handler)
    set_handler = ctypes.CDLL(None).signal
    set_handler.argtypes = [ctypes.c_int, ctypes.c_void_p]
    set_handler.restype = ctypes.c_void_p
    set_handler(signal.SIGABRT, ctypes.cast(handler, ctypes.c_void_p))
