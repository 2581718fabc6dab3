"""Ray: started here or joined, and every node of it asked what it is and what it can see.

A node with other versions gives other bytes or none; one that sees other folders quarantines recordings that are fine.
All this would otherwise be found out hours into a run.
"""

from __future__ import annotations

import platform
import socket
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jobs.doctor.check import Check, broken, well
from jobs.doctor.codecs import encoded_clip
from jobs.doctor.installation import code_digest
from pipeline.blobs import is_local
from schemas.recipe import ExecutorName, Recipe

ANSWER_S = 120.0
_ASKED = ("python", "ray", "av", "pylance", "numpy")


@dataclass(frozen=True)
class Node:
    """What a node says of itself."""

    host: str
    versions: dict[str, str]
    code: str
    """Digest of Joinery's code."""
    clip: str
    """SHA-256 of the clip it encodes."""
    missing: tuple[str, ...]
    """Local folders of the recipe it does not see."""


def this_node(folders: Sequence[str]) -> Node:
    """Asked here and on every node."""
    versions = {name: version(name) for name in _ASKED if name != "python"} | {"python": platform.python_version()}
    missing = tuple(folder for folder in folders if not Path(folder).exists())
    return Node(socket.gethostname(), versions, code_digest(), encoded_clip(), missing)


def cluster(recipe: Recipe) -> Iterator[Check]:
    """Start or join Ray as the recipe's run would, and compare its nodes with this machine."""
    if recipe.run.executor is ExecutorName.INLINE:
        yield well("ray", "not used: run.executor is inline")
        return
    import ray  # noqa: PLC0415 - importing ray takes seconds

    from jobs.ray_executor import RayExecutor  # noqa: PLC0415

    address, folders = recipe.run.ray_address, _folders(recipe)
    with closing(RayExecutor(address, recipe.run.workers)):
        alive = [node for node in ray.nodes() if node["Alive"]]
        cores = int(ray.cluster_resources().get("CPU", 0))
        gpus = f", {int(n)} GPUs" if (n := ray.cluster_resources().get("GPU")) else ""
        where = f"joined at {address}" if address else "started here and stopped again"
        yield well("ray", f"{version('ray')} {where}: {len(alive)} nodes, {cores} cores{gpus}")
        here = this_node(folders)
        for node, answer in zip(alive, _answers(alive, folders), strict=True):
            yield _node(str(node["NodeManagerAddress"]), answer, here)


def _folders(recipe: Recipe) -> list[str]:
    paths = [source.path for source in recipe.sources]
    shared = [recipe.workspace.url] if recipe.run.ray_address and Path(recipe.workspace.url).exists() else []
    return [path for path in [*paths, *shared] if is_local(path)]


def _answers(nodes: Sequence[dict[str, Any]], folders: Sequence[str]) -> list[Node | str]:
    """What each node says, or why it says nothing."""
    import ray  # noqa: PLC0415
    from ray.exceptions import GetTimeoutError, RayError  # noqa: PLC0415
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy  # noqa: PLC0415

    ask = ray.remote(num_cpus=0, max_retries=0)(this_node)
    asked = [
        ask.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote(folders)
        for node in nodes
    ]
    found: list[Node | str] = []
    for answer in asked:
        try:
            found.append(ray.get(answer, timeout=ANSWER_S))
        except GetTimeoutError:
            found.append(f"no answer in {ANSWER_S:.0f} s")
        except RayError as error:
            found.append(str(error).strip().splitlines()[-1])
    return found


def _node(address: str, answer: Node | str, here: Node) -> Check:
    """One line per node: what differs from this machine."""
    if isinstance(answer, str):
        advice = "install this Joinery there, with the same constraints, or look at Ray's logs on that node"
        return broken(f"node {address}", answer, "an answer", advice)
    name = f"node {address}"
    theirs = ((part, found) for part, found in answer.versions.items() if found != here.versions[part])
    wrong = [f"{part} {found} (here {here.versions[part]})" for part, found in theirs]
    if answer.code != here.code:
        wrong.append(f"Joinery's code is {answer.code[:12]} (here {here.code[:12]})")
    if answer.clip != here.clip:
        wrong.append("it encodes a clip to other bytes")
    if wrong:
        advice = "install the same versions on every node: pip install --constraint constraints.txt"
        return broken(name, "; ".join(wrong), "the same as here", advice)
    if answer.missing:
        return broken(name, f"does not see {', '.join(answer.missing)}", "every source under the same path", "mount it")
    return well(name, f"{answer.host}: same Python, libraries and code, same clip to the byte, sees all sources")
