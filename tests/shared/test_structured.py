"""structlog without rich, in processes of their own, since tests load both."""

import subprocess
import sys


def said_by(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)


def test_logging_loads_no_rich_and_rich_can_be_loaded_later() -> None:
    done = said_by(
        "import sys, shared.logging\n"
        "print([name for name in sys.modules if name.partition('.')[0] in ('rich', 'pygments')])\n"
        "import rich.pretty, rich.traceback\n"
        "print(rich.traceback.Traceback.__name__)"
    )
    assert done.stdout.split() == ["[]", "Traceback"]


def test_where_rich_was_loaded_before_it_stays() -> None:
    done = said_by(
        "import rich.traceback, rich.pretty, sys\n"
        "before = sys.modules['rich.pretty']\n"
        "import shared.logging\n"
        "print(sys.modules['rich.pretty'] is before)"
    )
    assert done.stdout.split() == ["True"]


def test_a_traceback_on_a_terminal_shows_no_values_of_variables() -> None:
    done = said_by(
        "import rich.traceback, sys\n"
        "from shared import logging\n"
        "from shared.structured import get_logger\n"
        "logging.configure('info', 'console')\n"
        "def work(key):\n"
        "    raise RuntimeError('broken')\n"
        "try:\n"
        "    work('sk-' + 'a-secret-of-somebody')\n"
        "except RuntimeError:\n"
        "    get_logger('x').exception('it failed')"
    )
    assert "it failed" in done.stderr
    assert "RuntimeError: broken" in done.stderr
    assert "sk-a-secret" not in done.stderr
