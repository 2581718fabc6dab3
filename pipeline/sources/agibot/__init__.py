"""AgiBot World as its tools write it."""
