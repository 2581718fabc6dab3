"""What models are told: one text file per call, explained in ``annotators/vlm/prompt.py``."""
