"""Targeted recovery: starts near a contact pose, a plan of them, and what happens from there (wall_wm.md §2.6)."""
