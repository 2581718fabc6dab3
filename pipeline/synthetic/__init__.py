"""Recordings that are made up, with ground truth that is exact: the demo corpus and the yardstick of the detectors.

A scripted hand (`script`) moves through a small physics of contact, holding and falling (`contact`); what happened is
read off that physics by the definitions of `schemas.event.BoundaryKind` (`truth`), never off the script. `trajectory`
puts one episode together, `scene` draws it, `lerobot_writer` and `video_folder` write the container formats the
readers of `pipeline.sources` open, and `corpus` makes a whole corpus: ``python -m pipeline.synthetic OUT``.
"""
