"""Conversion of files with articles and headlines to a ``DATA_DIR``."""
