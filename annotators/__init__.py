"""Floor 3: boundary finders, captioners, the event tree and its validation. Opens no source format."""
