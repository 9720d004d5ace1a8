"""Administrators at a session: what its owner sees, and when they begin anew."""

from datetime import UTC, datetime, timedelta

from shared.terminal.watchers import Watchers


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def test_reading_on_is_one_watch_and_reading_after_a_pause_another() -> None:
    clock = Clock()
    watchers = Watchers(clock)
    assert watchers.looks("a", "ann")
    assert not watchers.looks("a", "ann")
    clock.now += timedelta(seconds=61)
    assert watchers.looks("a", "ann")
    with watchers.following("a"):
        clock.now += timedelta(hours=1)
        assert not watchers.looks("a", "ann")
        (shown,) = watchers.shown
        assert (shown.name, shown.watching, shown.took_over) == ("ann", True, False)
    (shown,) = watchers.shown
    assert (shown.watching, shown.last_seen) == (False, clock.now)


def test_typing_is_noted_for_good() -> None:
    clock = Clock()
    watchers = Watchers(clock)
    assert watchers.types("a", "ann")
    assert not watchers.types("a", "ann")
    clock.now += timedelta(seconds=61)
    assert watchers.types("a", "ann")
    assert watchers.shown[0].took_over
