"""Processes that a test watches."""

import psutil


def lives(process: psutil.Process) -> bool:
    """Whether it still does anything; a dead one may wait a moment for whoever reaps it."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
