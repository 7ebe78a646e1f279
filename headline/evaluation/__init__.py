"""Evaluation of headlines: metrics, their table and the predictions behind it."""
