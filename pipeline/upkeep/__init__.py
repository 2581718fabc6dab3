"""Keeping a workspace for years: what no longer counts, copies of what does, and tables of earlier versions."""
