"""What is done with a trained model: serve it, and look at what it imagines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from jobs import show
from jobs.commands.pretrained import TextFolder, Vae
from jobs.commands.terminal import OUT, AsJson, shards_of, teaching_errors

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
    host: Annotated[str, typer.Option(help="Where to listen; 0.0.0.0: everywhere, with --token-file.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 8765,
    embodiment: Body = None,
    device: Device = "auto",
    mode: Mode = None,
    steps: Steps = None,
    anchor: Anchor = None,
    approach: Approach = None,
    vae: Vae = None,
    text_encoder: TextFolder = None,
    vlm: Annotated[str | None, typer.Option(help="OpenAI-compatible server that plans events of a task.")] = None,
    vlm_model: Annotated[str | None, typer.Option(help="Its model, as it lists it.")] = None,
    vlm_key: Annotated[str | None, typer.Option(help="Name of the environment variable with its key.")] = None,
    heads: Annotated[
        bool, typer.Option("--heads", help="The model's own language heads plan events of a task.")
    ] = False,
    token_file: Annotated[Path | None, typer.Option(help="File with the token that clients must say.")] = None,
) -> None:
    """Answer observations with actions over a websocket, until stopped."""
    from jobs.policy import Listening, PlannerRequest, PolicyRequest
    from jobs.policy import serve as serve_it
    from trainer.inputs import Pretrained

    def ready(url: str, policy: WallWMPolicy) -> None:
        body, sampling = policy.embodiment, policy.sampling
        said = f"{policy.config.name} for {body.group} ({', '.join(policy.cameras)}) on {policy.device}"
        line = f"{url} serves {said}, {sampling.mode}, {sampling.steps} steps; Ctrl-C ends"
        OUT.print(line, markup=False, highlight=False, soft_wrap=True)

    with teaching_errors():
        request = PolicyRequest(run, embodiment, device, mode, steps, anchor, approach, Pretrained(vae, text_encoder))
        serve_it(request, PlannerRequest(vlm, vlm_model, vlm_key, heads), Listening(host, port, token_file), ready)


@commands.command()
def imagine(  # noqa: PLR0917 - typer reads options from parameters
    run: Run,
    shards: Annotated[str, typer.Argument(metavar="RECIPE|SHARDS", help="A recipe, or the folder of a shard set.")],
    event: Annotated[str, typer.Argument(metavar="EVENT", help="Its id, or its draw number in --split.")],
    out: Annotated[Path | None, typer.Option(help="Folder for what is drawn; default: RUN/imagined.")] = None,
    split: Annotated[str, typer.Option(help="Of draw numbers.")] = "train",
    seed: Annotated[int, typer.Option(help="Of the noise.")] = 0,
    embodiment: Body = None,
    device: Device = "auto",
    mode: Mode = None,
    steps: Steps = None,
    anchor: Anchor = None,
    approach: Approach = None,
    vae: Vae = None,
    text_encoder: TextFolder = None,
    as_json: AsJson = False,
) -> None:
    """Draw what the model imagines of a recorded event beside the recording: video, filmstrip, action curves."""
    from jobs.imagine import EventRequest, imagine_event
    from jobs.policy import PolicyRequest
    from trainer.inputs import Pretrained

    with teaching_errors():
        folder, storage = shards_of(shards)
        place = out or run / "imagined"
        request = PolicyRequest(run, embodiment, device, mode, steps, anchor, approach, Pretrained(vae, text_encoder))
        numbers = imagine_event(request, EventRequest(folder, event, split, storage), place, seed)
    if as_json:
        show.print_json(numbers)
        return
    line = f"{numbers['text']!r}, {numbers['duration_s']:.1f} s: action error {numbers['action_mse']:.3f}, normalised"
    OUT.print(line, markup=False, highlight=False, soft_wrap=True)
    name = numbers["event_id"]
    OUT.print(f"{place}/{name}.mp4, .png, -actions.png, .json", markup=False, highlight=False, soft_wrap=True)
