"""Keeping what the gateway was started with from other processes of the same user, which may read much of each other."""

import ctypes
import os
import sys
from collections.abc import Iterable

PR_SET_DUMPABLE = 4


def conceal(names: Iterable[str], *, closed: bool = True) -> None:
    """Blank these variables in the environment that the system shows of this process, and close its memory to others.

    Where it is `closed`, other processes of the user cannot see its descriptors either. Python's own copy stays. On Linux only: elsewhere the system shows the environment to its user in any case.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    libc.getenv.restype = ctypes.c_void_p
    libc.getenv.argtypes = [ctypes.c_char_p]
    for name in names:
        place = libc.getenv(os.fsencode(name))
        if place:
            ctypes.memset(place, ord("x"), len(ctypes.string_at(place)))
    if closed:
        libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
