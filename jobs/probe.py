"""``joinery probe-3d``: what the features of a trained video tower know of space, beside three that know less."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from jobs.policy import declared
from jobs.probe_scenes import make_scene
from pipeline.errors import JoineryError
from trainer.eval.probe import Features, Probed, markdown, no_features, pixel_features, probe, tower_features
from trainer.inputs import Pretrained, inputs_to_ask
from trainer.model.wam import build
from trainer.trained import load_trained

RESULTS, TABLE = "probe.json", "probe.md"
_RANDOM_SEED = 1_000_000
"""Of the weights nobody has trained; far from any configuration's own."""


@dataclass(frozen=True)
class ProbeRequest:
    """What to probe, and on how many clips."""

    run: Path
    out: Path
    fit: int = 64
    choose: int = 16
    judge: int = 32
    sigma: float = 0.2
    """Noise the tower sees the clips with: it has never seen a clean one."""
    seed: int = 0
    pretrained: Pretrained = field(default_factory=Pretrained)
    """Folders of the frozen parts the model was trained with."""


def probe_3d(asked: ProbeRequest) -> dict[str, Any]:
    """Probe, and write ``probe.json`` and ``probe.md``. Raises JoineryError for what a user can mend."""
    torch.set_num_threads(1)
    try:
        trained = load_trained(asked.run)
        inputs = inputs_to_ask(trained.config, declared(asked.pretrained), torch.device("cpu"))
    except (ValueError, FileNotFoundError, ImportError) as error:
        raise JoineryError(str(error)) from error
    config = trained.config
    scenes = [make_scene(asked.seed, index, config.data) for index in range(asked.fit + asked.choose + asked.judge)]
    untrained = build(config.model, config.seed + _RANDOM_SEED).eval()
    kinds: dict[str, list[Features]] = {
        "trained tower": tower_features(trained.model, scenes, config, asked.sigma, inputs),
        "random weights": tower_features(untrained, scenes, config, asked.sigma, inputs),
        "raw pixels": [pixel_features(scenes, config.data.codec)],
        "mean of the place": [no_features(scenes)],
    }
    edges = (0, asked.fit, asked.fit + asked.choose, len(scenes))
    parts = [slice(first, last) for first, last in pairwise(edges)]
    rows: dict[str, Probed] = {}
    for name, by_block in kinds.items():
        fit, choose, judge = ((scenes[part], [features[part] for features in by_block]) for part in parts)
        rows[name] = probe(fit, choose, judge)
    results = {
        "config": config.name,
        "step": trained.step,
        "sigma": asked.sigma,
        "seed": asked.seed,
        "clips": {"fit": asked.fit, "choose": asked.choose, "judge": asked.judge},
        "features": {name: asdict(row) for name, row in rows.items()},
    }
    asked.out.mkdir(parents=True, exist_ok=True)
    (asked.out / RESULTS).write_text(json.dumps(results, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    (asked.out / TABLE).write_text(markdown(rows), encoding="utf-8")
    return results
