"""The model: its layers, wired for Keras."""
