"""Walls that need no namespace: Landlock for files, seccomp for system calls.

Where user namespaces are forbidden these two stand alone, with limits: files outside are closed, sockets are refused.
Inside namespaces the second one also closes doors of the kernel that no exercise needs.
"""

import ctypes
import errno
import os
import platform
import struct

from .walls import (
    NEW_CGROUP,
    NEW_IPC,
    NEW_MOUNTS,
    NEW_NET,
    NEW_PIDS,
    NEW_USER,
    NEW_UTS,
    PR_SET_NO_NEW_PRIVS,
    call,
    prctl,
)

_libc = ctypes.CDLL(None, use_errno=True)

# landlock(7): the calls have the same numbers on every architecture; each bit is a right that a ruleset takes away.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG, _PATH_BENEATH = 1, 1
_EXECUTE, _READ_FILE, _READ_FOLDER = 1 << 0, 1 << 2, 1 << 3
_ON_FILES = _EXECUTE | 1 << 1 | _READ_FILE  # execute, write, read
_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}  # ABI version: how many rights on files it knows
_NET_RIGHTS, _SCOPES = 0b11, 0b11  # bind and connect TCP (ABI 4); abstract sockets and signals (ABI 6)
MINIMUM_ABI = 6  # below it a box could signal the grader's processes

_NAMESPACES = NEW_MOUNTS | NEW_CGROUP | NEW_UTS | NEW_IPC | NEW_USER | NEW_PIDS | NEW_NET

# Calls by number, from the kernel's tables: (audit architecture, socket, clone, clone3, doors of the kernel).
_X86_64 = "101 103 155 161 163 165 166 167 168 169 170 175 176 179 246 248 249 250 272 298 303 304 308 310 311 312 313"
_ARM_64 = "39 40 41 51 60 89 97 104 105 106 116 117 142 161 217 218 219 224 225 241 264 265 268 270 271 272 273"
_SHARED = "425 426 427 428 429 430 431 432 433 438 442"  # io_uring, the new mount calls, pidfd_getfd
_ARCHITECTURES = {
    "x86_64": (0xC000003E, 41, 56, 435, f"{_X86_64} 320 321 323 {_SHARED}"),
    "aarch64": (0xC00000B7, 198, 220, 435, f"{_ARM_64} 280 282 294 {_SHARED}"),
}
_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # instructions of classic BPF
_NUMBER, _ARCHITECTURE, _ARGUMENT_0 = 0, 4, 16  # offsets in struct seccomp_data
_ALLOW, _KILL, _ERROR = 0x7FFF_0000, 0x8000_0000, 0x0005_0000
_X32 = 0x4000_0000  # numbers from here on are a second way to call an x86-64 kernel


def landlock_abi() -> int:
    """Return the version of Landlock that the kernel offers, 0 if none."""
    return max(0, _libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION_FLAG)))


def shut_in(*, readable: list[str], writable: list[str]) -> None:
    """Close every file to this process and its children but those beneath these paths; no TCP, no signals outward.

    Raises OSError where the kernel's Landlock is older than MINIMUM_ABI.
    """
    abi = landlock_abi()
    if abi < MINIMUM_ABI:
        raise OSError(errno.ENOSYS, f"Landlock must be at version {MINIMUM_ABI} or later, got {abi}")
    every = (1 << max(count for version, count in _RIGHTS.items() if version <= abi)) - 1
    handled = struct.pack("<QQQ", every, _NET_RIGHTS, _SCOPES)
    ruleset = call(
        "landlock_create_ruleset",
        _libc.syscall(_CREATE_RULESET, handled, ctypes.c_size_t(len(handled)), ctypes.c_uint32(0)),
    )
    for path in readable:
        _allow(ruleset, path, _EXECUTE | _READ_FILE | _READ_FOLDER)
    for path in writable:
        _allow(ruleset, path, every)
    for device in ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random"):
        _allow(ruleset, device, _ON_FILES)
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    call("landlock_restrict_self", _libc.syscall(_RESTRICT_SELF, ruleset, ctypes.c_uint32(0)))
    os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        beneath = struct.pack("<Qi", rights if os.path.isdir(path) else rights & _ON_FILES, descriptor)
        call(
            f"landlock_add_rule {path}",
            _libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, beneath, ctypes.c_uint32(0)),
        )
    finally:
        os.close(descriptor)


def forbid_kernel_doors(*, sockets: bool = True) -> None:
    """Refuse calls that no exercise needs: mounts, namespaces, tracing, keys, modules, io_uring.

    sockets : False refuses `socket` too; a pair of connected ones can still be made
    Raises OSError on an architecture whose numbers are not known here.
    """
    if platform.machine() not in _ARCHITECTURES:
        raise OSError(errno.ENOSYS, f"the machine must be one of {', '.join(_ARCHITECTURES)}, got {platform.machine()}")
    architecture, socket, clone, clone3, doors = _ARCHITECTURES[platform.machine()]
    denied = [int(number) for number in doors.split()] + ([] if sockets else [socket])
    program = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, _X32),
        (_RETURN, 0, 0, _ERROR | errno.EPERM),
        (_EQUAL, 0, 1, clone3),
        # Its flags lie in memory, where a filter cannot look: the C library then uses `clone`.
        (_RETURN, 0, 0, _ERROR | errno.ENOSYS),
    ]
    for number in denied:
        program += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERROR | errno.EPERM)]
    program += [
        (_EQUAL, 0, 3, clone),
        (_LOAD, 0, 0, _ARGUMENT_0),
        (_ANY_BIT, 0, 1, _NAMESPACES),
        (_RETURN, 0, 0, _ERROR | errno.EPERM),
        (_RETURN, 0, 0, _ALLOW),
    ]
    code = b"".join(struct.pack("<HBBI", *line) for line in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    filters = struct.pack("<HxxxxxxQ", len(program), ctypes.addressof(buffer))
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    call("seccomp", _libc.prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_MODE_FILTER), filters, 0, 0))
