"""Specifications of ``pipeline.sources.droid_raw``."""
