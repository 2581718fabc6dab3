"""Tests of what makes a trained model cheap to ask (floor 4)."""
