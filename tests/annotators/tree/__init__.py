"""Tests of claims, frames and levels."""
