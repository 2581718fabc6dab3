"""Orders of draws as other packages make them, each in its own environment, for `benchmarks.mixture`."""
