"""Set the version: in pyproject.toml, which every running copy takes it from, in its copies and in the changelog."""

import re
import sys
import tomllib
from datetime import UTC, date, datetime
from pathlib import Path

from packaging.version import InvalidVersion, Version

ROOT = Path(__file__).parents[1]
UNRELEASED = "## [Unreleased]\n"
COPIES = {
    "server.json": r'("version": ")[^"]+(")',
    "deploy/helm/Chart.yaml": r"(^(?:version|appVersion): )\S+($)",
    "README.md": r"(^AI MCP Gateway )\S+( is ready\.$)",
}
"""Files that repeat the version for readers which cannot look it up, with the text around each place."""


def main(root: Path, version: str, today: date) -> None:
    """Write the version everywhere, and give the changelog's unreleased entries its heading."""
    project = root / "pyproject.toml"
    text, count = re.subn(r'(?m)^(version = ")[^"]+(")$', rf"\g<1>{version}\g<2>", project.read_text("utf-8"))
    if count != 1:
        raise SystemExit("error: pyproject.toml has no single line 'version = \"…\"'.")
    project.write_text(text, "utf-8")
    for name, pattern in COPIES.items():
        text = (root / name).read_text("utf-8")
        (root / name).write_text(re.sub(pattern, rf"\g<1>{version}\g<2>", text, flags=re.MULTILINE), "utf-8")
    changes = root / "CHANGELOG.md"
    heading = f"{UNRELEASED}\n## [{version}] - {today.isoformat()}\n"
    changes.write_text(changes.read_text("utf-8").replace(UNRELEASED, heading, 1), "utf-8")


def differing(root: Path) -> list[str]:
    """The copies that do not say what pyproject.toml says."""
    version = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    found = {
        name: [match[0] for match in re.finditer(pattern, (root / name).read_text("utf-8"), re.MULTILINE)]
        for name, pattern in COPIES.items()
    }
    return [name for name, places in found.items() if not places or any(version not in place for place in places)]


if __name__ == "__main__":
    try:
        wanted = str(Version(sys.argv[1]))
    except (IndexError, InvalidVersion):
        raise SystemExit("error: say which version: make version VERSION=1.2.3") from None
    main(ROOT, wanted, datetime.now(UTC).date())
