"""
Becomes another program that the kernel kills as soon as the process which asked for it is gone, however that one ended.

Run as a script, `leash.py PARENT_PID PROGRAM ARGUMENT...`, so that nothing of ours runs between fork and exec: code in
that gap may deadlock when the parent has threads (Python documentation, subprocess, preexec_fn). It imports no module
of the bridge. The kernel keeps the parent-death signal across execve (prctl(2), PR_SET_PDEATHSIG).
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
COMMAND_NOT_STARTED = 127  # as a shell reports it


def main(arguments: list[str]) -> int:
    """Replace this process by the program; return only when that fails, or the parent is gone already."""
    parent, *command = arguments
    if ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        sys.stderr.write("leash: this system has no PR_SET_PDEATHSIG; the sandbox needs Linux\n")
        return COMMAND_NOT_STARTED
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # a signal that our parent blocks is not blocked for the program
    if os.getppid() != int(parent):
        return COMMAND_NOT_STARTED  # the parent died before the signal was asked for
    try:
        os.execvp(command[0], command)  # noqa: S606 - replacing this process, without a shell, is the whole purpose
    except OSError as error:
        sys.stderr.write(f"leash: cannot start {command[0]}: {error.strerror}\n")
    return COMMAND_NOT_STARTED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
