"""Specifications of ``pipeline.sources.ros``."""
