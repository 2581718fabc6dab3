"""Tests of the boundary finders, the event tree and the captions."""
