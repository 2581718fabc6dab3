"""What a robomimic file says about its environment: robots, rate, and what the controller makes of an action.

Everything here was written by whoever made the file. What is missing stays None, and `robomimic_actions` decides what
may be assumed, and says so.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.sources.storage.json_file import dict_of, number_of, text_of
from pipeline.sources.storage.json_file import parsed as parsed_json
from schemas.array import Floats

_ISAAC_TYPE = 2
"""robomimic's number for gym environments, which IsaacLab writes; robosuite is 1."""


@dataclass(frozen=True)
class Controller:
    """What one arm's controller does with the numbers of an action, as robosuite names it."""

    kind: str
    """``OSC_POSE``, ``JOINT_POSITION`` …; empty when the file does not say."""
    delta: bool = True
    frame: str | None = None
    """``world`` or ``base``; None when not stated."""
    from_goal: bool = False
    """Whether a step starts from the goal before it instead of from where the arm is."""
    input_range: tuple[float, float] = (-1.0, 1.0)
    output_min: tuple[float, ...] = ()
    output_max: tuple[float, ...] = ()
    """Per number of the action; empty when not stated."""


@dataclass(frozen=True)
class Env:
    """A file's environment."""

    name: str
    robots: tuple[str, ...]
    version: str
    fps: float | None
    isaac: bool
    libero: bool
    opposed: bool
    """Two robots that face each other: neither's axes are the world's."""
    convention: str
    """``opengl``: pictures are upside down. Empty when not stated, and then they are upright."""
    language: str
    controllers: tuple[Controller, ...]

    def as_json(self) -> dict[str, Any]:
        """For the reference's metadata."""
        return asdict(self)


def env_of_json(stated: Mapping[str, Any]) -> Env:
    """The inverse of `Env.as_json`."""
    controllers = tuple(_controller_of_json(part) for part in stated["controllers"])
    return Env(**{**stated, "robots": tuple(stated["robots"]), "controllers": controllers})


def _controller_of_json(stated: Mapping[str, Any]) -> Controller:
    lists = {key: tuple(value) for key, value in stated.items() if isinstance(value, list)}
    return Controller(**{**stated, **lists})


def env_of(attributes: Mapping[str, Any]) -> Env:
    """From the attributes of ``/data``: ``env_args`` (robomimic) or ``env`` and ``env_info`` (robosuite)."""
    args = parsed(attributes.get("env_args"))
    kwargs = dict_of(args.get("env_kwargs")) or parsed(attributes.get("env_info"))
    problem = parsed(attributes.get("problem_info"))
    name = text_of(args.get("env_name")) or text_of(attributes.get("env")) or text_of(attributes.get("env_name"))
    isaac = args.get("type", args.get("env_type")) == _ISAAC_TYPE or name.startswith("Isaac")
    version = text_of(args.get("env_version")) or text_of(attributes.get("repository_version"))
    languages = [kwargs.get("env_lang"), args.get("env_lang"), args.get("language_instruction")]
    return Env(
        name=name,
        robots=_texts(kwargs.get("robots")),
        version=version,
        fps=_rate(args, kwargs),
        isaac=isaac,
        libero="problem_info" in attributes or "bddl_file_name" in attributes,
        opposed="opposed" in text_of(kwargs.get("env_configuration")),
        convention=text_of(attributes.get("macros_image_convention")),
        language=words(problem.get("language_instruction")) or next(filter(None, map(words, languages)), ""),
        controllers=tuple(_controllers(kwargs.get("controller_configs"), version)),
    )


def parsed(value: object) -> dict[str, Any]:
    """JSON text as an object; empty for anything else."""
    try:
        return dict_of(parsed_json(value)) if isinstance(value, str) else {}
    except (ValueError, RecursionError):
        return {}


def words(value: object) -> str:
    """An instruction; LIBERO keeps some in quotes and some as a list of words."""
    if isinstance(value, list):
        value = " ".join(text_of(part) for part in value)
    return text_of(value).strip().strip("\"'").strip()


def _rate(args: Mapping[str, Any], kwargs: Mapping[str, Any]) -> float | None:
    stated = number_of(kwargs.get("control_freq")) or number_of(args.get("control_freq"))
    if stated is None:
        simulated = dict_of(args.get("sim_args"))
        lasting = (number_of(simulated.get("dt")) or 0.0) * (number_of(simulated.get("decimation")) or 0.0)
        stated = 1.0 / lasting if lasting > 0 else None
    return stated if stated is not None and 0.01 < stated < 10_000 else None


def _texts(value: object) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    return tuple(text for text in map(text_of, values) if text)


def _controllers(stated: object, version: str) -> list[Controller]:
    """One per arm, in the order of the action. robosuite 1.5 nests them by body part."""
    found = []
    for config in stated if isinstance(stated, list) else [stated]:
        parts = dict_of(dict_of(config).get("body_parts"))
        arms = {**parts, **dict_of(parts.get("arms"))}
        if parts:
            found += [_controller(arms[arm], version) for arm in ("right", "left") if isinstance(arms.get(arm), dict)]
        elif isinstance(config, dict):
            found.append(_controller(config, version))
    return found


def _controller(config: Mapping[str, Any], version: str) -> Controller:
    delta = config.get("input_type", "delta") == "delta" and config.get("control_delta", True) is not False
    frame = text_of(config.get("input_ref_frame")) or ("base" if version.startswith("1.5") else "world")
    low, high = number_of(config.get("input_min")), number_of(config.get("input_max"))
    is_range = low is not None and high is not None and low < high
    return Controller(
        kind=text_of(config.get("type")).upper(),
        delta=delta,
        frame=frame,
        from_goal=text_of(config.get("goal_update_mode")) not in ("", "achieved"),
        input_range=(low, high) if is_range and low is not None and high is not None else (-1.0, 1.0),
        output_min=_numbers(config.get("output_min")),
        output_max=_numbers(config.get("output_max")),
    )


def _numbers(value: object) -> tuple[float, ...]:
    """Numbers of a list; one number stands for six. Nothing when one of them is none."""
    values = value if isinstance(value, list) else [value] * 6
    numbers = [number for number in map(number_of, values[:64]) if number is not None]
    return tuple(numbers) if len(numbers) == len(values) else ()


def scaled(controller: Controller, action: Floats) -> Floats | None:
    """What a controller makes of an action [T, D]: clipped to its input range and stretched to its output range.

    None when the file does not state that range for all D numbers.
    """
    width = action.shape[1]
    low, high = controller.input_range
    out_low, out_high = controller.output_min[:width], controller.output_max[:width]
    if len(out_low) < width or len(out_high) < width:
        return None
    share = (action.clip(low, high) - low) / (high - low)
    stretched: Floats = share * [b - a for a, b in zip(out_low, out_high, strict=True)] + list(out_low)
    return stretched
