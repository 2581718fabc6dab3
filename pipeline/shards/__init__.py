"""Shards: events as plain WebDataset tars, with manifest, statistics and data card, and the proof they are right."""
