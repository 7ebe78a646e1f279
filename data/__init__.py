"""The sample corpus and what makes it."""
