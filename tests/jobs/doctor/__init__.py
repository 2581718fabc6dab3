"""Tests of what `joinery doctor` looks at."""
