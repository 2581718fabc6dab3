"""What is done with a trained model: serve it, and look at what it imagines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from jobs.commands.terminal import OUT, teaching_errors

if TYPE_CHECKING:
    from trainer.policy import WallWMPolicy

commands = typer.Typer(no_args_is_help=True, help="Let a trained model act: serve it, or look at what it imagines.")

Run = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a training run, or one checkpoint of it.")]
Body = Annotated[str | None, typer.Option("--embodiment", help="Whose actions, where it was trained on several.")]
Device = Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where it runs.")]
Mode = Annotated[
    Literal["symmetric", "asymmetric"] | None, typer.Option(help="Towers together, or one look at the video.")
]
Steps = Annotated[int | None, typer.Option(min=1, help="Denoising steps; default 10.")]
Anchor = Annotated[float | None, typer.Option(help="asymmetric: noise level at which the video is looked at.")]
Approach = Annotated[int | None, typer.Option(min=0, help="asymmetric: passes of the video tower up to there.")]


@commands.command()
def serve(  # noqa: PLR0917 - typer reads options from parameters
    run: Run,
    host: Annotated[str, typer.Option(help="Where to listen; 0.0.0.0: everywhere, without a password.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 8765,
    embodiment: Body = None,
    device: Device = "auto",
    mode: Mode = None,
    steps: Steps = None,
    anchor: Anchor = None,
    approach: Approach = None,
    vlm: Annotated[str | None, typer.Option(help="OpenAI-compatible server that plans events of a task.")] = None,
    vlm_model: Annotated[str | None, typer.Option(help="Its model, as it lists it.")] = None,
    vlm_key: Annotated[str | None, typer.Option(help="Name of the environment variable with its key.")] = None,
) -> None:
    """Answer observations with actions over a websocket, until stopped."""
    from jobs.policy import PlannerRequest, PolicyRequest
    from jobs.policy import serve as serve_it

    def ready(url: str, policy: WallWMPolicy) -> None:
        body, sampling = policy.embodiment, policy.sampling
        said = f"{policy.config.name} for {body.group} ({', '.join(policy.cameras)}) on {policy.device}"
        line = f"{url} serves {said}, {sampling.mode}, {sampling.steps} steps; Ctrl-C ends"
        OUT.print(line, markup=False, highlight=False, soft_wrap=True)

    with teaching_errors():
        request = PolicyRequest(run, embodiment, device, mode, steps, anchor, approach)
        serve_it(request, PlannerRequest(vlm, vlm_model, vlm_key), host, port, ready)
