"""The walls that a box puts up around itself after the fork, before it runs a student's line.

Around all boxes of a template stands bubblewrap; these are the walls between one box and the next: namespaces, a
private /tmp, a user id where the grader has ids to give, no capabilities, limits. Plain system calls: after a fork from
a warm process there is nothing to exec.
"""

import contextlib
import ctypes
import os
import resource
import signal

_libc = ctypes.CDLL(None, use_errno=True)

NEW_MOUNTS, NEW_CGROUP, NEW_UTS, NEW_IPC = 0x0002_0000, 0x0200_0000, 0x0400_0000, 0x0800_0000
NEW_USER, NEW_PIDS, NEW_NET = 0x1000_0000, 0x2000_0000, 0x4000_0000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 8, 0x1000, 0x4000, 0x4_0000
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 4, 24, 38
PR_SET_CHILD_SUBREAPER, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 36, 47, 4
LAST_CAPABILITY = 63
_CAPABILITY_VERSION_3 = 0x2008_0522


def call(name: str, result: int) -> int:
    """Return `result` of a C call, or raise OSError with its errno."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def prctl(option: int, value: int = 0) -> None:
    call("prctl", _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0))


def mount(kind: str, target: str, flags: int, options: str = "") -> None:
    call(f"mount {target}", _libc.mount(kind.encode(), target.encode(), kind.encode(), flags, options.encode() or None))


def die_with_parent() -> None:
    """Let the kernel kill this process when the one that forked it ends."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def leave_namespaces() -> None:
    """Enter fresh namespaces; the next fork is the first process of a pid namespace.

    Root needs no user namespace: its boxes get user ids of their own. For anyone else a user namespace of its own
    gives a box its own count of processes.
    """
    user, group = os.getuid(), os.getgid()
    spaces = NEW_MOUNTS | NEW_UTS | NEW_IPC | NEW_PIDS | NEW_NET
    call("unshare", _libc.unshare(spaces | (NEW_USER if user else 0)))
    if user:
        for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)


def private_folders(scratch: int, kept: list[str]) -> None:
    """Mount an empty /tmp, /dev/shm and /dev/pts and a /proc that shows this pid namespace only.

    scratch : bytes; kept : folders beneath /tmp to see there as before, such as a Python that was installed there
    """
    call("mount /", _libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None))
    quiet = MS_NOSUID | MS_NODEV
    handles = [(folder, os.open(folder, os.O_PATH | os.O_DIRECTORY)) for folder in kept]
    for folder in ("/tmp", "/dev/shm"):
        mount("tmpfs", folder, quiet, f"size={scratch},nr_inodes=65536,mode=1777")
    for folder, handle in handles:
        os.makedirs(folder, mode=0o755)
        source = f"/proc/self/fd/{handle}".encode()  # the folder itself is hidden by now
        call(f"mount {folder}", _libc.mount(source, folder.encode(), None, MS_BIND | MS_REC, None))
        os.close(handle)
    mount("tmpfs", "/dev/pts", quiet | MS_RDONLY, "size=4096")
    try:
        mount("proc", "/proc", quiet | MS_NOEXEC)
    except PermissionError:  # the system shows only part of its own /proc, as containers do: then none at all
        mount("tmpfs", "/proc", quiet | MS_RDONLY, "size=4096")
    os.chdir("/tmp")


def give_up_rights(user: int) -> None:
    """Become `user` (0: stay who you are) without any capability, for good."""
    if user:
        os.setgroups([])
        os.setresgid(user, user, user)
    for capability in range(LAST_CAPABILITY + 1):
        # The bounding set ends where the kernel's list does; without the right to shrink it, it counts for nothing.
        with contextlib.suppress(OSError):
            prctl(PR_CAPBSET_DROP, capability)
    if user:
        os.setresuid(user, user, user)
    call("prctl", _libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    call("capset", _libc.capset(header, (ctypes.c_uint32 * 6)()))
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    prctl(PR_SET_DUMPABLE, 1)  # a change of user clears it, and with it a process's view of itself in /proc
    die_with_parent()  # and this


def set_limits(limits: dict[str, int]) -> None:
    """Bound this process for good: an ordinary user cannot raise a hard limit again."""
    for name, value in limits.items():
        which = getattr(resource, f"RLIMIT_{name}")
        _, hard = resource.getrlimit(which)
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (bound, bound))


def close_all_but(*kept: int) -> None:
    """Close every descriptor from 3 on except those in `kept`."""
    low = 3
    for descriptor in sorted(kept):
        os.closerange(low, descriptor)
        low = max(low, descriptor + 1)
    os.closerange(low, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
