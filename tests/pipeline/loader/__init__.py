"""Tests of pipeline/loader."""
