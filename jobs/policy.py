"""``joinery policy``: a trained model opened as a policy, and served."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from clustering.torchvision_schemas import declare
from jobs.local_host import is_local_host
from jobs.next_event import vlm_planners
from pipeline.errors import JoineryError
from trainer.checkpoint import read_run
from trainer.head_planner import OwnWords
from trainer.inputs import Pretrained
from trainer.next_event import Planner
from trainer.parallel import DeviceName
from trainer.policy import WallWMPolicy, load_policy
from trainer.policy_messages import metadata_of
from trainer.policy_record import checkpoint_folder
from trainer.sampling import Sampling

SHORTEST_TOKEN = 16


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
    pretrained: Pretrained = field(default_factory=Pretrained)
    """Folders of the frozen parts the model was trained with."""

    def sampling(self, usual: Sampling) -> Sampling:
        """The policy's usual sampling with what was asked for instead. Raises ValueError where that means nothing."""
        asked: dict[str, Any] = {
            "mode": self.mode, "steps": self.steps, "anchor": self.anchor, "approach": self.approach,
        }  # fmt: skip
        return replace(usual, **{name: value for name, value in asked.items() if value is not None})


def open_policy(request: PolicyRequest) -> WallWMPolicy:
    """Raises JoineryError for what a user can mend."""
    pretrained = declared(request.pretrained)
    try:
        policy = load_policy(request.run, device=request.device, embodiment=request.embodiment, pretrained=pretrained)
        policy.sampling = request.sampling(policy.sampling)
    except (FileNotFoundError, ValueError, ImportError) as error:
        raise JoineryError(str(error)) from error
    return policy


def declared(pretrained: Pretrained) -> Pretrained:
    """The same folders, once what their libraries import can be imported (`clustering.torchvision_schemas`)."""
    if pretrained.vae is not None or pretrained.text_encoder is not None:
        declare()
    return pretrained


@dataclass(frozen=True)
class PlannerRequest:
    """Who plans events of a task: the server of a vision-language model, the model's own heads, both or nobody."""

    url: str | None = None
    model: str | None = None
    key_env: str | None = None
    heads: bool = False


@dataclass(frozen=True)
class Listening:
    """Where to listen, and what clients must say there."""

    host: str
    port: int
    token_file: Path | None = None

    def token(self) -> str:
        """Empty for an address of this machine alone. Raises JoineryError for another one without a token."""
        if self.token_file is not None:
            try:
                token = self.token_file.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise JoineryError(f"--token-file {self.token_file}: cannot be read ({error})") from error
            if len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable():
                found = f"found {len(token)} characters"
                raise JoineryError(
                    f"--token-file {self.token_file}: {found}, expected {SHORTEST_TOKEN} or more of ASCII"
                )
            return token
        if not is_local_host(self.host):
            raise JoineryError(
                f"--host {self.host}: found an address that others reach, and no token; write one to a file, such as "
                "`openssl rand -hex 32 > token`, and name it with --token-file"
            )
        return ""


def serve(
    request: PolicyRequest, planner: PlannerRequest, listening: Listening, on_ready: Callable[[str, WallWMPolicy], None]
) -> None:
    """Serve until told to end. Raises JoineryError for what a user can mend, OSError when the port is taken."""
    token = listening.token()
    try:
        from trainer.policy_server import Address, PolicyServer, serve_policy  # noqa: PLC0415 - of the `train` extra
    except ImportError as error:
        raise JoineryError(f"{error}; a server needs the extra: pip install 'joinery[train]'") from error
    policy = open_policy(request)
    step = read_run(checkpoint_folder(request.run)).step
    with _planners(planner, policy) as planners:
        server = PolicyServer(policy, metadata_of(policy, step, plans=tuple(planners)), planners, token)
        serve_policy(
            server, Address(listening.host, listening.port), lambda at, on: on_ready(f"ws://{at}:{on}", policy)
        )


@contextmanager
def _planners(request: PlannerRequest, policy: WallWMPolicy) -> Iterator[dict[str, Callable[[str], Planner]]]:
    """By name; ``latents`` are the heads too, whose features the towers read in place of their text."""
    made: dict[str, Callable[[str], Planner]] = {}
    with ExitStack() as stack:
        if request.url is not None:
            if request.model is None:
                raise JoineryError(f"--vlm {request.url}: which model? name it as the server lists it with --vlm-model")
            made["vlm"] = stack.enter_context(vlm_planners(request.url, request.model, request.key_env))
        if request.heads:
            own = own_words(policy)
            made |= {"heads": own.planner, "latents": partial(own.planner, latent=True)}
        yield made


def own_words(policy: WallWMPolicy) -> OwnWords:
    """The policy's language parts. Raises JoineryError for one without."""
    try:
        return OwnWords.of(policy)
    except (ValueError, ImportError) as error:
        raise JoineryError(str(error)) from error
