"""What becomes of what pip-audit says."""

import json

import pytest

from scripts.audit import read

GOOD = {"name": "good", "version": "1.0", "vulns": []}
UNKNOWN = {"name": "unknown", "skip_reason": "Dependency not found and could not be audited: unknown (1.0)"}
BAD = {
    "name": "bad",
    "version": "1.0",
    "vulns": [
        {"id": "CVE-2026-1", "fix_versions": ["1.1", "2.0"], "aliases": [], "description": ""},
        {"id": "CVE-2026-2", "fix_versions": [], "aliases": [], "description": ""},
    ],
}


def report(*packages: dict[str, object]) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


def test_an_advisory_fails_and_says_what_mends_it() -> None:
    code, text = read(report(GOOD, BAD, UNKNOWN)).verdict
    assert code == 1
    assert "bad 1.0: CVE-2026-1, mended in 1.1, 2.0" in text
    assert "CVE-2026-2, not mended yet" in text


def test_what_could_not_be_looked_up_is_named_beside_what_could() -> None:
    assert read(report(GOOD, UNKNOWN)).verdict == (
        0,
        "1 pinned packages have no known vulnerabilities; not in the database: unknown.",
    )


@pytest.mark.parametrize("text", [report(UNKNOWN), report(), "", "Traceback …", "[]", '{"dependencies": null}'])
def test_without_the_database_there_is_a_notice_and_no_failure(text: str) -> None:
    code, said = read(text).verdict
    assert code == 0
    assert said.startswith("notice: the advisory database cannot be reached")
