"""Exact duplicates: a digest of each row, in little more memory than it takes."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b

from headline.data.cleaning import Reason

DIGEST_BYTES = 8
PREFIX = 2  # bytes that say the bucket
SUFFIX = DIGEST_BYTES - PREFIX


class DigestSet:
    """Digests of eight bytes, in seven bytes each; a Python set takes ten times that.

    The digests that begin alike lie in one string of bytes, behind one another.
    """

    def __init__(self) -> None:
        self._buckets: dict[bytes, bytearray] = {}

    def add(self, digest: bytes) -> bool:
        """Puts a digest in; returns whether it is new."""
        prefix, suffix = digest[:PREFIX], digest[PREFIX:]
        bucket = self._buckets.get(prefix)
        if bucket is None:
            self._buckets[prefix] = bytearray(suffix)
            return True
        place = bucket.find(suffix)
        while place > 0 and place % SUFFIX:  # across two others
            place = bucket.find(suffix, place + 1)
        if place >= 0:
            return False
        bucket += suffix
        return True


def digest_of(texts: Sequence[str]) -> bytes:
    """Returns 64 bits: 100 million rows agree by chance once in 4,000 corpora."""
    # No normalised text holds a line end, so the joint is unambiguous.
    joined = "\n".join(texts).encode()
    return blake2b(joined, digest_size=DIGEST_BYTES).digest()


def with_duplicates(
    faults: Mapping[int, Reason], digests: Mapping[int, bytes], seen: DigestSet
) -> dict[int, Reason]:
    """Returns why rows give no pair, now that duplicates are known.

    Of exact duplicates, in whichever files, the first one stays; one that comes later
    is a duplicate, whatever else it is.

    Args:
        faults: why, by the places of the rows.
        digests: of the rows that can be duplicates, likewise.
        seen: the digests of all rows before, and then of these.
    """
    later = {row for row, digest in digests.items() if not seen.add(digest)}
    return {**faults, **dict.fromkeys(later, Reason.DUPLICATE)}
