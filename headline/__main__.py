"""``python -m headline``, and the command ``headline``: where the program begins."""

import sys
from signal import SIGINT

from headline.errors import refusal


def main() -> None:
    """Runs the command line; a failure to load it is also reported in one line."""
    try:
        from headline.cli.main import main as command
    except KeyboardInterrupt:
        sys.exit(128 + SIGINT)
    except (ImportError, OSError) as error:
        if refused := refusal(error):
            sys.exit(f"Error: {refused}")
        raise
    command(prog_name="headline")


if __name__ == "__main__":
    main()
