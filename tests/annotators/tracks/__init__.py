"""Tests of what people and sources say."""
