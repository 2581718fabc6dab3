"""Specifications of ``pipeline.sources.storage``."""
