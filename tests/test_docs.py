"""The documentation names only what exists: links, files, commands with their options, targets, recipe keys."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from pydantic import BaseModel
from pydantic_core import PydanticUndefined
from typer.core import TyperGroup

from jobs.cli import app
from schemas.recipe import Recipe
from schemas.recipe_caption import TemplateCaption, VlmCaption
from schemas.recipe_columns import ArmColumns
from schemas.recipe_commands import Commands
from schemas.recipe_file import RecipeErrors, load_recipe
from schemas.recipe_sandbox import SandboxSpec
from schemas.recipe_source import SourceSection
from tests.emitted_checks import emitted
from tests.test_repository import ROOT, texts

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE_SPAN = re.compile(r"`([^`\n]+)`")
CODE_BLOCK = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
TEST = re.compile(r"^[\w./-]+\.py::\w+$")
PATH = re.compile(r"^[\w.-]+(?:/[\w.-]+)+\.(?:py|md|yaml|toml|txt)$")


def pages() -> dict[str, str]:
    """Every page of documentation; card templates are filled in by a program and are none."""
    return {name: text for name, text in texts().items() if name.endswith(".md") and not name.startswith("data_cards/")}


def code() -> Iterator[tuple[str, str]]:
    """Page and code: single spans, and each line of a block, continuation lines joined, comments cut off."""
    for name, text in pages().items():
        for block in CODE_BLOCK.findall(text):
            for line in block.replace("\\\n", " ").splitlines():
                yield name, line.partition(" #")[0].strip()
        yield from ((name, span) for span in CODE_SPAN.findall(CODE_BLOCK.sub("", text)))


def anchors(text: str) -> set[str]:
    """Anchors of a page's headings, as code hosts make them."""
    headings = re.findall(r"^#+ (.+)$", CODE_BLOCK.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_test_that_is_named_exists() -> None:
    """Tests of the review app are named from their own folder on."""
    named = {(name, span) for name, span in code() if TEST.match(span)}
    missing = []
    for name, span in sorted(named):
        path, _, test = span.partition("::")
        places = [place / path for place in (ROOT, ROOT / "tests/annotators/review") if (place / path).is_file()]
        if not any(f"\ndef {test}(" in place.read_text(encoding="utf-8") for place in places):
            missing.append(f"{name}: {span}")
    assert named
    assert missing == []


def test_there_is_documentation_to_check() -> None:
    assert {"README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/recipe.md"} <= set(pages())


def test_every_relative_link_leads_somewhere() -> None:
    broken = []
    for name, text in pages().items():
        for target in LINK.findall(CODE_BLOCK.sub("", text)):
            if target.startswith(("http://", "https://", "mailto:")):
                continue
            path, _, anchor = target.partition("#")
            there = (ROOT / name).parent / path if path else ROOT / name
            if not there.exists() or (anchor and anchor not in anchors(there.read_text(encoding="utf-8"))):
                broken.append(f"{name}: {target}")
    assert broken == []


def test_every_page_cited_in_the_code_is_there() -> None:
    """``events.md K3`` in a comment must lead a newcomer somewhere."""
    there = {Path(name).name for name in pages()} | {
        "rollout.md",  # these are written by commands
        "results.md",
        "probe.md",
        *(path.name for path in (ROOT / "data_cards").glob("*.md")),
    }
    cited = {
        (name, page)
        for name, text in texts().items()
        if name.endswith(".py") and not name.startswith("tests/")
        for page in re.findall(r"\b[a-z_]+\.md\b", text)
    }
    assert sorted((name, page) for name, page in cited if page not in there) == []


def test_every_file_named_in_code_exists() -> None:
    """Paths with a folder of ours in front; others (``meta/info.json``) are in somebody's data.

    Design notes are left out: they also name files of other people's projects.
    """
    ours = {path.split("/")[0] for path in texts() if "/" in path}
    named = {(name, span) for name, span in code() if PATH.match(span) and span.split("/")[0] in ours}
    named = {(name, span) for name, span in named if not name.startswith("docs/design/")}
    assert sorted((name, span) for name, span in named if not (ROOT / span).exists()) == []


def test_every_test_named_on_a_page_exists() -> None:
    named = {
        (name, *found)
        for name, text in pages().items()
        for found in re.findall(r"(tests/[\w/]+\.py)::(test_\w+)", text)
    }
    assert len(named) > 20
    for page, file, test in sorted(named):
        path = ROOT / file
        assert path.is_file(), f"{page}: {file}"
        assert f"def {test}(" in path.read_text(encoding="utf-8"), f"{page}: {file}::{test}"


def test_every_page_named_in_the_code_exists() -> None:
    named = {
        (name, page)
        for name, text in texts().items()
        if not name.startswith("tests/")
        for page in re.findall(r"\bdocs/\w+\.md", text)
    }
    assert sorted((name, page) for name, page in named if not (ROOT / page).is_file()) == []


def test_every_page_is_reached_from_the_index() -> None:
    linked = set(LINK.findall(pages()["docs/index.md"]))
    assert [name for name in pages() if name.startswith("docs/") and name[5:] not in linked | {"index.md"}] == []


def test_every_make_target_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {(name, found) for name, span in code() for found in re.findall(r"(?:^|&& )make ([a-z-]+)", span)}
    assert named
    assert sorted(item for item in named if item[1] not in targets) == []


def test_every_joinery_command_and_option_named_exists() -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    options = {name: _options(command) for name, command in group.commands.items()}
    unknown = []
    for name, line in code():
        for command, rest in re.findall(r"(?:^|/bin/|&& )joinery ([a-z_-]+)([^&|]*)", line):
            flags = re.findall(r"(?<=\s)--[a-z-]+", rest)
            if command not in options or not set(flags) <= options[command] | {"--help"}:
                unknown.append(f"{name}: joinery {command}{rest}")
    assert unknown == []


def _options(command: Any) -> set[str]:
    """Of a command and of those below it."""
    below = command.commands.values() if isinstance(command, TyperGroup) else ()
    own = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    return own.union(*map(_options, below))


def test_every_joinery_command_is_documented() -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    text = "\n".join(pages().values())
    assert [name for name in group.commands if f"joinery {name}" not in text] == []


@pytest.mark.parametrize(
    "recipe",
    [path for path in sorted((ROOT / "recipes").glob("*.yaml")) if "\njoinery: 1" in path.read_text("utf-8")],
    ids=lambda path: path.name,
)
def test_a_recipe_that_comes_with_the_code_is_right(recipe: Path) -> None:
    """Up to recordings that are not there yet: the demo makes its own, and a clone has no real ones."""
    try:
        load_recipe(recipe)
    except RecipeErrors as errors:
        assert [line for line in errors.problems if ": no folder at " not in line] == []  # noqa: PT017 - not the subject


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, text in pages().items() if "joinery: 1" in text])
def test_a_whole_recipe_on_a_page_is_right(name: str, text: str, tmp_path: Path) -> None:
    blocks = [block for block in CODE_BLOCK.findall(text) if block.startswith("joinery: 1")]
    for block in blocks:
        for path in re.findall(r"^    path: (\S+)$", block, re.MULTILINE):
            (tmp_path / path).mkdir(parents=True)
            (tmp_path / path / "a.mp4").touch()
        (tmp_path / "recipe.yaml").write_text(block, encoding="utf-8")
        assert load_recipe(tmp_path / "recipe.yaml").recipe.sources, name


# -- docs/recipe.md ----------------------------------------------------------------------------------------------------

ROW = re.compile(r"^\| `([a-z_0-9]+)` \|([^|]*)\|", re.MULTILINE)


def sections() -> dict[str, type[BaseModel]]:
    """Recipe sections by heading."""
    found: dict[str, type[BaseModel]] = {"state": ArmColumns, "commands": Commands}
    found["run.sandbox"] = SandboxSpec
    found |= {"by: {method: template}": TemplateCaption, "by: {method: vlm}": VlmCaption}
    for name, field in Recipe.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found[name] = field.annotation
    return found


def documented(heading: str) -> dict[str, str]:
    """Key → default of a table in docs/recipe.md."""
    text = pages()["docs/recipe.md"]
    match = re.search(rf"^##+ `?{re.escape(heading)}.*?(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    assert match, f"docs/recipe.md has no section {heading}"
    return {key: default.strip() for key, default in ROW.findall(match.group())}


def said(default: object) -> str:
    """A default as the tables write it."""
    if isinstance(default, bool) or default is None:
        return str(default).lower()
    if isinstance(default, list):
        return ", ".join(map(said, default))
    return str(default) or "empty"


@pytest.mark.parametrize("section", sections())
def test_every_recipe_key_is_documented_with_its_default(section: str) -> None:
    fields = sections()[section].model_fields
    table = documented(section)
    assert set(table) == set(fields)
    for key, field in fields.items():
        if field.default is not PydanticUndefined:
            assert table[key] == said(field.default), key


def test_every_key_of_a_source_is_documented_with_its_default() -> None:
    table = documented("Sources")
    assert set(table) == {"format", *SourceSection.model_fields}
    for key, field in SourceSection.model_fields.items():
        if field.default is not PydanticUndefined and table[key] != "by format":
            assert table[key] == said(field.default), key


# -- checks ------------------------------------------------------------------------------------------------------------

CHECK_TABLE = re.compile(r"^\| check \|.*\n\|[-| ]+\|\n((?:\|.*\n)+)", re.MULTILINE)


def documented_checks() -> set[str]:
    """Names in the first column of every table of checks."""
    rows = [
        row for text in pages().values() for table in CHECK_TABLE.findall(text + "\n") for row in table.splitlines()
    ]
    return {name for row in rows for name in re.findall(r"`([a-z][a-z0-9_]+)`", row.split("|")[1])}


def test_every_check_is_documented() -> None:
    """Whoever reads `joinery why` finds each name on a page."""
    found = emitted()
    missing = {check: sorted(found[check]) for check in set(found) - documented_checks()}
    assert missing == {}, "add a row to a table of checks: docs/ingest.md for readers, docs/align.md for cleaning"


def test_every_documented_check_is_there() -> None:
    assert documented_checks() - set(emitted()) - {"known_defects"} == set()
