"""Files of articles and headlines: their formats, encodings and columns."""
