"""What one chat costs in round trips and statements where processes share Redis and PostgreSQL: counts, as in smoke.py.

`python bench/smoke_shared.py` shows them; a test holds them against BOUNDS.
"""

import argparse

import smoke
from stores import stores

BOUNDS = {
    "Redis round trips": 1.1,
    "scripts in Redis": 1.1,
    "statements while it runs": 0,
}
"""For one chat; a tenth above what was counted when they were last set."""


def main() -> None:
    """Count, and show."""
    for name, value in counted().items():
        print(f"{name:52} {value:8.2f}   at most {BOUNDS[name]}")


def counted() -> dict[str, float]:
    """Everything that BOUNDS names. What is done once at the beginning is done before anything is counted."""
    with stores() as found:
        settings = {"redis_url": found.redis.url, "database_url": found.postgres.new_database("smoke")}
        with smoke.running(settings) as gateway:
            smoke.ask(gateway.port, stream=False)
            before = found.redis.round_trips(), found.redis.scripts()
            smoke.ask(gateway.port, stream=False)
            after = found.redis.round_trips(), found.redis.scripts()
            summary = gateway.finished()
    requests = smoke.WARM + smoke.REQUESTS
    return {
        "Redis round trips": (after[0] - before[0]) / requests,
        "scripts in Redis": (after[1] - before[1]) / requests,
        "statements while it runs": summary["statements while it runs"],
    }


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    main()
