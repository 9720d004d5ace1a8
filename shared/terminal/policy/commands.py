"""From a command line to everything that it would do: each command in it, and the commands inside those."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.terminal.policy.acts import HIDDEN, Act
from shared.terminal.policy.directories import bases
from shared.terminal.policy.grammar import Unparsable, parse
from shared.terminal.policy.redirections import KINDS, destination, input_of, owner, surplus
from shared.terminal.policy.runs import RUNS_AGAIN, Runs
from shared.terminal.policy.words import ANY, MARKS, SPLIT, expand, joined, text_of, word_of

if TYPE_CHECKING:
    from tree_sitter import Node

MAX_NESTED = 8

FREE_FILES = re.compile(r"/dev/(?:null|zero|full|tty|stdin|stdout|stderr|fd/\d+)|&?\d*-?")
"""What may be written and read without a word."""

RESERVED = frozenset(b"{ } do done then fi else elif esac in if while until for case select function [[ ]] ((".split())

FORK_BOMB = "fork-bomb"
"""What rules call a function that starts itself again and again."""

_PROMPT = re.compile(r"@P\}$")
_SETS = re.compile(r"\$\{(\w+)(?:\[[^\]]*\])?:?=")
_REFERS = re.compile(rb"-[a-zA-Z]*n[a-zA-Z]*")
_PLAIN_GLOB = re.compile(r"[?*+@!]\([\w.*/-]+(?:\|[\w.*/-]*)+\)|[\w.*/-]*")
_NO_WORDS = KINDS | {"variable_assignment"}
_WORDS = frozenset({"command", "declaration_command", "unset_command"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a line does, the directories from which its relative paths may be meant, and what `~` is, if known.

    `scripts` are files whose text the line runs.
    """

    acts: tuple[Act, ...]
    scripts: tuple[str, ...] = ()
    directories: tuple[str, ...] = ()
    home: str = "~"


def seen(
    line: str,
    *,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
    home: str = "~",
) -> Seen:
    """Everything that a line would do with this input, these variables and in this directory. Raises Unparsable."""
    if not MARKS.isdisjoint(line):
        raise Unparsable("it holds control characters")
    reader = _Reader([cwd] if cwd else [])
    for name, value in (env or {}).items():
        reader.runs.assigned(name, value)
    reader.line(line, stdin)
    runs = reader.runs
    return Seen(
        acts=tuple(runs.acts), scripts=tuple(runs.scripts), directories=bases(runs.directories, home), home=home
    )


class _Reader:
    """Walks the tree of a line, and those of the lines in it. `behind` are words that stand behind redirections."""

    def __init__(self, directories: list[str]) -> None:
        self.runs = Runs(line=self.line, directories=directories)
        self.source = b""
        self.behind: dict[int, list[Node]] = {}
        self.depth = 0

    def line(self, text: str, stdin: str | None) -> None:
        """A line for a shell; one with unknown parts may be any command, and what is written out counts too."""
        if not MARKS.isdisjoint(text):
            self.runs.add(HIDDEN)
            for mark in MARKS:
                text = text.replace(mark, "$_")
        if self.depth >= MAX_NESTED:
            raise Unparsable("it is nested too deep")
        if not text.strip():
            return
        root, before = parse(text), self.source
        self.source = root.text or b""
        self.depth += 1
        try:
            self.visit(root, stdin)
        finally:  # one that cannot be read may still be none to worry about
            self.source = before
            self.depth -= 1

    def visit(self, node: "Node", stdin: str | None) -> None:
        """A node and what is in it. `stdin` is the text that its commands read; None where there is none."""
        own = stdin
        match node.type:
            case "redirected_statement" | "command":
                own = input_of(node, stdin)
                self.words_behind(node)
            case "function_definition":
                own = SPLIT  # what it is called with is not known here
                if _multiplies(node):
                    self.runs.add(Act(words=(FORK_BOMB,)))
            case "variable_assignment":
                self.assignment(node)
            case "raw_string" | "string" if RUNS_AGAIN.search((node.text or b"").decode("utf-8", "replace")):
                self.runs.add(HIDDEN)
            case "file_redirect":
                self.redirect(node)
            case "for_statement" | "select_statement" if name := node.child_by_field_name("variable"):
                self.runs.assigned((name.text or b"").decode("utf-8", "replace"), ANY)
            case "process_substitution" if (node.text or b"").startswith(b">"):
                own = SPLIT
            case "expansion":
                self.expansion((node.text or b"").decode("utf-8", "replace"))
            case "extglob_pattern" if not _PLAIN_GLOB.fullmatch((node.text or b"").decode("utf-8", "replace")):
                self.runs.add(HIDDEN)  # zsh runs what stands in some
        if node.type in _WORDS:
            self.command(node, own)
        if node.children and node.children[0].type == "((":
            self.arithmetic((node.text or b"").decode("utf-8", "replace"), own)
        piped = False
        for child in node.children:
            piped = piped or child.type in ("|", "|&")
            self.visit(child, SPLIT if piped else own)

    def words_behind(self, node: "Node") -> None:
        """Find the words behind the redirections of a node, and whose they are."""
        found = [word for child in node.children if child.type in KINDS for word in surplus(child)]
        if found:
            self.behind.setdefault(owner(node).id, []).extend(found)

    def arithmetic(self, text: str, stdin: str | None) -> None:
        """Arithmetic to bash is a subshell in a subshell to shells that have none."""
        try:
            self.line(text.removeprefix("((").removesuffix("))"), stdin)
        except Unparsable:
            return  # it is none to those either

    def command(self, node: "Node", stdin: str | None) -> None:
        """A simple command: its words, some of which may stand behind its redirections."""
        parts = sorted([*node.children, *self.behind.pop(node.id, ())], key=lambda part: part.start_byte)
        words: list[str] = []
        end, is_word = -1, False
        for part in parts:
            touches, was_word, is_word = part.start_byte == end, is_word, part.type not in _NO_WORDS
            if words and b"-" in self.source[end : part.start_byte]:
                words.append("-")  # which the grammar drops
            if part.type == "variable_assignment" and node.type == "declaration_command":
                words.append(text_of(part.children[0]) + "=" + _assigned(part) if part.children else ANY)
            elif is_word and touches and not was_word:
                raise Unparsable("two words touch each other")
            elif is_word and touches:  # the grammar splits some words that a shell does not
                words.append(joined(words.pop(), self.source[:end], word_of(part), self.source[end:]))
            elif is_word:
                words.append(word_of(part))
            end = part.end_byte
        if node.type == "command" and (node.child_by_field_name("name") or node).text in RESERVED:
            raise Unparsable("a reserved word stands in an unusual place")
        self.runs.run([word for each in words for word in expand(each)], stdin)

    def assignment(self, node: "Node") -> None:
        name, text = node.children[0], _assigned(node)
        plain = re.match(r"\w*", (name.text or b"").decode("utf-8", "replace"))
        self.runs.assigned(plain[0] if plain else "", text)
        if (parent := node.parent) is not None and any(_REFERS.fullmatch(part.text or b"") for part in parent.children):
            self.runs.assigned(text, ANY)  # what is assigned to the one goes into the other

    def expansion(self, text: str) -> None:
        """An expansion: some read their value as a prompt, with the commands in it, and some set the variable."""
        if _PROMPT.search(text):
            self.runs.add(HIDDEN)
        if found := _SETS.match(text):
            self.runs.assigned(found[1], ANY)

    def redirect(self, node: "Node") -> None:
        target = destination(node)
        kinds = {child.type for child in node.children}
        if target is None or target.type == "process_substitution" or FREE_FILES.fullmatch(path := text_of(target)):
            return
        if kinds & {"<", "<&"}:
            self.runs.add(Act(reads=(path,)))
        else:
            self.runs.add(Act(writes=(path,)))


def _assigned(assignment: "Node") -> str:
    """The value in an assignment."""
    value = assignment.children[-1]
    return "" if value.type in ("=", "+=") else ANY if value.type == "array" else text_of(value)


def _multiplies(function: "Node") -> bool:
    """Whether a function calls itself more than once at a time."""
    name = function.child_by_field_name("name")
    body = function.child_by_field_name("body")
    if name is None or body is None:
        return False
    calls, nodes, together = 0, [body], False
    while nodes:
        node = nodes.pop()
        calls += node.type == "command_name" and node.text == name.text
        together = together or node.type in ("|", "|&", "&")
        nodes += node.children
    return calls > 0 and together
