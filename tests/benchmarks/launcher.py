"""Runs a command and prints its seconds, peak memory and exit code as JSON.

A process of its own, and a small one: what a child process has at its peak counts the
memory of the process that it was started from.
"""

import json
import os
import sys
import time

KIBIBYTE = 1 if sys.platform == "darwin" else 1024  # what ru_maxrss counts, in bytes


def main(command: list[str]) -> None:
    """Runs the command with this process's stdin; what it prints goes nowhere."""
    quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    begin = time.perf_counter()
    process = os.posix_spawnp(command[0], command, os.environ, file_actions=quiet)
    _, status, usage = os.wait4(process, 0)
    found = {
        "seconds": time.perf_counter() - begin,
        "megabytes": usage.ru_maxrss * KIBIBYTE / 1e6,
        "exit_code": os.waitstatus_to_exitcode(status),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
