#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# tree.py [-t] [-s NAME]... DIR: prints all that is known of every file below a directory, one a line, for comparisons.
# -t: no times. -s NAME: files of that name are left out.
import argparse
import hashlib
import os
import stat


def xattrs(path):
    names = sorted(os.listxattr(path, follow_symlinks=False))
    return ",".join(f"{n}={os.getxattr(path, n, follow_symlinks=False).hex()}" for n in names)


def content(path, st):
    if stat.S_ISLNK(st.st_mode):
        return os.readlink(path)
    if not stat.S_ISREG(st.st_mode):
        return b""
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest().encode()


def main(root, times, skipped):
    first, lines = {}, []
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(f for f in folders if f not in skipped)
        for name in sorted(folders + [f for f in files if f not in skipped]) + ([b"."] if folder == root else []):
            path = os.path.join(folder, name)
            st = os.lstat(path)
            is_dir = stat.S_ISDIR(st.st_mode)
            place = os.path.relpath(path, root)
            link = place if is_dir else first.setdefault((st.st_dev, st.st_ino), place)
            lines.append((place, oct(st.st_mode), st.st_uid, st.st_gid, st.st_mtime_ns if times else "-",
                          0 if is_dir else st.st_size, st.st_rdev, link, content(path, st), xattrs(path)))
    for line in sorted(lines):
        print(*line)


options = argparse.ArgumentParser()
options.add_argument("-t", action="store_true")
options.add_argument("-s", action="append", default=[])
options.add_argument("directory")
given = options.parse_args()
main(os.fsencode(given.directory), not given.t, [os.fsencode(s) for s in given.s])
