"""Specifications of ``pipeline.sources.umi``."""
