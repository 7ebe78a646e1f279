"""Text: one spelling, numbers and Latin words, tokens and their ids."""
