"""What must hold for every file of the repository, whoever wrote it."""

import ast
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests.test_import_floors import imported

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("schemas", "pipeline", "annotators", "clustering", "trainer", "jobs", "data_cards")

REGISTRY_HOSTS = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("download", "pytorch", "org"),
        ("conda", "anaconda", "org"),
        ("registry", "npmjs", "org"),
        ("proxy", "golang", "org"),
        ("crates", "io"),
    )
]
"""Joined here so that this file does not name them: an installation must work from whatever index pip is set to."""
MACHINE_PATH = re.compile(r"(?<![\w.~/-])/(?:" + "work|root" + r")/|(?<![\w.~/-])/home/\w")
LOCK_FILES = ("uv.lock", "pylock.toml", "poetry.lock")
NAMES_THAT_SAY_NOTHING = ("utils", "util", "helpers", "helper", "misc", "manager", "common", "base")
MOST_LINES, MOST_LINES_OF_TESTS = 450, 650
"""A specification may be longer than what it specifies."""

WITHOUT_OWN_TEST = {
    "pipeline/sandbox/brokered_files.py": "tests/pipeline/sandbox/test_broker.py has both ends talk to each other",
    "pipeline/sandbox/inside.py": "tests/pipeline/sandbox/test_decoder.py: every item is done by it",
    "pipeline/sandbox/landlock.py": "tests/pipeline/sandbox/test_decoder.py tries to get out",
    "pipeline/sandbox/nursery.py": "tests/pipeline/sandbox/test_decoder.py kills it and its children",
    "pipeline/sandbox/nursery_process.py": "tests/pipeline/sandbox/test_decoder.py starts and ends it",
    "pipeline/sandbox/syscalls.py": "tests/pipeline/sandbox/test_decoder.py tries to get out",
    "pipeline/sources/natural_order.py": "tests of aloha and robomimic have an episode 10 after episode 9",
    "annotators/review/caller.py": "tests/annotators/review/test_guard.py has every role over HTTP",
    "annotators/review/comments.py": "asked over HTTP: tests/annotators/review/test_concurrent.py",
    "annotators/review/conflicts.py": "asked over HTTP: tests/annotators/review/test_concurrent.py",
    "annotators/review/media_registry.py": "tests/annotators/review/test_{server,quarantine}.py ask for pictures",
    "annotators/review/preparing.py": "tests/jobs/test_review_serve.py waits for pictures",
    "annotators/review/queue_listing.py": "tests/annotators/review/test_{server,concurrent}.py look at the queue",
    "annotators/review/refusal.py": "every refusal of tests/annotators/review/test_guard.py is one",
    "annotators/review/routes_app.py": "asked over HTTP: tests/annotators/review/test_{server,guard}.py",
    "annotators/review/routes_conflicts.py": "asked over HTTP: tests/annotators/review/test_{concurrent,copies}.py",
    "annotators/review/routes_episode.py": "asked over HTTP: tests/annotators/review/test_{server,concurrent}.py",
    "annotators/review/routes_media.py": "asked over HTTP: tests/annotators/review/test_{server,guard}.py",
    "annotators/review/routes_numbers.py": "asked over HTTP: tests/annotators/review/test_concurrent.py",
    "annotators/review/routes_people.py": "asked over HTTP: tests/annotators/review/test_{guard,quarantine}.py",
    "annotators/review/routes_queue.py": "asked over HTTP: tests/annotators/review/test_{server,concurrent}.py",
    "annotators/review/routes_search.py": "asked over HTTP: tests/jobs/test_review_serve.py",
    "annotators/review/routes_session.py": "asked over HTTP: tests/annotators/review/test_guard.py",
    "annotators/review/routes_talk.py": "asked over HTTP: tests/annotators/review/test_{concurrent,quarantine}.py",
    "annotators/review/serving.py": "tests/annotators/review/live.py is served by it",
    "annotators/review/sessions.py": "tests/annotators/review/test_guard.py has every way in",
    "annotators/review/formats/xml_document.py": "tests of formats/elan and formats/cvat read good and bad documents",
    "clustering/dedup_report.py": "tests/clustering/test_dedup.py holds what is told against what was found",
    "clustering/same_recording.py": "tests/clustering/test_dedup.py has a recording cut and named anew",
    "jobs/ablate_page.py": "tests/jobs/test_ablate.py reads the page of a whole ablation",
    "jobs/ablate_write.py": "tests/jobs/test_ablate.py reads what it leaves",
    "jobs/asking.py": "tests/jobs/test_captions_by_model.py runs with servers that answer, die and are not there",
    "jobs/commands/ablating.py": "driven as a user does: tests/jobs/test_ablate.py",
    "jobs/commands/compressing.py": "driven as a user does: tests/jobs/test_compress.py",
    "jobs/commands/operating.py": "driven as a user does: tests/jobs/test_{gc,backup,upgrade}.py, doctor/",
    "jobs/commands/pretrained.py": "driven as a user does: tests/trainer/test_large_models.py",
    "jobs/encode.py": "tests/trainer/test_large_models.py encodes, trains and hands a tower back",
    "trainer/latent_cache.py": "tests/trainer/test_inputs.py has latents kept, found and not found",
    "jobs/commands/cards.py": "driven as a user does: tests/jobs/test_cards.py",
    "jobs/commands/evaluating.py": "driven as a user does: tests/jobs/test_evaluate.py",
    "jobs/commands/forgetting.py": "driven as a user does: tests/jobs/test_forget.py",
    "jobs/commands/judging.py": "driven as a user does: tests/jobs/test_{cli,score,view}.py",
    "jobs/commands/judging_models.py": "driven as a user does: tests/jobs/test_{probe,evaluate_video}.py",
    "jobs/commands/looking.py": "driven as a user does: tests/jobs/test_{cli,search,duplicates}.py",
    "jobs/commands/recovering.py": "driven as a user does: tests/jobs/test_recover.py",
    "jobs/commands/reporting.py": "driven as a user does: tests/jobs/report/test_report.py",
    "jobs/commands/reviewing.py": "driven as a user does: tests/jobs/test_review_*.py",
    "jobs/commands/running.py": "driven as a user does: tests/jobs/test_cli.py",
    "jobs/commands/shard_sets.py": "driven as a user does: tests/jobs/test_{cli,compile,export}.py",
    "jobs/commands/terminal.py": "tests/jobs/test_cli.py has every kind of error and its exit status",
    "jobs/estimate.py": "tests/jobs/test_captions_by_model.py compares it with what is asked",
    "jobs/forget_names.py": "tests/jobs/test_forget.py names episodes by all they are called, and copies",
    "jobs/inline.py": "the reference executor of tests/jobs/test_same_bytes.py",
    "jobs/listing.py": "tests/jobs/test_rerun.py lists, moves, doubles and grows sources",
    "jobs/plan.py": "tests/jobs/test_cli.py drives it as a user does",
    "jobs/report/corpus_sections.py": "tests/jobs/report/ reads the page they make, as HTML and in a browser",
    "jobs/report/event_sections.py": "the same",
    "jobs/report/training_sections.py": "the same",
    "jobs/review_backup.py": "driven as a user does: tests/jobs/test_review_serve.py",
    "jobs/review_search.py": "asked over HTTP: tests/jobs/test_review_serve.py",
    "jobs/review_finished.py": "tests/jobs/test_{review_agreement,human_truth}.py: who has finished what",
    "jobs/rollout_film.py": "tests/jobs/test_evaluate.py makes one and counts its frames",
    "jobs/show.py": "tests/jobs/test_cli.py drives it as a user does",
    "jobs/show_cards.py": "tests/jobs/test_cards.py drives it as a user does",
    "jobs/show_evaluation.py": "tests/jobs/test_evaluate.py drives it as a user does",
    "jobs/show_compress.py": "tests/jobs/test_compress.py drives it as a user does",
    "jobs/show_duplicates.py": "tests/jobs/test_duplicates.py drives it as a user does",
    "jobs/show_forget.py": "tests/jobs/test_forget.py drives it as a user does",
    "jobs/show_doctor.py": "tests/jobs/doctor/test_examine.py drives it as a user does",
    "jobs/show_upkeep.py": "tests/jobs/test_{gc,backup,upgrade}.py drive it as a user does",
    "jobs/show_review.py": "tests/jobs/test_review_*.py drive it as a user does",
    "jobs/commands/spending.py": "driven as a user does: tests/jobs/test_expenses.py",
    "jobs/telemetry/watcher.py": "every run of tests/jobs/telemetry/ tells its watchers through it",
    "jobs/trace.py": "tests/jobs/test_cli.py drives it as a user does",
    "jobs/withheld.py": "tests/jobs/test_cards.py: what a run prints is what its card counts",
    "pipeline/cards/body_data.py": "tests/pipeline/cards/test_body.py has the sections of both",
    "pipeline/cards/body_people.py": "tests/pipeline/cards/test_body.py has the sections of both",
    "pipeline/simulators/contacts.py": "needs MuJoCo: tests/pipeline/simulators/test_robosuite_lift.py lifts",
    "pipeline/simulators/eye.py": "needs MuJoCo: tests/pipeline/simulators/test_robosuite_lift.py looks",
    "pipeline/simulators/pictures.py": "tests/pipeline/{synthetic/test_task,simulators/test_piped}.py look at some",
    "trainer/eval/environment.py": "a protocol; tests/jobs/test_environments.py has what implements it",
    "pipeline/cards/rows.py": "every number of tests/pipeline/cards/test_count.py comes through it",
    "pipeline/upkeep/age.py": "tests/jobs/test_gc.py gives ages, and one that is none",
    "pipeline/loader/signed_folder.py": "tests/pipeline/shards/test_sign.py changes files between signing and reading",
    "pipeline/upkeep/backup.py": "tests/jobs/test_backup.py restores what it has made",
    "pipeline/upkeep/garbage.py": "tests/jobs/test_gc.py has every kind of it, removed and not missed",
    "pipeline/upkeep/upgrade.py": "tests/jobs/test_upgrade.py has every deed, and tables of earlier versions",
    "pipeline/table_format.py": "tests/jobs/test_upgrade.py has columns that differ in every way",
    "pipeline/upkeep/snapshot.py": "tests/jobs/test_backup.py takes one in the middle of a run",
    "pipeline/forget/gather.py": "tests/jobs/test_forget.py takes out of whole workspaces what it has found",
    "pipeline/forget/mentions.py": "as gather: what it misses the proof finds",
    "pipeline/forget/remove.py": "tests/jobs/test_forget{,_killed,_again}.py: what it leaves the proof finds",
}
"""Modules with logic and no test file of their own, and why."""


@cache
def files() -> tuple[Path, ...]:
    """Files that are tracked or would be: everything git does not ignore."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    paths = (ROOT / name for name in listed.stdout.split("\0") if name)
    return tuple(sorted(path for path in paths if path.is_file()))


@cache
def texts() -> dict[str, str]:
    """Path below the root → contents, for every file that is text."""
    found = {}
    for path in files():
        raw = path.read_bytes()
        if b"\0" not in raw:
            found[path.relative_to(ROOT).as_posix()] = raw.decode("utf-8")
    return found


def modules() -> dict[str, str]:
    return {name: text for name, text in texts().items() if name.endswith(".py")}


def test_no_file_names_a_package_registry() -> None:
    assert [(name, host) for name, text in texts().items() for host in REGISTRY_HOSTS if host in text] == []


def test_no_file_names_a_path_of_one_machine() -> None:
    found = [
        f"{name}:{number}: {line.strip()}"
        for name, text in texts().items()
        for number, line in enumerate(text.splitlines(), 1)
        if MACHINE_PATH.search(line)
    ]
    assert found == []


def test_a_machine_path_would_be_found() -> None:
    for path in ("/ro" + "ot/x", "'/wo" + "rk/main'", "cd /ho" + "me/ann/x"):
        assert MACHINE_PATH.search(path), path
    for harmless in ("frame/wo" + "rk/x", "https://example.org/wo" + "rk/", "~/ho" + "me/x"):
        assert not MACHINE_PATH.search(harmless), harmless


def test_there_are_no_lock_files() -> None:
    assert [path for path in files() if path.name in LOCK_FILES] == []


def test_file_names_say_what_is_inside() -> None:
    assert [path for path in files() if path.stem in NAMES_THAT_SAY_NOTHING] == []


def test_every_module_says_what_it_is_for() -> None:
    assert [name for name, text in modules().items() if not ast.get_docstring(ast.parse(text))] == []


def test_no_module_outgrows_a_reader() -> None:
    lengths = {name: text.count("\n") for name, text in modules().items()}
    assert {
        name: lines
        for name, lines in lengths.items()
        if lines > (MOST_LINES_OF_TESTS if name.startswith("tests/") else MOST_LINES)
    } == {}


def test_folders_stay_shallow() -> None:
    """Two levels below a top-level package at most, so that any behaviour is found by its noun."""
    assert [name for name in modules() if name.split("/")[0] in PACKAGES and name.count("/") > 3] == []


def _has_logic(source: str) -> bool:
    return any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in ast.walk(ast.parse(source)))


def _own_test(name: str) -> str:
    path = Path(name)
    return f"tests/{path.parent.as_posix()}/test_{path.name}"


@cache
def _imported_by_tests() -> frozenset[str]:
    """Modules that some test imports, as paths below the root."""
    names = {name for test, text in modules().items() if "/test_" in test for _, name in imported(text)}
    return frozenset(f"{part.replace('.', '/')}.py" for name in names for part in (name, name.rpartition(".")[0]))


def test_every_module_with_logic_is_tested() -> None:
    """By the test file that mirrors it, or where several small modules are one thing, by a test that imports it.

    The parts of a source format (``ros_clock.py`` of ``ros_bag.py``) are tested as what they make up together.
    """
    missing = [
        name
        for name, text in modules().items()
        if name.split("/")[0] in PACKAGES
        and _has_logic(text)
        and not (ROOT / _own_test(name)).is_file()
        and name not in _imported_by_tests()
        and not _is_part_of_a_tested_format(name)
        and name not in WITHOUT_OWN_TEST
    ]
    assert missing == [], "no test of their own; write tests/<folder>/test_<file>.py or give a reason"


def _is_part_of_a_tested_format(name: str) -> bool:
    """A format's tests stand beside each other: ``test_umi_zarr.py`` may hold those of ``umi_buffer.py``."""
    folder, _, stem = name.removesuffix(".py").rpartition("/")
    if folder != "schemas/recipe_formats" and not f"{folder}/".startswith("pipeline/sources/"):
        return False
    family = stem.split("_")[0]
    return any((ROOT / "tests" / "pipeline" / "sources").rglob(f"test_{family}*.py"))


def test_exceptions_to_the_mirror_are_still_needed() -> None:
    stale = [name for name in WITHOUT_OWN_TEST if not (ROOT / name).is_file() or (ROOT / _own_test(name)).is_file()]
    assert stale == []


def test_the_licence_is_the_apache_text_as_published() -> None:
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert licence.strip().startswith("Apache License\n                           Version 2.0, January 2004")
    assert "Copyright [yyyy] [name of copyright owner]" in licence, "the appendix stays a template"
    assert len(licence.splitlines()) == 202


def test_what_a_run_makes_is_never_committed() -> None:
    suffixes = {".tar", ".parquet", ".lance", ".mp4", ".pt", ".safetensors", ".log"}
    assert [path for path in files() if path.suffix in suffixes and "tests" not in path.parts] == []
