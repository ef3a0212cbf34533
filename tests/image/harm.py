#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Does one kind of harm to what is no content in a tree, and leaves all times as they were.

    harm.py DIR KIND
"""
import os
import shutil
import sys


def retarget(path):
    os.unlink(path)
    os.symlink("elsewhere", path)


def copy(path):
    shutil.copy2(path, path + "-copy")
    os.rename(path + "-copy", path)


KINDS = {
    # Trees of make_kinds.
    "target": lambda: retarget("dangling"),
    "attribute": lambda: os.removexattr("plain", "user.note"),
    "value": lambda: os.setxattr("dir", "user.dir", b"no"),
    "foreign": lambda: os.setxattr("empty", "user.more", b"x"),
    "capability": lambda: os.removexattr("caps", "security.capability"),
    "copied": lambda: copy("dir/hard"),
    "surplus": lambda: open("dir/sub/surplus", "w").close(),
    "folder": lambda: os.mkdir("empty/surplus"),
    # Trees with whiteouts.
    "root": lambda: os.chmod(".", 0o700),
    "whiteout": lambda: os.unlink("a/gone"),
    "unhidden": lambda: os.removexattr("b", "trusted.overlay.opaque"),
    "implied": lambda: os.removexattr("c", "trusted.overlay.opaque"),
    "hiding": lambda: os.setxattr("a", "trusted.overlay.opaque", b"y"),
    # Trees that were unpacked through those below.
    "above-attribute": lambda: os.removexattr("usr/lib/high", "user.note"),
    "above-copied": lambda: copy("usr/lib/hard"),
    "above-hiding": lambda: os.setxattr("usr", "trusted.overlay.opaque", b"y"),
}


def main(folder, kind):
    os.chdir(folder)
    paths = ["."] + [os.path.join(at, name) for at, folders, files in os.walk(".") for name in folders + files]
    times = {path: os.lstat(path) for path in paths}
    KINDS[kind]()
    for path in reversed(paths):
        if os.path.lexists(path):
            os.utime(path, ns=(times[path].st_atime_ns, times[path].st_mtime_ns), follow_symlinks=False)


main(*sys.argv[1:])
