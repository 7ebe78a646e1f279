"""Runs a saved model with NumPy alone: no Keras, no TensorFlow, an instant start."""
