"""From cuts of any detector to a valid event tree: claims, frames, levels."""
