"""Training, from the first batch to the files in ``MODEL_DIR``."""
