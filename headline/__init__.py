"""Chinese headlines from article text: prepare, train, evaluate, generate."""

__version__ = "0.1.0"
