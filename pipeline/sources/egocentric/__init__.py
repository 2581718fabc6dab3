"""People seen from their own heads: Ego4D, EPIC-KITCHENS, EgoDex, HOT3D, and logs of hand poses."""
