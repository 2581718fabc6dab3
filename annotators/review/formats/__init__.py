"""What other tools call an annotation, to and from events: one file per format (docs/review.md, "Formats")."""
