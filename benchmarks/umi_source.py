"""How recipes of the benchmarks name a data set of UMI recordings that `pipeline.synthetic` has made."""


def umi_source(folder: object, name: str) -> str:
    """An entry of a recipe's ``sources``: the LeRobot data set at ``folder``/``name``."""
    return f"""\
  - format: lerobot
    name: {name}
    path: {folder}/{name}
    kind: umi
    card: {{licence: CC0-1.0}}
    state:
      - arm: right
        position: {{column: observation.state, start: 0, stop: 3}}
        rotation: {{column: observation.state, start: 3, stop: 9, encoding: rot6d_rows}}
        opening: {{column: observation.state, start: 9, stop: 10, closed: 0, open: 0.08}}
"""


def umi_recipe(folder: object) -> str:
    """A recipe for the data set ``umi`` below ``folder``, with small clips, run in one process."""
    return (
        f"joinery: 1\nworkspace: {{url: {folder}/workspace}}\nsources:\n{umi_source(folder, 'umi')}"
        "clip: {short_side: 64}\nrun: {executor: inline}\n"
    )
