#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Prints all that is known of every file below a directory, one a line, for comparisons. Sockets are left out, as archives do.
import hashlib
import os
import stat
import sys


def xattrs(path):
    kept = [n for n in os.listxattr(path, follow_symlinks=False) if n.startswith("user.") or n == "security.capability"]
    return ",".join(f"{n}={os.getxattr(path, n, follow_symlinks=False).hex()}" for n in sorted(kept))


def content(path, st):
    if stat.S_ISLNK(st.st_mode):
        return os.readlink(path)
    if not stat.S_ISREG(st.st_mode):
        return b""
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest().encode()


def main(root):
    first, lines = {}, []
    for folder, folders, files in os.walk(root):
        folders.sort()
        for name in sorted(folders + files) + ([b"."] if folder == root else []):
            path = os.path.join(folder, name)
            st = os.lstat(path)
            if stat.S_ISSOCK(st.st_mode):
                continue
            is_dir = stat.S_ISDIR(st.st_mode)
            place = os.path.relpath(path, root)
            link = place if is_dir else first.setdefault((st.st_dev, st.st_ino), place)
            size = 0 if is_dir else st.st_size
            lines.append((place, oct(st.st_mode), st.st_uid, st.st_gid, st.st_mtime_ns, size, st.st_rdev,
                          link, content(path, st), xattrs(path)))
    for line in sorted(lines):
        print(*line)


main(os.fsencode(sys.argv[1]))
