"""A compact set is a set."""

from hypothesis import given
from hypothesis import strategies as st

from headline.data.duplicates import DigestSet

# Of few different bytes, so that many begin alike and lie across one another.
digests = st.lists(
    st.binary(min_size=8, max_size=8).map(lambda d: bytes(b % 2 for b in d))
)


@given(digests)
def test_each_digest_is_new_once(found: list[bytes]) -> None:
    compact, plain = DigestSet(), set[bytes]()
    for digest in found:
        assert compact.add(digest) == (digest not in plain)
        plain.add(digest)
