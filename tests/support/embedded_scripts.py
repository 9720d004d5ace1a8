"""Small scripts that behave as the embedded model's process does, or misbehave."""

import sys

ENDS_WITH_STDIN = (
    'import sys; sys.stdin.readline(); print(\'{"address": "http://127.0.0.1:9"}\', flush=True); sys.stdin.read()'
)
CRASHES = "raise SystemExit('crashed')"


def script(body: str) -> list[str]:
    return [sys.executable, "-S", "-E", "-c", body]
