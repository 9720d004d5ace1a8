"""What a process that serves does about memory: for the process as a whole, and so never where a gateway is only opened."""

import ctypes
import gc
import sys

NEW_OBJECTS = 20_000
"""So many before the garbage collector looks at them: requests leave no cycles behind, and it would only walk live ones."""

M_ARENA_MAX = -8
"""From glibc's malloc.h."""


def share_one_arena() -> None:
    """Have all threads allocate from one arena; to be called before there are any.

    glibc gives each thread its own, which keeps what its busiest moment needed. Only one thread holds the interpreter.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
        if mallopt is not None:
            mallopt(M_ARENA_MAX, 1)


def settle() -> None:
    """When all is loaded, take it out of the garbage collector's sight: walking it took a quarter of the CPU."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS, 20, 20)
