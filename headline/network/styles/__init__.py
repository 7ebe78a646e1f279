"""Headline styles: what they are, who judges them, and what the decoder knows."""
