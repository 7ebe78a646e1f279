"""A training, from the first batch to what ``MODEL_DIR`` keeps."""
