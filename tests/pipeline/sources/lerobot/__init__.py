"""Specifications of ``pipeline.sources.lerobot``."""
