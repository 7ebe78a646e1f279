"""Support: whether a headline could have been made from its article.

A model that saw the same headline above many articles, such as the name of a site,
knows it by heart. Such a headline is likely as a whole whatever the article says, so a
wide beam finds it, and then finds variants that agree with it. This is one of the kinds
of copy noise that make wide beams worse (Ott et al. 2018, "Analyzing Uncertainty in
Neural Machine Translation", sec. 6).
"""

# The least share of the characters of a headline that its article has. Models of clean
# corpora hardly ever write less: see headline/generation/README.md.
SUPPORT = 0.4


def is_supported(headline: str, article: str) -> bool:
    """Returns whether the article has enough characters of the headline.

    Spaces and punctuation do not count. A headline of nothing else is supported.
    """
    letters = [character for character in headline if character.isalnum()]
    # A search in the text is faster than a set of it: most headlines are in its start.
    found = sum(letter in article for letter in letters)
    return found >= SUPPORT * len(letters)
