"""Beam search over an engine, and the rules that headlines must follow."""
