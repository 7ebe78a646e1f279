"""What several tests need: tiny models, tiny corpora, the command line."""

import os

# Before NumPy and TensorFlow are imported: one thread, and no notes on stderr.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
