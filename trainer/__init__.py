"""Floor 4: the reference WALL-WM trainer. Imports only schemas and pipeline.loader."""
