"""What all commands share: their common options, the recipe and workspace they open, and errors as lines.

Errors a user can act on are printed as one line each and end with status 1 (2 for a recipe that is not valid); anything
else is a bug and keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from data_cards.registry import bundled_cards
from pipeline.errors import JoineryError
from schemas.recipe_file import LoadedRecipe, RecipeErrors, load_recipe

if TYPE_CHECKING:
    from pipeline.ledger import Ledger
    from pipeline.store import Workspace

RecipePath = Annotated[Path, typer.Argument(metavar="RECIPE", help="The recipe file (YAML).")]
Override = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a recipe key, e.g. run.executor=inline."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of tables.")]

OUT = Console()
if not OUT.is_terminal:
    OUT.width = 1000  # a file or a pipe has no edge at which names would have to be cut
ERR = Console(stderr=True)


@contextmanager
def teaching_errors() -> Iterator[None]:
    """Turn errors a user can act on into lines on stderr and an exit status."""
    try:
        yield
    except RecipeErrors as errors:
        for line in errors.problems:
            ERR.print(line, style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(2) from None
    except JoineryError as error:
        ERR.print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    except OSError as error:  # disk full, store unreachable, no permission: the message says which
        said = f"error: storage or file system: {type(error).__name__}: {error}"
        ERR.print(said, style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None


def load(recipe: Path, overrides: list[str] | None) -> LoadedRecipe:
    """The recipe with ``--set`` overrides. Raises RecipeErrors when it is not valid."""
    return load_recipe(recipe, overrides or [], bundled_cards())


def opened(loaded: LoadedRecipe) -> tuple[Workspace, Ledger]:
    """An existing workspace and its ledger under the recipe, up to date; raises StoreError when there is none yet."""
    from jobs.river import RIVER
    from pipeline.ledger import Ledger
    from pipeline.store import Workspace

    spec = loaded.recipe.workspace
    workspace = Workspace.existing(spec.url, spec.storage)
    ledger = Ledger(workspace, loaded.recipe, RIVER)
    ledger.refresh_all()
    return workspace, ledger


def shards_of(named: str) -> tuple[str, dict[str, str]]:
    """The shards folder a recipe's workspace holds, or the folder itself."""
    if not named.endswith((".yaml", ".yml")):
        return named, {}
    spec = load(Path(named), None).recipe.workspace
    return f"{spec.url}/shards", dict(spec.storage)
