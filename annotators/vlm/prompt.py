"""Prompt files: notes, a version, a line of dashes, and then exactly what the model is told.

Text files rather than code, so that wording can be changed and reviewed by people who do not program. The digest of a
file is its revision: it travels with every caption, and changing one character asks again.
"""

from dataclasses import dataclass
from importlib import resources

from annotators.vlm.request import Call
from schemas.identity import digest

_RULE = "---"


@dataclass(frozen=True)
class Prompt:
    """One parsed prompt file."""

    version: int
    text: str
    digest: str
    """Of the whole file, notes included: what is reviewed is what is hashed."""


def load_prompt(call: Call) -> Prompt:
    """The prompt of a call. Raises ValueError when the file is not one."""
    name = f"{call.value}.txt"
    return parse_prompt(resources.files("annotators.vlm.prompts").joinpath(name).read_text(encoding="utf-8"), name)


def parse_prompt(text: str, name: str) -> Prompt:
    """A prompt file's text as `Prompt`. Raises ValueError naming the file and what is missing."""
    head, rule, body = text.partition(f"\n{_RULE}\n")
    versions = [line.partition("=")[2].strip() for line in head.splitlines() if line.startswith("version")]
    if not rule or not body.strip():
        raise ValueError(f"{name}: expected a line {_RULE!r} and the prompt below it")
    if len(versions) != 1 or not versions[0].isdigit():
        raise ValueError(f"{name}: found versions {versions}, expected one line 'version = <number>'")
    return Prompt(int(versions[0]), body.strip(), digest(text))


def prompts_digest() -> str:
    """One revision for everything that is ever said to a model about recordings."""
    return digest(*(load_prompt(call).digest for call in Call if call is not Call.NEXT))
