"""Specifications of ``pipeline.sources.agibot``."""
