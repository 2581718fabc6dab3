"""How far source files are trusted: the process that decodes them, and what it may use.

Part of ``run``, and so of no work key: records are the same with and without it (docs/security.md).
"""

from typing import Literal

from pydantic import Field

from schemas.recipe_section import Count, Positive, Section

GIB = 1 << 30


class SandboxSpec(Section):
    """Limits of the process in which one item's source files are opened."""

    mode: Literal["on", "required", "off"] = Field(
        default="on",
        description="on: what the kernel offers; required: refuse machines that cannot deny files and network; off: "
        "in the worker itself.",
    )
    memory_gib: Positive = Field(default=4.0, description="Address space an item may take beyond the libraries'.")
    seconds: Count = Field(default=600, description="CPU time of an item; four times that by the clock.")
    seconds_per_mib: Positive = Field(default=10.0, description="Beyond that, per MiB of the item's files.")
    disk_gib: Positive = Field(default=64.0, description="Temporary files of an item; what it gives back, too.")
