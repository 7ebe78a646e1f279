"""Rounds sizes up, so that a backend has few array shapes to compile.

Compiling a shape takes seconds; padding takes hardly any time on a device with memory
to spare.
"""


def rung(size: int, least: int = 1) -> int:
    """Rounds a size up to the next power of two, or 1.5 times a power of two.

    Args:
        least: the smallest value that is returned, a power of two.
    """
    power = power_of_two(size, least)
    between = power // 4 * 3
    return between if least <= between and size <= between else power


def power_of_two(size: int, least: int = 1) -> int:
    """Rounds a size up to the next power of two.

    Args:
        least: the smallest value that is returned, a power of two.
    """
    return max(least, 1 << (size - 1).bit_length())
