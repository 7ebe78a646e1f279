"""From articles to headlines."""
