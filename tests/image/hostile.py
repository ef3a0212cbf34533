#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes hostile layers, as raw bytes: no library would make most of them.

    hostile.py named DIR WORK           what is known to hurt, by name
    hostile.py random DIR WORK SEED N   N layers of random entries that are built of the same parts

tests/image/hostile.c unpacks them in WORK/root, beside WORK/canary. A name tells what is expected:
ok-* is unpacked, bad-* refused, any-* either; none may change anything outside WORK/root.
"""
import os
import random
import struct
import sys
import zlib

BLOCK = 512
FILE, HARD, SYM, CHR, BLK, DIR, FIFO = b"0", b"1", b"2", b"3", b"4", b"5", b"6"


def number(value, width):
    """Octal, or base 256 where that does not do."""
    if isinstance(value, bytes):
        return value.ljust(width, b"\0")[:width]
    if 0 <= value < 8 ** (width - 1):
        return b"%0*o\0" % (width - 1, value)
    raw = (value & (1 << 8 * width) - 1).to_bytes(width, "big")
    return bytes([0xff if value < 0 else 0x80 | raw[0]]) + raw[1:]


def raw(s):
    return s.encode("utf-8", "surrogateescape") if isinstance(s, str) else s


def pad(data):
    return data + b"\0" * (-len(data) % BLOCK)


def head(name, kind=FILE, size=0, mode=0o644, uid=0, gid=0, mtime=1000000000, link=b"", major=0, minor=0,
         prefix=b"", magic=b"ustar\00000", checksum=None, tail=b""):
    h = bytearray(BLOCK)

    def put(at, width, data):
        h[at:at + width] = data.ljust(width, b"\0")[:width]
    put(0, 100, raw(name))
    for at, width, value in ((100, 8, mode), (108, 8, uid), (116, 8, gid), (124, 12, size), (136, 12, mtime)):
        put(at, width, number(value, width))
    put(156, 1, kind)
    put(157, 100, raw(link))
    put(257, 8, magic)
    put(329, 8, number(major, 8))
    put(337, 8, number(minor, 8))
    put(345, 155, raw(prefix))
    if tail:
        put(345, 167, tail)
    put(148, 8, b" " * 8)
    put(148, 8, b"%06o\0 " % (sum(h) if checksum is None else checksum))
    return bytes(h)


def gnu_long(kind, text):
    data = raw(text) + b"\0"
    return head("././@LongLink", kind, len(data), magic=b"ustar  \0") + pad(data)


def pax(records, kind=b"x"):
    data = b""
    for key, value in records.items():
        body = b" " + raw(key) + b"=" + raw(value) + b"\n"
        n = len(body)
        while len(str(n)) + len(body) != n:
            n = len(str(n)) + len(body)
        data += str(n).encode() + body
    return head("PaxHeaders/x", kind, len(data)) + pad(data)


def entry(name, kind=FILE, data=b"", link=b"", **more):
    """One member; names that do not fit are written the GNU way."""
    before = b""
    if len(raw(name)) > 100:
        before += gnu_long(b"L", name)
    if len(raw(link)) > 100:
        before += gnu_long(b"K", link)
    size = more.pop("size", len(data))
    return before + head(name, kind, size, link=link, **more) + pad(data)


END = b"\0" * (2 * BLOCK)


def file(name, data=b"hostile\n", **more):
    return entry(name, FILE, data, **more)


def dir_(name, **more):
    return entry(name, DIR, mode=more.pop("mode", 0o777), **more)


def sym(name, to):
    return entry(name, SYM, link=to, mode=0o777)


def hard(name, to):
    return entry(name, HARD, link=to)


def fifo(name):
    return entry(name, FIFO)


def chr_(name, major=1, minor=3):
    return entry(name, CHR, major=major, minor=minor)


MAKERS = {
    "file": file, "dir": dir_, "symlink": lambda n: sym(n, "../canary"), "hardlink": lambda n: hard(n, "../canary/secret"),
    "fifo": fifo, "device": chr_,
}


class Named:
    def __init__(self, out, work):
        self.out, self.work, self.count = out, work, 0

    def add(self, name, *parts, end=END):
        with open(os.path.join(self.out, name + ".tar"), "wb") as f:
            f.write(b"".join(parts) + end)
        self.count += 1


def dotted(n):
    names = ["..", "../", "../x", "../canary/secret", "a/../../canary/secret", "./../canary/new", "/../canary/new",
             "a/b/../../../canary/new", "a/..", "//..//canary/dir"]
    for kind, make in MAKERS.items():
        for i, name in enumerate(names):
            n.add(f"bad-dotted-{kind}-{i}", dir_("a"), make(name))
    bad = "../canary/secret"
    n.add("bad-dotted-prefix", file("secret", prefix="../canary"))
    n.add("bad-dotted-gnu", gnu_long(b"L", bad), file("x"))
    n.add("bad-dotted-pax", pax({"path": bad}), file("x"))
    n.add("bad-dotted-pax-directory", pax({"path": bad + "/"}), file("x"))
    n.add("any-dotted-pax-global", pax({"path": bad}, b"g"), file("x"))
    n.add("bad-dotted-sparse", pax({"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": bad,
                                    "GNU.sparse.realsize": "8"}), file("x", pad(b"1\n0\n8\n") + b"12345678"))
    n.add("ok-dots-that-are-names", dir_("..."), file("..a"), file("...a/b"[4:]), file(".../..x"))


def absolute(n):
    canary = n.work + "/canary"
    for name in ("secret", "new", "dir/file"):
        for kind in ("file", "dir", "fifo", "device"):
            n.add(f"ok-absolute-{kind}-{name.replace('/', '-')}", MAKERS[kind](f"{canary}/{name}"))
    n.add("ok-absolute-symlink", sym(canary + "/link", "/etc/passwd"))
    n.add("ok-absolute-slashes", file("//" + canary + "//secret"), file("/./x"))
    n.add("ok-absolute-root", dir_("/"), file("/x"))
    n.add("ok-absolute-etc", file("/etc/passwd"), file("/tmp/x"))


def through_links(n):
    canary = n.work + "/canary"
    targets = {"absolute": canary, "relative": "../canary", "up": "../" * 40 + canary.lstrip("/"), "root": "/",
               "self-root": "/proc/self/root" + canary, "self-cwd": "/proc/self/cwd/../canary", "fd": "/proc/self/fd/3/../canary"}
    for where, to in targets.items():
        inside = "link" if where != "root" else "link" + canary
        after = {
            "file": file(inside + "/secret"), "new": file(inside + "/new"), "dir": dir_(inside + "/dir"),
            "symlink": sym(inside + "/secret", "x"), "hardlink": file("x") + hard(inside + "/secret", "x"),
            "linked": hard("stolen", inside + "/secret"), "fifo": fifo(inside + "/secret"),
            "whiteout": file(inside + "/.wh.secret", b""), "opaque": file(inside + "/.wh..wh..opq", b""),
            "mode": dir_("link/"), "over": file("link"),
        }
        for what, bytes_ in after.items():
            n.add(f"any-link-{where}-{what}", sym("link", to), bytes_)
    n.add("any-link-chain", sym("a", "b"), sym("b", "c"), sym("c", "../canary"), file("a/secret"))
    n.add("any-link-swap", dir_("d"), file("d/secret"), entry("d", SYM, link="../canary"), file("d/secret"))
    n.add("any-link-swap-cached", dir_("d"), file("d/a"), file("d/b"), sym("d", canary), file("d/secret"), dir_("d"),
          file("d/secret"))
    n.add("any-link-under-itself", sym("s", "."), sym("s/s", "../canary"), file("s/secret"))
    n.add("bad-link-loop", sym("a", "a"), file("a/x"))
    n.add("bad-link-loop-of-two", sym("a", "b"), sym("b", "a"), file("a/x"))
    n.add("any-link-many", *[sym(f"l{i}", f"l{i + 1}" if i < 60 else "../canary") for i in range(61)], file("l0/secret"))
    n.add("bad-link-empty", sym("a", ""))
    n.add("any-link-long", sym("a", "x/" * 3000))
    n.add("any-link-in-gnu-name", gnu_long(b"K", "../canary"), sym("a", "x"), file("a/secret"))
    n.add("any-link-in-pax-name", pax({"linkpath": "../canary"}), sym("a", "x"), file("a/secret"))
    n.add("any-link-on-the-way", dir_("a"), sym("a/b", "../../canary"), file("a/b/secret"), file("a/b/dir/file"))
    n.add("any-link-to-parent", dir_("a"), sym("a/b", ".."), file("a/b/../../canary/secret"[:5] + "/x"))
    n.add("any-link-root-entry", sym("./", "../canary"), file("secret"))
    n.add("bad-link-as-root", sym(".", "../canary"))
    n.add("bad-file-as-root", file("/"))


def hard_links(n):
    canary = n.work + "/canary"
    n.add("bad-hard-dotted", hard("x", "../canary/secret"))
    n.add("bad-hard-dotted-deep", dir_("a"), hard("a/x", "a/../../canary/secret"))
    n.add("any-hard-absolute", hard("x", canary + "/secret"))
    n.add("any-hard-missing", hard("x", "nothing"), file("x"))
    n.add("bad-hard-dir", dir_("d"), hard("x", "d"))
    n.add("bad-hard-root", hard("x", "/"))
    n.add("bad-hard-dot", hard("x", "."))
    n.add("any-hard-empty", hard("x", ""))
    n.add("ok-hard-itself", file("x"), hard("x", "x"))
    n.add("any-hard-to-link", sym("s", canary + "/secret"), hard("x", "s"), file("x"))
    n.add("any-hard-to-link-through", sym("s", "../canary"), hard("x", "s"), file("x/secret"))
    n.add("any-hard-through-link", sym("s", "../canary"), hard("x", "s/secret"), file("x"))
    n.add("ok-hard-to-fifo", fifo("f"), hard("x", "f"))
    n.add("ok-hard-to-device", chr_("f"), hard("x", "f"))
    n.add("any-hard-in-what-it-replaces", dir_("d"), file("d/f"), hard("d", "d/f"))
    n.add("bad-hard-to-whiteout", file(".wh.a", b""), hard("x", "a"))
    n.add("any-hard-with-content", file("a"), entry("x", HARD, b"content\n", link="a"))
    n.add("any-hard-as-root", file("a"), hard(".", "a"))
    n.add("any-hard-chain", file("a"), *[hard(f"x{i}", f"x{i - 1}" if i else "a") for i in range(500)])
    n.add("any-hard-pax", pax({"linkpath": "../canary/secret"}), hard("x", "a"))


def whiteouts(n):
    for i, name in enumerate((".wh.", ".wh..", ".wh...", "a/.wh.", "a/.wh..", "a/.wh...", ".wh.a/b", "a/.wh.b/c")):
        n.add(f"bad-whiteout-{i}", dir_("a"), file(name, b""))
    n.add("bad-whiteout-dotted", file(".wh.a/../../canary/secret", b""))
    n.add("bad-whiteout-up", file("../.wh.canary", b""))
    n.add("bad-whiteout-up-opaque", file("../canary/.wh..wh..opq", b""))
    for kind in ("dir", "fifo", "device"):
        n.add(f"any-whiteout-{kind}", MAKERS[kind](".wh.x"))
    n.add("any-whiteout-symlink", sym(".wh.x", "../canary"), file("x/secret"))
    n.add("any-whiteout-opaque-symlink", dir_("a"), sym("a/.wh..wh..opq", "../../canary"))
    n.add("ok-whiteout-aufs", dir_(".wh..wh.plnk"), file(".wh..wh.plnk/1.2"), file(".wh..wh.aufs", b""))
    n.add("ok-whiteout-then-dir", file(".wh.x", b""), dir_("x"), file("x/f"))
    n.add("ok-whiteout-after-dir", dir_("x"), file("x/f"), file(".wh.x", b""))
    n.add("ok-whiteout-then-path", file(".wh.x", b""), file("x/y/f"))
    n.add("ok-whiteout-twice", file(".wh.x", b""), file(".wh.x", b""))
    n.add("ok-whiteout-inside-opaque", dir_("x"), file("x/.wh.y", b""), file("x/.wh..wh..opq", b""), file("x/.wh.z", b""))
    n.add("ok-whiteout-of-root-opaque", file(".wh..wh..opq", b""), file("x"))
    n.add("any-whiteout-with-content", file(".wh.x", b"x" * 100000))
    n.add("any-opaque-deep", *[file("/".join("o" * d) + "/.wh..wh..opq", b"") for d in range(1, 400)],
          *[file("/".join("o" * d) + "/.wh.y", b"") for d in range(1, 400)])
    n.add("any-opaque-replaced", dir_("x"), file("x/.wh..wh..opq", b""), file("x"), file(".wh.y", b""), dir_("x"))
    n.add("any-whiteout-name-long", file(".wh." + "x" * 255, b""))


def flips(n):
    kinds = dict(MAKERS, symlink=lambda p: sym(p, "../canary"), hardlink=lambda p: hard(p, "other"),
                 whiteout=lambda p: file(".wh." + p, b""))
    for a, first in kinds.items():
        for b, second in kinds.items():
            n.add(f"any-flip-{a}-{b}", file("other"), first("x"), second("x"), file("x/secret"))
    n.add("ok-flip-tree", dir_("d"), *[dir_(f"d/{i}") for i in range(50)], *[file(f"d/{i}/f") for i in range(50)], file("d"))
    n.add("ok-flip-back", dir_("d"), file("d/a"), file("d"), dir_("d"), file("d/b"))


def xattr(key, value):
    return pax({"SCHILY.xattr." + key: value}) + file("x")


def metadata(n):
    for what, value in {"last": 2**32 - 1, "over": 2**32, "minus": -1, "huge": 2**62}.items():
        n.add(f"bad-uid-{what}", file("x", uid=value))
        n.add(f"bad-gid-{what}", file("x", gid=value))
    n.add("bad-uid-pax", pax({"uid": "4294967295"}), file("x"))
    n.add("any-uid-pax-text", pax({"uid": "root"}), file("x"))
    n.add("ok-uid-largest", file("x", uid=2**32 - 2, gid=2**32 - 2))
    n.add("ok-mode-all", file("x", mode=0o7777), dir_("d", mode=0o7777))
    n.add("any-mode-type", file("x", mode=0o0177777), file("y", mode=0o040755))
    n.add("any-mode-garbage", file("x", mode=b"zzzzzzz"))
    n.add("bad-size-negative", entry("x", FILE, size=-1))
    n.add("bad-size-huge", entry("x", FILE, size=2**63 - 1))
    n.add("bad-size-over", entry("x", FILE, size=2**64))
    n.add("any-size-pax", pax({"size": "99999999999999999999"}), file("x"))
    n.add("any-size-pax-negative", pax({"size": "-8"}), file("x"))
    n.add("any-dir-with-size", entry("d", DIR, b"x" * 600), file("y"))
    n.add("any-link-with-size", entry("s", SYM, b"x" * 600, link="a"), file("y"))
    for what, value in {"negative": -5, "huge": 2**62, "least": -2**62, "garbage": b"99999999999"}.items():
        n.add(f"any-mtime-{what}", file("x", mtime=value), dir_("d", mtime=value), sym("s", "x"))
    for i, value in enumerate(("nan", "-0.5", "1e400", "1.99999999999999999999", "1.1073741823", "9" * 400, "", ".", "-")):
        n.add(f"any-mtime-pax-{i}", pax({"mtime": value}), file("x"))
    n.add("bad-device-whiteout", chr_("x", 0, 0))
    n.add("bad-device-truncated", chr_("x", 4096 * 16, 0))
    n.add("bad-device-negative", chr_("x", -1, 0))
    n.add("any-device-negative-minor", chr_("x", 0, -2**20))
    n.add("ok-device-block", entry("x", BLK, major=7, minor=0))
    for key in ("trusted.overlay.opaque", "user.overlay.redirect", "trusted.overlay.redirect", "security.selinux", "security.ima",
                "system.posix_acl_access", "system.nfs4_acl", "user.overlay.opaque", "nothing"):
        n.add(f"ok-xattr-{key}", xattr(key, "/../../canary"))
    n.add("bad-xattr-capability", xattr("security.capability", "garbage"))
    n.add("any-xattr-capability-empty", xattr("security.capability", ""))
    n.add("any-xattr-empty", xattr("", "x"))
    n.add("any-xattr-user-empty", xattr("user.", "x"))
    n.add("any-xattr-long-name", xattr("user." + "x" * 300, "x"))
    n.add("any-xattr-large", xattr("user.x", "x" * 60000))
    n.add("any-xattr-too-large", xattr("user.x", "x" * 70000))
    n.add("any-xattr-nul", xattr("user.x", b"a\0b"))
    n.add("any-xattr-many", pax({f"SCHILY.xattr.user.{i}": "x" for i in range(3000)}), file("x"))
    n.add("any-xattr-on-link", pax({"SCHILY.xattr.user.x": "x"}), sym("s", "../canary"))
    n.add("any-acl", pax({"SCHILY.acl.access": "user::rwx,group::r-x,other::r-x,user:x:rwx:0"}), file("x"))
    n.add("any-acl-garbage", pax({"SCHILY.acl.access": ":::,,,,user:" + "9" * 50, "SCHILY.acl.default": "x"}), dir_("x"))
    n.add("any-fflags", pax({"SCHILY.fflags": "uappnd,uchg,nodump"}), file("x"))


def names(n):
    n.add("any-name-empty", file(""))
    n.add("any-name-empty-pax", pax({"path": ""}), file("x"))
    n.add("any-name-nul", pax({"path": b"a\0/../canary/secret"}), file("x"))
    n.add("any-name-latin", file(b"caf\xe9"), dir_(b"\xff\xfe"))
    n.add("any-name-latin-pax", pax({"path": b"caf\xe9"}), file("x"))
    n.add("any-name-binary", pax({"hdrcharset": "BINARY", "path": b"caf\xe9"}), file("x"))
    n.add("any-name-charset", pax({"hdrcharset": "EBCDIC", "path": "x"}), file("x"))
    n.add("any-name-overlong-dots", file(b"\xc0\xae\xc0\xae/canary/secret"))
    n.add("ok-name-control", file("a\nb\x1b[2J\x7f"))
    n.add("ok-name-backslash", file("..\\canary\\secret"))
    n.add("ok-name-tricky", file("-rf"), file(" "), file("~"), file("*"), file("a "))
    n.add("bad-name-part-256", file("x" * 256))
    n.add("ok-name-part-255", file("x" * 255))
    n.add("bad-name-5000", file("d/" * 2500 + "x"))
    n.add("bad-name-parts", file("d/" * 1000 + "x"))
    n.add("ok-name-4000", file(("d" * 15 + "/") * 250 + "x"))
    n.add("bad-name-million", file("x" * 1000000))
    n.add("bad-name-many-million", gnu_long(b"L", "x" * (3 << 20)), file("x"))
    n.add("any-name-pax-million", pax({"path": "d/" * 500000}), file("x"))
    n.add("any-name-dots-million", pax({"path": "./" * 500000 + "x"}), file("x"))
    n.add("any-name-unicode-slash", file("..∕canary"), file("\u2025/x"))
    n.add("any-name-twice-gnu", gnu_long(b"L", "a"), gnu_long(b"L", "../b"), file("x"))
    n.add("bad-file-as-parent", file("a"), file("a/b"))
    n.add("bad-fifo-as-parent", fifo("a"), file("a/b"))
    n.add("bad-device-as-parent", chr_("a"), file("a/b"))


def framing(n):
    whole = dir_("d") + file("d/f", b"x" * 3000)
    n.add("ok-no-end", whole, end=b"")
    n.add("ok-half-end", whole, end=b"\0" * BLOCK)
    n.add("ok-empty", end=b"")
    n.add("ok-end-only")
    n.add("ok-much-end", whole, end=END * 50)
    n.add("any-behind-the-end", whole, END, file("../canary/secret"))
    n.add("any-zeros-between", whole, b"\0" * BLOCK, file("x"))
    n.add("bad-cut-head", whole[:700], end=b"")
    n.add("bad-cut-data", whole[:2000], end=b"")
    n.add("any-cut-pad", whole[:1024 + 3000], end=b"")
    n.add("any-cut-small", whole[:100], end=b"")
    n.add("bad-checksum", head("x", checksum=1))
    n.add("bad-checksum-second", whole, head("x", checksum=1))
    n.add("bad-text", b"this is no tar\n" * 100, end=b"")
    n.add("bad-noise", random.Random(1).randbytes(20000), end=b"")
    n.add("bad-zip", b"PK\x03\x04" + b"\x00" * 2000, end=b"")
    n.add("bad-cpio", b"0707010000000000" + b"0" * 2000, end=b"")
    n.add("bad-ones", b"\xff" * 10240, end=b"")
    n.add("any-pax-length", head("p", b"x", 20) + pad(b"99999 path=../canary"), file("x"))
    n.add("any-pax-length-zero", head("p", b"x", 20) + pad(b"0 path=x\n"), file("x"))
    n.add("any-pax-no-newline", head("p", b"x", 10) + pad(b"10 path=xy"), file("x"))
    n.add("any-pax-alone", pax({"path": "x"}))
    n.add("bad-pax-cut", head("p", b"x", 5000) + b"x" * 100, end=b"")
    n.add("any-pax-huge", head("p", b"x", 2**40), file("x"))
    n.add("any-pax-nested", *[pax({"path": f"x{i}"}) for i in range(3000)], file("x"))
    n.add("any-long-nested", *[gnu_long(b"L", f"x{i}") for i in range(3000)], file("x"))
    n.add("any-long-huge", head("l", b"L", 2**40), file("x"))
    n.add("any-long-alone", gnu_long(b"L", "x"))
    for kind in (b"7", b"D", b"M", b"V", b"S", b"N", b"A", b"Z", b"g", b"x", b"K", b"X", b"\xff", b"\0"):
        n.add(f"any-type-{kind.hex()}", entry("x", kind, b"data", link="../canary/secret"), file("y"))
    n.add("any-solaris", head("x", b"X", 20) + pad(b"20 path=../canary/x\n"), file("y"))
    n.add("any-no-magic", file("x", magic=b"\0" * 8), file("../x"[3:], magic=b"garbage!"))
    n.add("any-two-archives", whole, END, whole)


def sparse_old(name, pieces, realsize, size):
    tail = b"\0" * 41 + b"".join(number(o, 12) + number(s, 12) for o, s in pieces[:4])
    tail = tail.ljust(137, b"\0") + b"\0" + number(realsize, 12)
    return entry(name, b"S", b"x" * size, magic=b"ustar  \0", tail=tail)


def sparse_1_0(name, text, realsize, data=b""):
    return pax({"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": name, "GNU.sparse.realsize": str(realsize)}) + \
        file("x", pad(text) + data)


def sparse(n):
    n.add("ok-sparse-old", sparse_old("x", [(0, 4), (1000000, 4)], 1000004, 8))
    n.add("any-sparse-overlap", sparse_old("x", [(0, 400), (100, 400)], 1000, 800))
    n.add("any-sparse-backwards", sparse_old("x", [(1000, 4), (0, 4)], 2000, 8))
    n.add("any-sparse-negative", sparse_old("x", [(-1000, 4)], 2000, 8))
    n.add("any-sparse-huge", sparse_old("x", [(2**62, 4)], 2**63 - 1, 8))
    n.add("any-sparse-size-huge", sparse_old("x", [(0, 8)], 2**63 - 1, 8))
    n.add("any-sparse-size-negative", sparse_old("x", [(0, 8)], -1, 8))
    n.add("any-sparse-pax-count", sparse_1_0("x", b"99999999999\n0\n8\n", 8, b"12345678"))
    n.add("any-sparse-pax-garbage", sparse_1_0("x", b"x\ny\n", 8))
    n.add("any-sparse-pax-huge", sparse_1_0("x", b"1\n9223372036854775800\n8\n", 2**63 - 1, b"12345678"))
    n.add("bad-sparse-pax-dotted", sparse_1_0("../canary/secret", b"1\n0\n8\n", 8, b"12345678"))


def gzip_of(chunks):
    z = zlib.compressobj(6, zlib.DEFLATED, 31)
    return b"".join(z.compress(c) for c in chunks) + z.flush()


def gzip_zeros(before, mebibytes):
    """Without a correct end, which nobody gets to."""
    z = zlib.compressobj(9, zlib.DEFLATED, -15)
    out = z.compress(before) + z.flush(zlib.Z_FULL_FLUSH)
    one = z.compress(bytes(1 << 20)) + z.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + out + one * mebibytes


def numbered(kind, count):
    """A million heads, quickly."""
    base = bytearray(head("0000000", kind))
    total = sum(base) - sum(base[148:156]) + 8 * 32 - 7 * 48
    for i in range(count):
        name = b"%07d" % i
        base[0:7] = name
        base[148:155] = b"%06o\0" % (total + sum(name))
        yield bytes(base)


def bombs(n):
    count = 4000000
    text = b"%d\n" % count + b"".join(b"%d\n1\n" % i for i in range(0, 2 * count, 2))
    n.add("bad-bomb-sparse-map", gzip_of([sparse_1_0("x", text, 2 * count)]), end=b"")
    n.add("bad-bomb-gzip", gzip_zeros(head("x", FILE, 10 << 30), 10240), end=b"")
    n.add("bad-bomb-gzip-tail", gzip_zeros(file("x") + END, 2000), end=b"")
    n.add("bad-bomb-zstd-window", struct.pack("<I", 0xfd2fb528) + b"\0" + bytes([21 << 3]) + b"\x01\0\0" + b"\0" * 100, end=b"")
    n.add("bad-bomb-entries", gzip_of(numbered(FILE, 1000000)), end=b"")
    n.add("bad-bomb-directories", gzip_of(numbered(DIR, 60000)), end=b"")
    n.add("bad-bomb-depth", file("d/" * 100000 + "x"))
    n.add("bad-bomb-depth-pax", pax({"path": "d/" * 100000 + "x"}), file("x"))
    parts = []
    for i in range(20):
        parts.append(dir_(f"s{i - 1}/" + "d/" * 250 if i else "d/" * 250))
        parts.append(sym(f"s{i}", (f"s{i - 1}/" if i else "") + "d/" * 250))
    n.add("bad-bomb-depth-by-links", *parts, file("x"))
    n.add("bad-bomb-depth-replaced", *parts, file("d"))
    n.add("ok-bomb-depth-250-replaced", *parts[:2], file("d"))
    n.add("any-bomb-implicit", gzip_of(file(f"{i}/" + "d/" * 250 + "x") for i in range(1000)), end=b"")
    n.add("any-bomb-headers", gzip_of(pax({"comment": "x" * 500}) for i in range(100000)), end=b"")


NAMED = (dotted, absolute, through_links, hard_links, whiteouts, flips, metadata, names, framing, sparse, bombs)


def random_name(r, work):
    parts = ["a", "b", "c", "d/e", "link", "..", ".", "", "canary", "secret", ".wh.a", ".wh.b", ".wh..wh..opq", "../canary",
             work.lstrip("/") + "/canary", "x" * 120, "\udcff"]
    name = "/".join(r.choice(parts if r.random() < 0.3 else parts[:5]) for _ in range(r.randint(1, 4)))
    return ("/" if r.random() < 0.1 else "") + name


def random_entry(r, work):
    name, kind = random_name(r, work), r.choice([FILE, FILE, FILE, DIR, DIR, SYM, SYM, HARD, CHR, BLK, FIFO])
    link = r.choice([random_name(r, work), "../canary", work + "/canary/secret", "/", ".", "../../../../.."])
    more = {}
    if r.random() < 0.1:
        more = {r.choice(["uid", "gid", "mtime", "mode"]): r.choice([-1, 2**32 - 1, 2**31, 2**62, r.getrandbits(20)])}
    if kind in (CHR, BLK):
        more.update(major=r.choice([0, 1, 1, 2**12]), minor=r.choice([0, 3, 2**20]))
    data = r.randbytes(r.choice([0, 10, 600])) if kind == FILE and ".wh." not in name else b""
    before = b""
    if r.random() < 0.1:
        before = pax({r.choice(["path", "linkpath", "SCHILY.xattr.user.overlay.opaque", "SCHILY.xattr.security.capability", "mtime",
                                "GNU.sparse.name", "size"]): random_name(r, work)})
    return before + entry(name, kind, data, link if kind in (SYM, HARD) else b"", **more)


def random_layer(r, work):
    layer = bytearray(b"".join(random_entry(r, work) for _ in range(r.randint(1, 25))) + END)
    if r.random() < 0.3:
        for _ in range(r.randint(1, 8)):
            layer[r.randrange(len(layer))] = r.getrandbits(8)
    if r.random() < 0.1:
        del layer[r.randrange(len(layer)):]
    return bytes(layer)


def main():
    what, out, work = sys.argv[1:4]
    if what == "named":
        n = Named(out, work)
        for make in NAMED:
            make(n)
        print(n.count)
        return
    seed, count = int(sys.argv[4]), int(sys.argv[5])
    for i in range(count):
        r = random.Random(f"{seed} {i}")
        with open(os.path.join(out, f"any-random-{seed}-{i}.tar"), "wb") as f:
            f.write(random_layer(r, work))


main()
