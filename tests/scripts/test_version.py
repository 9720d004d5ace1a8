"""The version stands in pyproject.toml; what repeats it follows."""

import shutil
from datetime import date
from pathlib import Path

from scripts import version

ROOT = Path(__file__).parents[2]
DAY = date(2030, 1, 2)


def test_every_copy_says_what_pyproject_says() -> None:
    assert version.differing(ROOT) == []


def test_a_new_version_is_written_everywhere_and_dates_the_changes(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "CHANGELOG.md", *version.COPIES):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / name)
    before = (tmp_path / "CHANGELOG.md").read_text()
    version.main(tmp_path, "7.8.9", DAY)
    assert '\nversion = "7.8.9"\n' in (tmp_path / "pyproject.toml").read_text()
    assert version.differing(tmp_path) == []
    after = (tmp_path / "CHANGELOG.md").read_text()
    assert "## [Unreleased]\n\n## [7.8.9] - 2030-01-02\n" in after
    assert after.replace("\n## [7.8.9] - 2030-01-02\n", "", 1) == before


def test_a_copy_that_was_forgotten_is_named(tmp_path: Path) -> None:
    for name in ("pyproject.toml", *version.COPIES):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / name)
    (tmp_path / "server.json").write_text('{"version": "0.0.1"}')
    assert version.differing(tmp_path) == ["server.json"]
