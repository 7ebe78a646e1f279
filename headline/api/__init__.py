"""What ``import headline`` gives to Python programs."""
