"""Look the pinned packages up in the advisory database; a notice, and no failure, where it cannot be reached."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
SECONDS_EACH = "5"
MOST_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Findings:
    """What was learned: a line for each advisory, how many packages were looked up, and which could not be."""

    advisories: tuple[str, ...] = ()
    looked_up: int = 0
    unknown: tuple[str, ...] = ()

    @property
    def verdict(self) -> tuple[int, str]:
        """The exit code, and what to say."""
        if self.advisories:
            return 1, "\n".join(("Known vulnerabilities in what is pinned:", *self.advisories))
        if not self.looked_up:
            return 0, "notice: the advisory database cannot be reached from here, so nothing was audited."
        missing = f"; not in the database: {', '.join(self.unknown)}" if self.unknown else ""
        return 0, f"{self.looked_up} pinned packages have no known vulnerabilities{missing}."


def read(report: str) -> Findings:
    """The findings in what pip-audit wrote as JSON; nothing where it wrote none, as when it has no network."""
    try:
        packages = list(json.loads(report)["dependencies"])
    except (ValueError, KeyError, TypeError):
        return Findings()
    advisories = [
        f"  {package['name']} {package['version']}: {found['id']}, "
        + (f"mended in {', '.join(found['fix_versions'])}" if found["fix_versions"] else "not mended yet")
        for package in packages
        for found in package.get("vulns", ())
    ]
    unknown = tuple(package["name"] for package in packages if "skip_reason" in package)
    return Findings(tuple(advisories), len(packages) - len(unknown), unknown)


def main() -> int:
    """Returns the exit code: 1 only when something is known to be vulnerable."""
    command = [
        str(Path(sys.executable).with_name("pip-audit")),
        "--requirement=constraints.txt",
        "--disable-pip",
        "--no-deps",
        "--format=json",
        "--progress-spinner=off",
        f"--timeout={SECONDS_EACH}",
    ]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=MOST_SECONDS, check=False)
        report = done.stdout
    except subprocess.TimeoutExpired:
        report = ""
    code, text = read(report).verdict
    sys.stdout.write(f"{text}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
