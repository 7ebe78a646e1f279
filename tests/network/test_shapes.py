"""Few sizes, none of them much larger than what it holds."""

from hypothesis import given
from hypothesis import strategies as st

from headline.network.shapes import power_of_two, rung

SIZES = st.integers(1, 5000)
LEAST = st.sampled_from([1, 32, 64])


@given(SIZES, LEAST)
def test_a_size_fits_and_little_of_it_is_room(size: int, least: int) -> None:
    for found, most in ((rung(size, least), 1.5), (power_of_two(size, least), 2)):
        assert size <= found and least <= found
        assert found == least or found < most * size
        assert rung(found, least) == found or power_of_two(found, least) == found


def test_there_are_two_sizes_in_each_octave() -> None:
    assert sorted({rung(size, 64) for size in range(1, 600)}) == [
        *(64, 96, 128, 192, 256, 384, 512, 768)
    ]
    assert {power_of_two(size) for size in range(1, 33)} == {1, 2, 4, 8, 16, 32}
