"""What happens to a file on a bad disk."""

from collections.abc import Iterator
from pathlib import Path


def damages(path: Path) -> Iterator[bool]:
    """Flips a bit of a file, cuts it off, takes it away; in the end it is whole again.

    Yields, with each damage in place, whether something is left of the file.
    """
    content = path.read_bytes()
    middle = len(content) // 2
    flipped = bytes([content[middle] ^ 1])
    for left in (content[:middle] + flipped + content[middle + 1 :], content[:-1]):
        path.write_bytes(left)
        yield True
    path.unlink()
    yield False
    path.write_bytes(content)
