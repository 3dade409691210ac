"""Becomes User Mode Linux, on any x86-64 processor; nfs.py and tests/uml start it.

    python -m bench.uml.start ARGUMENT ...

Kernels before 6.13 put a process's registers back with ptrace(PTRACE_SETREGSET) and too
small a buffer for processors with the large ones of AMX, and die before their first process
runs. Where reading registers that way was refused, they use the older PTRACE_SETFPREGS,
so a seccomp filter refuses it. That one knows nothing of AVX, so programs inside must not
use it: WITHOUT_AVX is for their environment.
"""

import ctypes
import errno
import os
import struct
import sys

WITHOUT_AVX = "GLIBC_TUNABLES=glibc.cpu.hwcaps=" + ",".join(
    f"-{name}"
    for name in ("AVX_Fast_Unaligned_Load", "AVX", "AVX2", "AVX512F", "AVX512BW", "AVX512VL")
)

_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER_MODE = 38, 22, 2
_LOAD, _SKIP_UNLESS_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | errno.EINVAL
# Where the kernel shows a filter a call's number, its first and its third argument.
_NUMBER, _FIRST, _THIRD = 0, 16, 32
_PTRACE, _GET_REGISTERS, _EXTENDED = 101, 0x4204, 0x202


def _program() -> bytes:
    """Refuse that one call, allow all others. A step: what, unless-skip of so many, value."""
    conditions = [(_NUMBER, _PTRACE), (_FIRST, _GET_REGISTERS), (_THIRD, _EXTENDED)]
    steps = []
    for left, (where, value) in zip((2, 1, 0), conditions, strict=True):
        steps.append((_LOAD, 0, where))
        steps.append((_SKIP_UNLESS_EQUAL, 2 * left + 1, value))
    steps += [(_RETURN, 0, _REFUSE), (_RETURN, 0, _ALLOW)]
    return b"".join(struct.pack("HBBI", code, 0, skip, value) for code, skip, value in steps)


def _refuse_extended_registers() -> None:
    """Put the filter on this process and its children. Raises OSError."""
    program = _program()
    code = ctypes.create_string_buffer(program)
    header = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(code))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    none = ctypes.c_ulong(0)
    for what, value, more in (
        (_NO_NEW_PRIVILEGES, 1, none),
        (_SET_SECCOMP, _FILTER_MODE, ctypes.c_char_p(header)),
    ):
        if prctl(what, ctypes.c_ulong(value), more, none, none) != 0:
            raise OSError(ctypes.get_errno(), "seccomp")


if __name__ == "__main__":
    _refuse_extended_registers()
    os.execvp("linux.uml", ["linux.uml", *sys.argv[1:]])  # noqa: S606
