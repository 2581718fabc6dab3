"""Shard sets in the layouts other libraries read: LeRobot v3, Energon, VLA Foundry (docs/export.md)."""
