"""Runs over shards: many articles in many processes, on one machine or on many."""
