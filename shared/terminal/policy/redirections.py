"""Redirections in the tree: where they lead, and the words behind them that the grammar takes for part of them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from shared.terminal.policy.grammar import Unparsable
from shared.terminal.policy.words import SPLIT, heredoc_text, text_of

if TYPE_CHECKING:
    from tree_sitter import Node

KINDS = frozenset({"file_redirect", "heredoc_redirect", "herestring_redirect"})
WORDS = frozenset(
    {
        "word",
        "number",
        "string",
        "raw_string",
        "ansi_c_string",
        "translated_string",
        "concatenation",
        "simple_expansion",
        "expansion",
        "command_substitution",
        "process_substitution",
        "arithmetic_expansion",
        "brace_expression",
        "extglob_pattern",
    }
)
_COMPOSED = frozenset({"list", "pipeline", "negated_command", "redirected_statement"})
_COMMANDS = frozenset({"command", "declaration_command", "unset_command"})


def destination(node: "Node") -> "Node | None":
    """Where a file redirection leads; None for one that closes."""
    return next((child for child in node.children if child.type in WORDS), None)


def surplus(node: "Node") -> "Iterator[Node]":
    """The words behind a redirection's own, which are the command's: `env >file rm`."""
    own = 1 if node.type in ("file_redirect", "herestring_redirect") else 0
    for child in node.children:
        if child.type in WORDS:
            own -= 1
            if own < 0:
                yield child
        elif child.type in KINDS:
            yield from surplus(child)


def owner(statement: "Node") -> "Node":
    """The command that the words behind a statement's redirections belong to. Raises Unparsable when there is none."""
    node = statement
    while node.type in _COMPOSED:
        inner = [child for child in node.named_children if child.type not in KINDS]
        if not inner:
            break
        node = inner[-1]
    if node.type not in _COMMANDS:
        raise Unparsable("words stand behind a redirection")
    return node


def input_of(node: "Node", stdin: str | None) -> str | None:
    """What the redirections of a node make its input: a text, SPLIT for one that is not known, None for a file."""
    for child in node.children:
        if child.type == "heredoc_redirect":
            start = next((part.text or b"" for part in child.children if part.type == "heredoc_start"), b"").decode()
            body = next((part for part in child.children if part.type == "heredoc_body"), None)
            stdin = heredoc_text(body, start) if body is not None else ""
        elif child.type == "herestring_redirect":
            target = destination(child)
            stdin = SPLIT if target is None else text_of(target)
        elif child.type == "file_redirect" and any(part.type in ("<", "<&") for part in child.children):
            target = destination(child)
            known = target is not None and target.type not in ("process_substitution", "number")
            stdin = None if known else SPLIT
    return stdin
