"""``python -m headline``."""

from headline.cli import main

if __name__ == "__main__":
    main(prog_name="headline")
