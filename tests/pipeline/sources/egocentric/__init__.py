"""Specifications of ``pipeline.sources.egocentric``."""
