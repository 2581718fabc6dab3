"""``joinery evaluate-video``: what a model imagines of held-out events, with stillness and truth beside it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from jobs.policy import declared
from pipeline.errors import JoineryError
from pipeline.loader.reader import ShardSet
from trainer.eval.held_out import HeldOut, held_out
from trainer.eval.predictors import OfModel, OfStillness, OfTruth
from trainer.eval.video_metrics import EventScore, score
from trainer.eval.video_report import better, markdown, summary
from trainer.inputs import Pretrained, inputs_to_ask
from trainer.trained import load_trained

RESULTS, TABLE = "results.json", "results.md"
FORMAT = 1


@dataclass(frozen=True)
class VideoEvaluation:
    """What to judge, and on what."""

    run: Path
    """A run's folder, or one checkpoint of it."""
    shards: str
    out: Path
    split: str = "validation"
    limit: int | None = None
    """Events; None: all."""
    steps: int = 20
    """Of the sampler."""
    seed: int = 0
    storage: dict[str, str] | None = None
    pretrained: Pretrained = field(default_factory=Pretrained)
    """Folders of the frozen parts the model was trained with."""


def evaluate_video(asked: VideoEvaluation, on_event: Callable[[str], None] = lambda _event: None) -> dict[str, Any]:
    """Judge, and write ``results.json`` and ``results.md``: the same bytes for the same inputs.

    Raises JoineryError for what a user can mend.
    """
    torch.set_num_threads(1)  # the order of sums, and with it the last digit, must not depend on the machine
    try:
        trained = load_trained(asked.run)
        shards = ShardSet.open(asked.shards, asked.storage)
        inputs = inputs_to_ask(trained.config, declared(asked.pretrained), torch.device("cpu"))
        found = list(held_out(shards, trained.config, asked.split, asked.limit, inputs))
    except (ValueError, FileNotFoundError, ImportError) as error:
        raise JoineryError(str(error)) from error
    events = [each for each in found if isinstance(each, HeldOut)]
    left_out = [asdict(each) for each in found if not isinstance(each, HeldOut)]
    if not events:
        raise JoineryError(f"{asked.shards}: none of {len(left_out)} events can be used, first {left_out[:1]}")
    model = OfModel(trained.model, trained.config, asked.steps)
    still, truth = OfStillness(), OfTruth()
    scores: dict[str, list[EventScore]] = {predictor.name: [] for predictor in (model, still, truth)}
    for event in events:
        for predictor in (model, still, truth):
            scores[predictor.name].append(score(predictor, event, asked.seed))
        on_event(event.event_id)
    results = {
        "format": FORMAT,
        "shard_set_id": shards.shard_set_id,
        "split": asked.split,
        "config": trained.config.name,
        "step": trained.step,
        "averaged_weights": trained.averaged,
        "sampler": {"steps": asked.steps, "shift": trained.config.sample_shift, "seed": asked.seed},
        "n_events": len(events),
        "left_out": left_out,
        "predictors": {name: summary(own) for name, own in scores.items()},
        "better_than_stillness": better(scores[model.name], scores[still.name]),
        "events": {name: [asdict(one) for one in own] for name, own in scores.items()},
    }
    asked.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=1, allow_nan=False, ensure_ascii=False)
    (asked.out / RESULTS).write_text(text + "\n", encoding="utf-8")
    (asked.out / TABLE).write_text(markdown(results), encoding="utf-8")
    return results
