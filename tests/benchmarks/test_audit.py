"""The audit fails on what it should, and never says "none" where it could not look."""

from importlib.metadata import distribution

import pytest

from benchmarks.audit import code, is_allowed, licences, pinned, stated, vulnerabilities


@pytest.mark.parametrize(
    "licence", ["MIT", "Apache-2.0 OR BSD-2-Clause", "ISC License (ISCL)", "Mozilla Public License 2.0 (MPL 2.0)"]
)
def test_a_permissive_licence_passes(licence: str) -> None:
    assert is_allowed(licence)


@pytest.mark.parametrize("licence", ["", "GPL-3.0-only", "MIT AND AGPL-3.0", "Proprietary", "BSD License; GPL v2"])
def test_any_other_licence_fails(licence: str) -> None:
    assert not is_allowed(licence)


def test_every_dependency_has_a_licence_that_is_on_the_list() -> None:
    names = pinned()
    assert {"numpy", "torch", "cryptography"} <= set(names)
    assert licences(names).failures == ()
    assert stated(distribution("pydantic")) == "MIT"


def test_a_known_vulnerability_fails() -> None:
    vulnerable = {"name": "a", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["2"]}]}
    part = vulnerabilities([vulnerable, {"name": "b", "version": "1", "vulns": []}])
    assert part.failures == ("a 1: CVE-1 (mended in 2)",)
    assert part.lines == ("2 of 2 packages looked up, 1 known vulnerabilities",)


def test_a_service_that_does_not_answer_is_told_apart_from_no_vulnerability() -> None:
    """pip-audit itself says "No known vulnerabilities found" when it could ask about none."""
    part = vulnerabilities([{"name": "a", "skip_reason": "not found"}, {"name": "b", "skip_reason": "not found"}])
    assert part.lines[0] == "0 of 2 packages looked up, 0 known vulnerabilities"
    assert "NOT LOOKED UP: 2" in part.lines[1]


def test_a_finding_of_high_severity_in_the_code_fails() -> None:
    found = {"filename": "a.py", "line_number": 3, "test_id": "B602", "test_name": "shell", "issue_text": "shell=True"}
    low = {**found, "issue_severity": "LOW"}
    part = code({"results": [low, {**found, "issue_severity": "HIGH"}], "errors": []})
    assert part.failures == ("a.py:3: B602 shell=True",)
    assert part.lines[0] == "1 high, 0 medium, 1 low"
    assert code({"results": [], "errors": [{"filename": "b.py", "reason": "syntax"}]}).failures == ("b.py: syntax",)
