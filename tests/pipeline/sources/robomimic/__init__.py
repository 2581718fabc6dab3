"""Specifications of ``pipeline.sources.robomimic``."""
