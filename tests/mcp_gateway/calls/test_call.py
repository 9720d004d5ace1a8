"""The log line of a call."""

from typing import Any

import pytest

from mcp_gateway.calls import call
from shared.domain.identity import LOCAL
from shared.errors import Unavailable


class Recorder:
    """Takes what is logged."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def info(self, event: str, **facts: Any) -> None:
        self.lines.append(("info", facts))

    def warning(self, event: str, **facts: Any) -> None:
        self.lines.append(("warning", facts))


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    monkeypatch.setattr(call, "log", recorder)
    return recorder


def test_a_good_end_is_noted(logged: Recorder) -> None:
    with call.noted("tool chat", LOCAL):
        pass
    ((level, facts),) = logged.lines
    assert level == "info"
    assert (facts["what"], facts["outcome"], facts["caller"]) == ("tool chat", "ok", "local")


def test_what_only_the_operator_may_know_is_logged(logged: Recorder) -> None:
    with pytest.raises(Unavailable), call.noted("tool chat", LOCAL):
        raise Unavailable("Away.", operator_detail="host 10.0.0.1 refused", code="db_away")
    ((level, facts),) = logged.lines
    assert (level, facts["outcome"], facts["detail"]) == ("warning", "db_away", "host 10.0.0.1 refused")


def test_any_other_end_is_noted_too(logged: Recorder) -> None:
    with pytest.raises(KeyError), call.noted("tool chat", LOCAL):
        raise KeyError
    assert logged.lines[0][1]["outcome"] == "cancelled or failed"
