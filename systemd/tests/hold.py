"""Holds one thread of a process still until the process ends: its other threads, the one that talks to systemd among them, go on.

    hold.py THREAD_ID
"""

import ctypes
import os
import sys

SEIZE, INTERRUPT = 0x4206, 0x4207
ANY_THREAD = 0x40000000

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def ptrace(request, thread):
    if libc.ptrace(request, thread, None, None) == -1:
        code = ctypes.get_errno()
        sys.exit(f"ptrace of thread {thread}: {os.strerror(code)}")


thread = int(sys.argv[1])
ptrace(SEIZE, thread)
ptrace(INTERRUPT, thread)
while True:
    _, status = os.waitpid(thread, ANY_THREAD)
    if os.WIFEXITED(status) or os.WIFSIGNALED(status):
        break
