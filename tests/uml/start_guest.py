"""Starts User Mode Linux with what stands on the command line, on any x86-64 processor.

Where a processor has large registers (AMX), kernels before 6.13 cannot put them back
through ptrace(PTRACE_SETREGSET) and die at once. They have an older way, which they take
where the newer one is refused. So a seccomp filter refuses it. The older way forgets the
upper halves of AVX registers, so programs in the guest must be told not to use them.
"""

import ctypes
import errno
import os
import struct
import sys

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP = 38, 22
SECCOMP_MODE_FILTER = 2
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | errno.EINVAL

LOAD, IF_EQUAL, RETURN = 0x20, 0x15, 0x06
# Where struct seccomp_data has the number of the call and its first and third argument.
CALL, FIRST, THIRD = 0, 16, 32
PTRACE, GET_REGISTERS, LARGE_ONES = 101, 0x4204, 0x202

FILTER = [
    (LOAD, 0, 0, CALL),
    (IF_EQUAL, 0, 5, PTRACE),
    (LOAD, 0, 0, FIRST),
    (IF_EQUAL, 0, 3, GET_REGISTERS),
    (LOAD, 0, 0, THIRD),
    (IF_EQUAL, 0, 1, LARGE_ONES),
    (RETURN, 0, 0, REFUSE),
    (RETURN, 0, 0, ALLOW),
]


def refuse_large_registers():
    code = b"".join(struct.pack("HBBI", *step) for step in FILTER)
    steps = ctypes.create_string_buffer(code)
    program = struct.pack("HxxxxxxQ", len(FILTER), ctypes.addressof(steps))
    libc = ctypes.CDLL(None, use_errno=True)
    zero = ctypes.c_ulong(0)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), zero, zero, zero) or libc.prctl(
        PR_SET_SECCOMP, ctypes.c_ulong(SECCOMP_MODE_FILTER), program, zero, zero
    ):
        number = ctypes.get_errno()
        sys.exit(f"seccomp refuses: {os.strerror(number)}")


if __name__ == "__main__":
    refuse_large_registers()
    os.execvp("linux.uml", ["linux.uml", *sys.argv[1:]])
