"""DROID raw as its collection program left it: trajectory.h5, SVO-derived MP4s, metadata."""
