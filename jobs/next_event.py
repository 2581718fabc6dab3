"""A vision-language model as the planner of a policy: the glue between its servers and `trainer.next_event.Planner`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import cv2
from pydantic import ValidationError

from annotators.vlm.client import ServerAsker
from annotators.vlm.draft import Problem
from annotators.vlm.endpoint import servers_of
from annotators.vlm.next_event import next_event_request, read_next_event
from annotators.vlm.prompt import load_prompt
from annotators.vlm.request import Asker, Call
from pipeline.errors import JoineryError, ServiceError
from pipeline.loader.decode import Pixels
from schemas.recipe_vlm import VlmServersSpec, VlmSpec
from trainer.next_event import NextEvent, PastEvent, PlannerError
from trainer.policy import Observation

_QUALITY = 90
_TRIES = 2


@dataclass(frozen=True, eq=False)
class VlmPlanner:
    """Asks what is next, once more where the answer cannot be used."""

    asker: Asker
    model: str
    """`schemas.recipe_vlm.VlmSpec.identity` of the model asked."""
    task: str

    def next(self, observation: Observation, history: Sequence[PastEvent]) -> NextEvent | None:
        """Raises PlannerError when servers are down, or when what they say is no event, twice."""
        pictures = [(camera, jpeg_of(picture)) for camera, picture in observation.pictures.items()]
        past = [event.text for event in history]
        subject = f"event {len(history) + 1} of {self.task!r}"
        request = next_event_request(
            subject, self.task, past, pictures, model=self.model, prompt=load_prompt(Call.NEXT)
        )
        problem = ""
        for attempt in range(_TRIES):
            try:
                (reply,) = self.asker.ask([replace(request, attempt=attempt)])
            except ServiceError as error:
                raise PlannerError(f"{subject}: {error}") from error
            answer = read_next_event(reply)
            if isinstance(answer, Problem):
                problem = answer.text
            else:
                return None if answer.done else NextEvent(answer.text, answer.seconds)
        raise PlannerError(
            f"{subject}: {self.model} gave no usable answer, {_TRIES} times ({problem}); ask another model"
        )


@contextmanager
def vlm_planners(url: str, model: str, key_env: str | None) -> Iterator[Callable[[str], VlmPlanner]]:
    """Makes the planner of a task, all over one connection to an OpenAI-compatible server, which is checked first.

    Raises ServiceError for a server that is not there or does not do what is needed, JoineryError for an address that
    is none.
    """
    try:
        spec = VlmSpec(model=model, revision="as served")
        endpoint = {"url": url, **({} if key_env is None else {"key": {"env": key_env}})}
        servers = VlmServersSpec.model_validate({"endpoints": [endpoint]})
    except ValidationError as error:
        raise JoineryError(f"--vlm {url}: {error.errors()[0]['msg']}") from error
    with ServerAsker(spec, servers_of(servers), servers) as asker:
        asker.check()
        yield lambda task: VlmPlanner(asker, spec.identity, task)


def jpeg_of(picture: Pixels) -> bytes:
    """A picture as a model is shown it."""
    done, raw = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not done:
        raise ValueError(f"a picture of shape {picture.shape} could not be written as JPEG")
    return bytes(raw)
