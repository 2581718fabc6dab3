"""Tasks in simulators that a policy can be let loose in."""
