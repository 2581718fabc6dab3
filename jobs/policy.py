"""``joinery policy``: a trained model opened as a policy, and served."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from jobs.next_event import vlm_planners
from pipeline.errors import JoineryError
from trainer.checkpoint import read_run
from trainer.next_event import Planner
from trainer.parallel import DeviceName
from trainer.policy import WallWMPolicy, load_policy
from trainer.policy_messages import metadata_of
from trainer.policy_record import checkpoint_folder
from trainer.sampling import Sampling


@dataclass(frozen=True)
class PolicyRequest:
    """Which policy, and how it samples; None: as it was trained."""

    run: Path
    embodiment: str | None = None
    device: DeviceName = "auto"
    mode: Literal["symmetric", "asymmetric"] | None = None
    steps: int | None = None
    anchor: float | None = None
    approach: int | None = None

    def sampling(self, usual: Sampling) -> Sampling:
        """The policy's usual sampling with what was asked for instead. Raises ValueError where that means nothing."""
        asked: dict[str, Any] = {
            "mode": self.mode, "steps": self.steps, "anchor": self.anchor, "approach": self.approach,
        }  # fmt: skip
        return replace(usual, **{name: value for name, value in asked.items() if value is not None})


def open_policy(request: PolicyRequest) -> WallWMPolicy:
    """Raises JoineryError for what a user can mend."""
    try:
        policy = load_policy(request.run, device=request.device, embodiment=request.embodiment)
        return WallWMPolicy(policy.model, policy.config, policy.embodiment, request.sampling(policy.sampling))
    except (FileNotFoundError, ValueError) as error:
        raise JoineryError(str(error)) from error


@dataclass(frozen=True)
class PlannerRequest:
    """Which server of a vision-language model plans events; without a URL none does."""

    url: str | None = None
    model: str | None = None
    key_env: str | None = None


def serve(
    request: PolicyRequest, planner: PlannerRequest, host: str, port: int, on_ready: Callable[[str, WallWMPolicy], None]
) -> None:
    """Serve until told to end. Raises JoineryError for what a user can mend, OSError when the port is taken."""
    try:
        from trainer.policy_server import Address, PolicyServer, serve_policy  # noqa: PLC0415 - of the `train` extra
    except ImportError as error:
        raise JoineryError(f"{error}; a server needs the extra: pip install 'joinery[train]'") from error
    policy = open_policy(request)
    step = read_run(checkpoint_folder(request.run)).step
    with _planners(planner) as planners:
        server = PolicyServer(policy, metadata_of(policy, step, plans=planners is not None), planners)
        serve_policy(server, Address(host, port), lambda at, on: on_ready(f"ws://{at}:{on}", policy))


def _planners(request: PlannerRequest) -> AbstractContextManager[Callable[[str], Planner] | None]:
    if request.url is None:
        return nullcontext()
    if request.model is None:
        raise JoineryError(f"--vlm {request.url}: which model? name it as the server lists it with --vlm-model")
    return vlm_planners(request.url, request.model, request.key_env)
