"""The Python API, available after ``import headline``."""
