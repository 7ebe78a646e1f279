"""What runs a model for the search: NumPy alone, or Keras on its device."""
