"""Few sizes, for a backend that compiles each shape of an array anew.

A compilation takes seconds and the padding hardly any time, on a device with room.
"""


def rung(size: int, least: int = 1) -> int:
    """Returns the least power of two, or one and a half of it, that holds a size.

    Args:
        least: of all that is returned, a power of two.
    """
    power = power_of_two(size, least)
    between = power // 4 * 3
    return between if least <= between and size <= between else power


def power_of_two(size: int, least: int = 1) -> int:
    """Returns the least power of two that holds a size.

    Args:
        least: of all that is returned, a power of two.
    """
    return max(least, 1 << (size - 1).bit_length())
