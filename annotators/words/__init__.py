"""Captions from templates, kinematics and the instruction: no model, and no claim the signals do not bear out."""
