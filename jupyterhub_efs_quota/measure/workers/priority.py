"""The lowest priority there is, for a process that measures: whoever serves people goes first.

Called by worker processes as they start; what they start inherits it, `du` too.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform

_NICENESS = 19
# The kernel's number of ioprio_set: neither Python nor the C library has the call.
_IOPRIO_SET = {
    "x86_64": 251,
    "aarch64": 30,
    "riscv64": 30,
    "loongarch64": 30,
    "ppc64le": 273,
    "s390x": 282,
}
_THIS_PROCESS = 1
_IDLE = 3 << 13


def go_last() -> None:
    """Have this process run, and use disks, only when nobody else wants to."""
    with contextlib.suppress(OSError):
        os.nice(_NICENESS)
    number = _IOPRIO_SET.get(platform.machine())
    # A 32-bit program on such a machine has other numbers.
    if number is not None and ctypes.sizeof(ctypes.c_void_p) == 8:
        # A kernel without it is no reason not to measure.
        ctypes.CDLL(None).syscall(number, _THIS_PROCESS, 0, _IDLE)
