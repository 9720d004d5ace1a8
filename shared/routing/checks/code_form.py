"""Whether the code in two answers is the same but for layout, comments and the names of local variables. Pure."""

import ast
import re
import warnings
from collections.abc import Iterator, Sequence

import orjson

from shared.routing.checks.blocks import Block, parsed

LONGEST = 20_000
DEEPEST = 40

COMMENT = re.compile(r"^\s*(?://|#(?!include|define|if|endif|else|pragma|!)|--(?!>)).*$")
PYTHON = frozenset({"python", "py", "python3"})


def same_code(one: Sequence[Block], other: Sequence[Block]) -> bool:
    """Whether two answers hold the same blocks, in order."""
    return len(one) == len(other) and all(_same(mine, theirs) for mine, theirs in zip(one, other, strict=True))


def tree_of(code: str) -> str | None:
    """The syntax tree of Python code without comments, docstrings, annotations and local names; None when it is none."""
    if len(code) > LONGEST or _depth(code) > DEEPEST:
        return None
    try:
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(code)
        return ast.dump(_Plain(_local_names(tree)).visit(tree))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def is_expression_of_code(text: str) -> bool:
    """Whether a text without a fence is a line of Python that computes: a call, an operation, a definition."""
    if tree_of(text) is None:
        return False
    kinds = (ast.Call, ast.BinOp, ast.Subscript, ast.FunctionDef, ast.Lambda, ast.Assign, ast.comprehension)
    return any(isinstance(node, kinds) for node in ast.walk(ast.parse(text)))


def _same(one: Block, other: Block) -> bool:
    (mine, first), (theirs, second) = one, other
    if mine in PYTHON or theirs in PYTHON or mine == theirs == "":
        trees = tree_of(first), tree_of(second)
        if None not in trees:
            return trees[0] == trees[1]
    values = parsed(first), parsed(second)
    if None not in values:
        return orjson.dumps(values[0], option=orjson.OPT_SORT_KEYS) == orjson.dumps(
            values[1], option=orjson.OPT_SORT_KEYS
        )
    return mine == theirs and _lines(first) == _lines(second)


def _lines(code: str) -> list[str]:
    """The lines of code without those that are only a comment."""
    return [line.rstrip() for line in code.splitlines() if line.strip() and not COMMENT.match(line)]


def _depth(code: str) -> int:
    """How deeply brackets are nested at most, brackets in strings included."""
    depth = deepest = 0
    for character in code:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    return deepest


def _local_names(tree: ast.Module) -> dict[str, str]:
    """Another name for each variable that only functions assign to, by the order in which they come.

    Names that anything outside could use keep theirs: parameters, and what modules and classes define.
    """
    kept = set(_outer_names(tree))
    names: dict[str, str] = {}
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            for node in ast.walk(function):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id not in kept:
                    names.setdefault(node.id, f"local {len(names)}")
    return names


def _outer_names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Global | ast.Nonlocal):
            yield from node.names
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            yield node.name
        elif isinstance(node, ast.MatchMapping) and node.rest:
            yield node.rest
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).partition(".")[0]
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        if isinstance(node, ast.Module | ast.ClassDef):
            yield from _assigned(node)


def _assigned(scope: ast.Module | ast.ClassDef) -> Iterator[str]:
    """The names that a module or class assigns to, not those of the functions in it."""
    waiting: list[ast.AST] = list(scope.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            waiting.extend(ast.iter_child_nodes(node))


class _Plain(ast.NodeTransformer):
    def __init__(self, names: dict[str, str]) -> None:
        self._names = names

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(id=self._names.get(node.id, node.id), ctx=node.ctx)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        return ast.arg(arg=node.arg)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self._without_docstring(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        node.returns = None
        return self._without_docstring(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._without_docstring(node)

    def visit_Module(self, node: ast.Module) -> ast.AST:
        return self._without_docstring(node)

    def _without_docstring(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module) -> ast.AST:
        first = node.body[0] if node.body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            node.body = node.body[1:]
        return self.generic_visit(node)
