"""Places a recipe names are looked at before any process starts."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.recipe_file import RecipeErrors, load_recipe
from tests.schemas.recipe_example import edited, load, problems


def place_problem(folder: Path, *changes: tuple[str, str]) -> str:
    (problem,) = problems(edited(*changes))
    return problem.replace(str(folder), "<folder>")


def test_a_source_that_is_not_there(folder: Path) -> None:
    assert place_problem(folder, ("recordings/arm", "recodings/arm")) == (
        "demo.yaml:7: sources[0].path: no folder at <folder>/recodings/arm; did you mean 'recordings' in <folder>?"
    )


def test_a_source_that_is_a_file(folder: Path) -> None:
    assert place_problem(folder, ("recordings/arm", "recordings/arm/a.mp4")) == (
        "demo.yaml:7: sources[0].path: <folder>/recordings/arm/a.mp4 is a file, expected the folder of the recordings"
    )


def test_an_empty_source(folder: Path) -> None:
    (folder / "recordings" / "web" / "a.mp4").unlink()
    assert place_problem(folder) == (
        "demo.yaml:11: sources[1].path: <folder>/recordings/web is empty, expected recordings;"
        " is it mounted, is the download complete?"
    )


def test_two_sources_in_one_folder(folder: Path) -> None:
    assert place_problem(folder, ("recordings/web", "./recordings/arm/")) == (
        "demo.yaml:11: sources[1].path: the same folder as sources[0].path; every recording would come twice, drop one"
    )


def test_two_sources_in_one_folder_by_a_link(folder: Path) -> None:
    (folder / "link").symlink_to(folder / "recordings" / "arm")
    assert place_problem(folder, ("recordings/web", "link")).endswith("every recording would come twice, drop one")


def test_a_source_inside_another(folder: Path) -> None:
    assert place_problem(folder, ("path: recordings/web", "path: recordings")) == (
        "demo.yaml:7: sources[0].path: lies inside sources[1].path (<folder>/recordings); its recordings"
        " would come twice"
    )


def test_a_workspace_inside_a_source(folder: Path) -> None:
    assert place_problem(folder, ("url: out", "url: recordings/arm/out")) == (
        "demo.yaml:3: workspace.url: lies inside sources[0].path (<folder>/recordings/arm);"
        " keep recordings and workspace apart"
    )


def test_a_source_inside_the_workspace(folder: Path) -> None:
    assert problems(edited(("url: out", "url: .")))[0].replace(str(folder), "<folder>") == (
        "demo.yaml:7: sources[0].path: lies inside workspace.url (<folder>); keep recordings and workspace apart"
    )


def test_a_workspace_below_a_file(folder: Path) -> None:
    (folder / "out").touch()
    assert place_problem(folder, ("url: out", "url: out/demo")) == (
        "demo.yaml:3: workspace.url: <folder>/out is a file, expected a folder; name another place"
    )


def test_a_checkpoint_that_is_not_there(folder: Path) -> None:
    (folder / "weights").mkdir()
    encoder = "embed:\n  vision_language: {encoder: open_clip, checkpoint: weights/clip.pt}\nbalance:"
    assert place_problem(folder, ("balance:", encoder)) == (
        "demo.yaml:14: embed.vision_language.checkpoint: no file at <folder>/weights/clip.pt, expected a"
        " checkpoint file;"
        " there is none in <folder>/weights"
    )


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A folder that belongs to somebody else, seen by a user who may read and not write (root may do everything)."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        (place / "source").mkdir()
        (place / "source" / "a.mp4").touch()
        place.chmod(0o555)
        yield place
        place.chmod(0o755)


def test_a_workspace_nobody_may_write(unprivileged: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "demo.yaml"
    source = f"sources: [{{format: video_folder, name: v, path: {unprivileged}/source, card: {{licence: MIT}}}}]"
    recipe.write_text(f"joinery: 1\nworkspace: {{url: {unprivileged}/out/demo}}\n{source}\n", encoding="utf-8")
    folders = [place for place in tmp_path.parents if place.stat().st_uid == os.geteuid() and len(place.parts) > 2]
    with as_nobody([tmp_path, *folders]), pytest.raises(RecipeErrors) as caught:
        load_recipe(recipe)
    assert caught.value.problems == (
        f"{recipe}:2: workspace.url: no permission to write in {unprivileged}; allow it or keep"
        f" {unprivileged}/out/demo, which would be made in it, elsewhere",
    )


class as_nobody:  # noqa: N801 - reads as a statement
    """As root, become `nobody` for a while and let them into some folders; as anybody else nothing is needed."""

    def __init__(self, folders: list[Path]) -> None:
        self._modes = {folder: folder.stat().st_mode for folder in folders}

    def __enter__(self) -> None:
        self._root = os.geteuid() == 0
        if self._root:
            for folder, mode in self._modes.items():
                folder.chmod(mode | 0o055)
            os.seteuid(65534)

    def __exit__(self, *_: object) -> None:
        if self._root:
            os.seteuid(0)
            for folder, mode in self._modes.items():
                folder.chmod(mode)


STORES = [
    pytest.param("url: ftp://host/x", "3: workspace.url: found 'ftp://host/x', expected a local path or s3://bucket/…"),
    pytest.param(
        "url: s3:///x\n  storage: {region: eu}", "3: workspace.url: found 's3:///x', expected a bucket after s3://"
    ),
    pytest.param(
        "url: s3://b/x",
        "2: workspace.storage: names neither 'region' nor 'endpoint', expected one; add the region of the bucket",
    ),
    pytest.param(
        "url: s3://b/x\n  storage: {region: eu, secret_access_key: x}",
        "4: workspace.storage.secret_access_key: a secret does not belong in a recipe; set AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, in the environment (docs/object_stores.md), and make new keys if "
        "others have seen these",
    ),
    pytest.param(
        "url: s3://b/x\n  storage: {region: eu, retry_s: soon}",
        "4: workspace.storage.retry_s: found 'soon', expected seconds above 0, such as 120",
    ),
    pytest.param(
        "url: s3://b/x\n  storage: {endpont: 'http://h', region: eu}",
        "4: workspace.storage.endpont: unknown key; did you mean 'endpoint'?",
    ),
    pytest.param(
        "url: s3://b/x\n  storage: {endpoint: h}",
        "4: workspace.storage.endpoint: found 'h', expected http://… or https://…",
    ),
    pytest.param(
        "url: s3://b/x\n  storage: {region: 3}", "4: workspace.storage.region: found 3, expected text; put it in quotes"
    ),
]


@pytest.mark.parametrize(("workspace", "line"), STORES)
def test_an_object_store_is_checked_by_its_url_and_options(folder: Path, workspace: str, line: str) -> None:
    found = problems(edited(("url: out", workspace)))
    assert f"demo.yaml:{line}" in found
    assert len([problem for problem in found if "storage: names" not in problem]) <= 1


def test_a_source_in_an_object_store_needs_the_same_options(folder: Path) -> None:
    assert place_problem(folder, ("path: recordings/web", "path: s3://bucket/web")) == (
        "demo.yaml:2: workspace.storage: names neither 'region' nor 'endpoint', expected one; add the"
        " region of the bucket"
    )


def test_sources_in_one_bucket_are_told_apart_by_their_prefix(folder: Path) -> None:
    storage = ("url: out", "url: out\n  storage: {region: eu}")
    apart = (("path: recordings/web", "path: s3://b/web"), ("path: recordings/arm", "path: s3://b/web2"))
    assert load(edited(storage, *apart)).recipe.sources[0].path == "s3://b/web2"
    inside = (apart[0], ("path: recordings/arm", "path: s3://b/web/2/"))
    assert problems(edited(storage, *inside)) == [
        "demo.yaml:8: sources[0].path: lies inside sources[1].path (s3://b/web); its recordings would come twice"
    ]


@pytest.mark.parametrize("name", ["x" * 300, '"a\\0b"'])
def test_names_no_machine_can_have_are_problems_not_crashes(folder: Path, name: str) -> None:
    found = problems(edited(("url: out", f"url: {name}"), ("path: recordings/web", f"path: {name}")))
    assert found[0].startswith("demo.yaml:3: workspace.url: found ")
    assert "expected a path this machine can have" in found[0]


def test_a_home_that_does_not_exist_is_a_folder_that_does_not_exist(folder: Path) -> None:
    assert place_problem(folder, ("path: recordings/web", "path: ~nobody-at-all/web")).startswith(
        "demo.yaml:11: sources[1].path: no folder at <folder>/~nobody-at-all/web"
    )
