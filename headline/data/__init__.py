"""Files of articles and titles in, a ``DATA_DIR`` out."""
