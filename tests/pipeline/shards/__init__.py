"""Tests of pipeline/shards."""
