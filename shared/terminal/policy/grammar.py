"""The seam to the shell's grammar: a command line as a tree, or a refusal of what cannot be read with certainty.

The grammar comes from tree-sitter-bash, which is imported with the first line that is judged. It forgives mistakes and
is not bash, so whatever it is unsure of, and whatever it is known to split differently, is refused here.
"""

import re
from typing import TYPE_CHECKING

from shared.errors import Forbidden

if TYPE_CHECKING:
    from tree_sitter import Node

MAX_BYTES = 16_384
"""Of a command that is judged; a longer script belongs into a file."""
MAX_DEPTH = 150
MAX_NODES = 20_000

TEXT = frozenset({"string_content", "heredoc_content", '"', "$"})
EXPANDING = frozenset({"string", "heredoc_body"})
ON_ONE_LINE = frozenset({"command", "declaration_command", "unset_command", "file_redirect", "variable_assignments"})
TIGHT = frozenset({"simple_expansion", "variable_assignment", "translated_string"})
FRESH = frozenset({"command_substitution", "process_substitution"})
"""Where quotes mean again what they mean outside of a text."""
LITERAL = frozenset({"raw_string", "ansi_c_string", "comment", "heredoc_body", "heredoc_content", "heredoc_start"})
FREE_TEXT = frozenset({"string", "heredoc_body", "ansi_c_string", "raw_string"})
"""Nodes whose text is not wholly covered by their children; it is read from the source."""

_STRANGE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]")
_JOINED = re.compile(r"(?<=[^\s\\])(?:\\\\)*\\\n(?=\S)")
_GAP = re.compile(rb"(?:[ \t\n]|\\\n|(?<=[ \t\n])-(?=[ \t\n|;&<>)]|$))*")
"""Blanks, and a dash by itself, which the grammar drops."""
_EXPANDS = re.compile(rb"(?<!\\)(?:\\\\)*(?:`|\$[\w({\[@*#?$!-])")
_NESTED = re.compile(rb"\\[`$\\\\\"]")
_LINE_END = re.compile(rb"(?<!\\)\n")
_ENDS_WORD = re.compile(rb"(?<!\\)(?:\\\\)*[ \t\n;|&<>()'\"]")
_BEFORE_COMMENT = re.compile(rb"(?<!\\)[ \t\n;&|(]$")


class Unparsable(Forbidden):
    """A command that cannot be judged, so that an active policy refuses it."""

    code = "command_unparsable"

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The command cannot be read with certainty ({reason}), so the policy for this terminal refuses it; write "
            "it in a plainer way, or in steps."
        )


def parse(text: str) -> "Node":
    """The tree of a command line. Raises Unparsable."""
    source = text.encode("utf-8", "surrogatepass")
    if len(source) > MAX_BYTES:
        raise Unparsable(f"it has more than {MAX_BYTES} bytes")
    if _STRANGE.search(text):
        raise Unparsable("it holds control characters or unusual blanks")
    if _JOINED.search(text):
        raise Unparsable("a line ends in the middle of a word")
    root = _tree(source)
    if root.has_error:
        raise Unparsable("its syntax is not understood")
    _check(root, source)
    return root


def _tree(source: bytes) -> "Node":
    import tree_sitter
    import tree_sitter_bash

    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_bash.language())).parse(source).root_node


def _check(root: "Node", source: bytes) -> None:
    """Every byte belongs to something that was understood, and what the grammar takes for something else is not there.

    `quoted` says that a node is in an expansion in a text, where single quotes are characters like others.
    """
    nodes, seen = [(root, 0, False)], 0
    while nodes:
        node, depth, quoted = nodes.pop()
        seen += 1
        if depth > MAX_DEPTH or seen > MAX_NODES:
            raise Unparsable("it is too long or too deep")
        _check_node(node, source, quoted=quoted)
        text = node.type in EXPANDING or (quoted and node.type not in FRESH)
        nodes += [(child, depth + 1, text) for child in node.children]


def _check_node(node: "Node", source: bytes, *, quoted: bool) -> None:
    if node.type == "comment" and node.start_byte and not _BEFORE_COMMENT.search(source, 0, node.start_byte):
        raise Unparsable("a '#' stands in the middle of a word")
    if quoted and node.type in ("raw_string", "ansi_c_string"):
        raise Unparsable("a quote stands inside of an expansion in a text")
    if (
        node.type == "command_substitution"
        and source[node.start_byte] == ord("`")
        and _NESTED.search(source, node.start_byte, node.end_byte)
    ):
        raise Unparsable("backticks hold backslashes")
    if node.is_named and not node.children and node.type not in LITERAL:
        _check_text(node, source)
    leaf = node.type in ("word", "number", "variable_name") and not node.children
    if leaf and _ENDS_WORD.search(source, node.start_byte, node.end_byte):
        raise Unparsable("a word goes on where a shell ends it")
    if node.type not in FREE_TEXT:
        _check_gaps(node, source)
    elif node.type == "string" or (node.type == "heredoc_body" and not _is_quoted(node)):
        _check_text(node, source)


def _check_gaps(node: "Node", source: bytes) -> None:
    at, one_line = node.start_byte, node.type in ON_ONE_LINE
    tight = node.type in TIGHT and not (node.parent is not None and node.parent.type == "c_style_for_statement")
    for child in node.children:
        if child.start_byte > at and tight:
            raise Unparsable("a part of it is not understood")
        if child.start_byte > at and not _is_gap(source, at, child.start_byte, one_line=one_line):
            raise Unparsable("a part of it is not understood")
        at = max(at, child.end_byte)
    if node.children and not _is_gap(source, at, node.end_byte, one_line=one_line):
        raise Unparsable("a part of it is not understood")


def _is_gap(source: bytes, begin: int, end: int, *, one_line: bool) -> bool:
    found = _GAP.match(source, begin)
    return found is not None and found.end() >= end and not (one_line and _LINE_END.search(source, begin, end))


def _check_text(node: "Node", source: bytes) -> None:
    """No expansion in a text was taken for text."""
    at = node.start_byte
    for child in [*(part for part in node.children if part.type not in TEXT), None]:
        end = node.end_byte if child is None else child.start_byte
        if _EXPANDS.search(source, at, end):
            raise Unparsable("a part of a text is not understood")
        at = end if child is None else child.end_byte


def _is_quoted(body: "Node") -> bool:
    """Whether a here-document begins with a quoted word, so that nothing in it is expanded."""
    parent = body.parent
    start = next((part.text or b"" for part in parent.children if part.type == "heredoc_start"), b"") if parent else b""
    return any(character in start for character in b"'\"\\")
