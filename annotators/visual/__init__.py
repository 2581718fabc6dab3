"""What pictures say where no action does: proposals, never truth (events.md, "Video-only detector")."""
