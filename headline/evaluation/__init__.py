"""How good headlines are: metrics, their table and the predictions behind it."""
