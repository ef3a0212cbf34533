#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Prints a directory tree, one line a file, for comparisons.

    listing.py [-t] [-s NAME]... DIR    -t: without times, -s: without the files of that name in DIR itself
"""
import hashlib
import os
import stat
import sys


def digest(path):
    h = hashlib.sha256()
    with open(path, "rb", buffering=0) as f:
        while chunk := f.read(1 << 18):
            h.update(chunk)
    return h.hexdigest()


def attributes(path):
    # What an overlay leaves on files of its upper directory says nothing of what is in there.
    return "".join(f" {name}={os.getxattr(path, name, follow_symlinks=False).hex()}"
                   for name in sorted(os.listxattr(path, follow_symlinks=False))
                   if not name.startswith("trusted.overlay.") or name.endswith(".opaque"))


def line(path, name, links, times):
    st = os.lstat(path)
    kind = stat.S_IFMT(st.st_mode)
    out = [name, oct(st.st_mode), st.st_uid, st.st_gid]
    if times:
        out.append(st.st_mtime_ns)
    if kind == stat.S_IFREG:
        out += [st.st_size, digest(path)]
    elif kind == stat.S_IFLNK:
        out.append(os.readlink(path))
    elif kind in (stat.S_IFCHR, stat.S_IFBLK):
        out.append(st.st_rdev)
    if (st.st_dev, st.st_ino) in links:
        out.append("=" + links[st.st_dev, st.st_ino])
    return " ".join(map(str, out)) + attributes(path)


def main(args):
    times, skipped = True, set()
    while args[0].startswith("-"):
        if args[0] == "-t":
            times = False
        else:
            skipped.add(args.pop(1))
        args.pop(0)
    root, names = args[0], ["."]
    for folder, folders, files in os.walk(root):
        below = os.path.relpath(folder, root)
        if below == ".":
            folders[:] = [f for f in folders if f not in skipped]
            files = [f for f in files if f not in skipped]
        names += [os.path.normpath(os.path.join(below, f)) for f in folders + files]
    links, inodes = {}, {}
    for name in sorted(names):
        st = os.lstat(os.path.join(root, name))
        inodes.setdefault((st.st_dev, st.st_ino), []).append(name)
    # Those with another name somewhere else, which an overlay hides, are not linked in here.
    for inode, same in inodes.items():
        if len(same) > 1:
            links[inode] = same[0]
    for name in sorted(names):
        print(line(os.path.join(root, name), name, links, times))


sys.stdout.reconfigure(errors="surrogateescape")
main(sys.argv[1:])
