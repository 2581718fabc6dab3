"""Closed-loop evaluation: environments, rollouts, Task Progress and what it is worth."""
