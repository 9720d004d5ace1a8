"""What holds for the dashboard's own files: nothing inline, nothing foreign, no way from text to markup."""

import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from shutil import which

import pytest

from http_api.dashboard.routes import FILES

STATIC = Path(__file__).parents[3] / "http_api" / "dashboard" / "static"
SCRIPTS = sorted(STATIC.glob("*.js"))
MARKUP = (
    "innerHTML", "outerHTML", "insertAdjacentHTML", "setHTML", "document.write", "DOMParser", "createContextualFragment",
    "srcdoc", "eval(", "new Function", "import(", "javascript:", "createHTML", "setAttribute(\"on", "localStorage.setItem(\"gateway.token",
)  # fmt: skip
SVG_NAMESPACE = "http://www.w3.org/2000/svg"
LONGEST = 300


class Elements(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_the_table_names_every_file_that_is_there_and_no_other() -> None:
    assert {name for name, _ in FILES} == {path.name for path in STATIC.iterdir()}
    assert len({name for name, _ in FILES}) == len(FILES)


def test_the_page_has_nothing_inline() -> None:
    for tag, attributes in Elements((STATIC / "index.html").read_text("utf-8")).found:
        assert tag != "style"
        assert tag != "script" or "src" in attributes
        assert not any(name == "style" or name.startswith("on") for name in attributes)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_no_script_turns_text_into_markup_or_code(path: Path) -> None:
    text = path.read_text("utf-8")
    assert [word for word in MARKUP if word in text] == []
    assert not re.search(r"\bset(Timeout|Interval)\(\s*[\"'`]", text)


@pytest.mark.parametrize("name", [name for name, _ in FILES])
def test_nothing_names_another_host(name: str) -> None:
    text = (STATIC / name).read_text("utf-8").replace(SVG_NAMESPACE, "")
    text = text.replace("http://127.0.0.1:8000/v1", "")  # an example in a form
    assert re.findall(r"(?:https?:|wss?:)//[a-z0-9]\S*|url\([^)]*\)|@import", text) == []


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_says_what_it_is_and_stays_short(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    assert lines[0].startswith("// ")
    assert lines[0].endswith(".")
    assert len(lines) <= LONGEST


READ_MODULES = """
const { SourceTextModule } = require("node:vm");
for (const path of process.argv.slice(1)) new SourceTextModule(require("node:fs").readFileSync(path, "utf8"), { identifier: path });
"""


@pytest.mark.skipif(which("node") is None, reason="there is no node to read the scripts with")
def test_every_script_is_a_module_that_can_be_read() -> None:
    command = ["node", "--experimental-vm-modules", "--no-warnings", "--eval", READ_MODULES, *map(str, SCRIPTS)]
    read = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert (read.returncode, read.stderr) == (0, "")
