"""Beam search over an engine, and what a headline may hold."""
