"""SIGKILL of actors: processes that hold a model (`embed` with OpenCLIP weights), as often as three times in a run."""

import random
import time
from pathlib import Path

import torch

from benchmarks.faults.cluster import kill
from benchmarks.faults.ground import Ground, Happened, last_lines
from clustering.encoders import encoder_of
from schemas.recipe import OpenClipEncoder

MODEL = "ViT-S-32-alt"
MOST_KILLS = 3
LOOK_S = 60.0
"""A pool of actors takes its time to come up, and a killed actor to come back."""
ACTOR = "ray::BatchActor"


def trial(ground: Ground, rng: random.Random) -> Happened:
    """An actor is killed some time after it is there, whether it loads its weights, computes or waits."""
    begun, weights = ground.kept("actor", lambda: (_begun(ground), _weights(ground.new_folder() / "weights.pt")))
    spec = f"{{encoder: open_clip, model: {MODEL}, checkpoint: {weights}, device: cpu, batch: 8}}"
    overrides = (f"embed.vision_language={spec}",)
    ground.measured(overrides, begun)
    place, cluster = ground.place(*overrides, begin_from=begun), ground.cluster
    run, did = ground.start(place), []
    for _ in range(rng.randint(1, MOST_KILLS)):
        deadline = time.monotonic() + LOOK_S
        while not (actors := cluster.workers(ACTOR)) and time.monotonic() < deadline and run.process.poll() is None:
            time.sleep(0.1)
        time.sleep(rng.uniform(0.0, 3.0))
        alive = [(node, process) for node, process in actors if process.is_running()]
        if run.process.poll() is None and alive:
            node, victim = rng.choice(alive)
            if kill(victim):
                did.append(f"on {node.name}")
    status = run.end()
    said = last_lines(run.said) if status else ""
    did_what = f"SIGKILL actor {'; '.join(did)}"
    return Happened(place, "embed", did_what, len(did), ground.finish(place, status), (0,), said)


def _begun(ground: Ground) -> Path:
    """A workspace with everything done that `embed` needs."""
    place = ground.place()
    status = ground.start(place, inline=True).end()
    assert status == 0
    return place.workspace


def _weights(file: Path) -> Path:
    encoder = encoder_of(OpenClipEncoder(encoder="open_clip", model=MODEL, seed=1, device="cpu"))
    torch.save(encoder._model.state_dict(), file)  # type: ignore[attr-defined]  # the protocol hides it
    return file
