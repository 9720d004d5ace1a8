"""What a serving process does about memory, seen from outside: glibc's own count of its arenas, and the collector's."""

import ctypes
import gc
import subprocess
import sys

import pytest

WORK = """
import ctypes, sys, threading
from http_api import memory
if sys.argv[1:]:
    memory.share_one_arena()
together = threading.Barrier(4)
def work():
    ctypes.CDLL(None).malloc(1000)
    together.wait()
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
ctypes.CDLL(None).malloc_stats()
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_stats"), reason="not glibc")
def test_all_threads_allocate_from_one_arena() -> None:
    def arenas(*arguments: str) -> int:
        done = subprocess.run([sys.executable, "-c", WORK, *arguments], capture_output=True, text=True, check=True)
        return done.stderr.count("Arena ")

    assert arenas() > 1
    assert arenas("one") == 1


SETTLE = """
import gc
from http_api import memory
memory.settle()
print(gc.get_freeze_count() > 1000, gc.get_threshold()[0] == memory.NEW_OBJECTS)
"""


def test_what_is_loaded_is_out_of_the_collectors_sight_and_it_looks_seldom() -> None:
    done = subprocess.run([sys.executable, "-c", SETTLE], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True"]
    assert gc.get_threshold()[0] < 20_000  # in a process that does not serve, nothing has changed
