"""Vision-language models in a recipe: which model writes (`VlmSpec`), and where it is asked (`VlmServersSpec`).

Two sections, because one is *what* and the other is *how*. The model, its revision and its bounds determine captions
and are part of the work key; addresses, keys, patience and the number of servers are not: an answer from another
machine is the same answer. A key never stands in a recipe, only the place it is read from.
"""

from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from schemas.recipe_section import Count, Positive, Section, Text, impossible

Argument = Annotated[str, Field(min_length=1)]
OWNED_FLAGS = ("--host", "--port", "--api-key", "--served-model-name", "--model", "--revision", "--uds")
"""Options of a started server that Joinery sets itself."""
SECRET_WORDS = ("KEY", "TOKEN", "SECRET", "PASSWORD")


class VlmSpec(Section):
    """Which model is asked. Whatever stands here is part of the answer's identity."""

    model: Text = Field(description="The name servers list at /v1/models.")
    revision: Text = Field(description="Which weights: a commit, a date, a digest. Answers of two revisions differ.")

    @property
    def identity(self) -> str:
        """What `Request.model` is: caches tell models apart by it."""
        return f"{self.model}@{self.revision}"


class ApiKey(Section):
    """Where the key of an endpoint is read from, where the run is started. The key itself never stands in a recipe."""

    env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = Field(
        default=None, description="Name of an environment variable."
    )
    file: Text | None = Field(default=None, description="File whose only line is the key.")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.env is None) == (self.file is None):
            raise impossible("env", "expected either env or file: the one place the key is read from")
        return self


class Endpoint(Section):
    """A server that speaks the OpenAI protocol."""

    url: Text = Field(description="Up to and including the version, such as http://host:8000/v1.")
    key: ApiKey | None = Field(default=None, description="None: it asks for none.")

    @model_validator(mode="after")
    def _plain_address(self) -> Self:
        try:
            parts = urlsplit(self.url)
            fine = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
        except ValueError:
            fine = False
        if not fine:
            raise impossible("url", "expected an address such as http://host:8000/v1")
        if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
            raise impossible("url", "expected no user, password or query in it; name a file with the key under key")
        return self


class StartVllm(Section):
    """vLLM servers that a run starts for itself and stops at its end: one per GPU, or one where there is none."""

    python: Text | None = Field(default=None, description="Interpreter vLLM is installed for. None: `make vllm`'s.")
    weights: Text | None = Field(default=None, description="Folder of the checkpoint. None: model is a name on a hub.")
    arguments: list[Argument] = Field(default_factory=list, description="Further options of vLLM's command line.")
    environment: dict[str, str] = Field(default_factory=dict, description="Further environment variables.")
    servers: Count | None = Field(default=None, description="None: as many as the GPUs there are allow.")
    gpus_per_server: Count = Field(default=1, description="Tensor parallel size.")
    ready_s: Positive = Field(default=900.0, description="Loading the weights may take this long.")
    hung_s: Positive = Field(default=60.0, description="A server whose health check is silent so long is restarted.")
    restarts: Annotated[int, Field(ge=0)] = Field(default=5, description="Restarts of one server in a run.")

    @model_validator(mode="after")
    def _leaves_the_address_to_us(self) -> Self:
        for i, argument in enumerate(self.arguments):
            if argument.split("=")[0] in OWNED_FLAGS:
                raise impossible(f"arguments.{i}", f"found {argument.split('=')[0]}, which Joinery sets itself")
        return self

    @model_validator(mode="after")
    def _keeps_no_secrets(self) -> Self:
        for name in self.environment:
            if any(word in name.upper() for word in SECRET_WORDS):
                advice = "set it where the run starts: servers inherit it, and the recipe's text is kept with every run"
                raise impossible(f"environment.{name}", f"looks like a secret; {advice}")
        return self


class VlmTimeouts(Section):
    """How long to wait for one try."""

    connect_s: Positive = Field(default=5.0, description="For a connection.")
    first_byte_s: Positive = Field(default=300.0, description="For the first byte of the answer; the model thinks now.")
    whole_s: Positive = Field(default=600.0, description="For all of it.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.whole_s < self.first_byte_s:
            raise impossible("whole_s", f"found {self.whole_s}, expected at least first_byte_s ({self.first_byte_s})")
        return self


class VlmServersSpec(Section):
    """Where the model is asked and how patiently: part of no work key."""

    endpoints: list[Endpoint] = Field(default_factory=list, description="Servers that run already.")
    start: StartVllm | None = Field(default=None, description="Or: start vLLM here.")
    concurrency: Count = Field(default=8, description="Requests in flight per endpoint and worker.")
    timeouts: VlmTimeouts = Field(default_factory=VlmTimeouts)
    attempts: Count = Field(default=5, description="How often one request may reach a server and fail.")
    first_pause_s: Positive = Field(default=0.5, description="Pause after a fault; doubled from fault to fault.")
    longest_pause_s: Positive = Field(default=30.0, description="But never longer, unless the server asks for it.")
    patience_s: Positive = Field(default=600.0, description="How long all endpoints may be down before the run ends.")
    max_calls: Count | None = Field(default=None, description="Calls in one run; more, and it ends.")
    max_tokens: Count | None = Field(default=None, description="The same for tokens, read and written.")

    @model_validator(mode="after")
    def _somebody_answers(self) -> Self:
        if bool(self.endpoints) == (self.start is not None):
            raise impossible("endpoints", "expected either endpoints that run already or start, and not both")
        urls = [endpoint.url.rstrip("/") for endpoint in self.endpoints]
        for i, url in enumerate(urls):
            if url in urls[:i]:
                raise impossible(f"endpoints.{i}.url", "named twice; raise concurrency instead")
        return self
