"""A policy on another machine, spoken to as if it were here: what a rollout drives when the robot has no GPU."""

from typing import Any

import numpy as np

from trainer.policy import ActionChunk, Observation
from trainer.policy_client import PolicyClient, PolicyError
from trainer.policy_messages import chunk_of


class RemotePolicy:
    """A `trainer.policy.Policy` over a connection."""

    def __init__(self, client: PolicyClient) -> None:
        self._client = client

    def act(self, observation: Observation, duration_s: float, seed: int) -> ActionChunk:
        """Raises ValueError for an observation the server cannot use, OSError or TimeoutError when it is gone."""
        message: dict[str, Any] = {
            "images": dict(observation.pictures),
            "state": np.asarray(observation.state_20, np.float32),
            "state_known": np.asarray(observation.state_known_20, np.bool_),
            "prompt": observation.text,
            "duration_s": duration_s,
            "seed": seed,
        }
        if observation.text_SC is not None:
            message["prompt_vectors"] = observation.text_SC.float().cpu().numpy()
        try:
            return chunk_of(self._client.infer(message))
        except PolicyError as error:
            raise ValueError(str(error)) from error
