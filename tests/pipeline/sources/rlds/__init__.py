"""Specifications of ``pipeline.sources.rlds``."""
