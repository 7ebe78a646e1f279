"""Engines, which run a model for the search: NumPy alone, or Keras on its device."""
