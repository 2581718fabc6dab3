"""Tests of floor 1: records, their Arrow form, and the recipe."""
