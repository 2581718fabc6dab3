"""Floor 1: frozen records, their Arrow schemas, and the recipe. Imports nothing of ours.

One concept per module; import the concept from its module (``from schemas.event import Event``),
so that a reader sees at every use where a noun is defined.
"""
