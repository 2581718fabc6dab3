"""Compiling load plans: draws → windows → packs → steps, ahead of time (docs/load_plan.md)."""
