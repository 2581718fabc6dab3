"""The verbs of the command line, grouped by what a user is after; `jobs.cli` puts them together."""
