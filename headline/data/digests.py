"""A set of digests that takes little more memory than they do."""

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
