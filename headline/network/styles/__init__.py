"""Headline styles: what a style is, and how the decoder writes in it."""
