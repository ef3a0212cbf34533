#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
tests/bench/layout/layout.py: writes cmd/layout.ld anew. `make layout` calls it, as root, on x86-64.

The kernel maps 64 KiB of a program's file around each page that is touched. Functions that ordinary commands call, which are a third
of a static program, lie next to each other by that file, and the rest is not even mapped. This finds them: it links all programs with
maps, runs what the benchmarks measure below `reached`, and looks up in which input section of the linker each function was.

A section that is renamed or gone only loses its place: the file has to be made anew when the memory of `make bench` grows.
"""
import bisect, os, re, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.realpath(HERE + "/../../..")
BUILD = os.path.abspath(os.environ.get("BUILD", "build")) + "/layout"
PROGRAMS = ["tote", "tote-monitor", "tote-supervise", "tote-compose", "tote-net", "containerd-shim-tote-v2"]
BENCHES = {"COUNT": "3", "SECONDS": "1", "ROUNDS": "2", "PODS": "2", "EXECS": "3", "PARALLEL": "2"}
WORKLOADS = [[HERE + "/workload.sh"],
             ["env", "PARTS=memory,start", "python3", TREE + "/tests/bench/supervise.py"],
             ["env", "PARTS=memory,direct", "python3", TREE + "/tests/bench/shim.py"]]
LIMIT = 600

HEAD = """/* Made by `make layout`: the functions that ordinary commands call, in the order in which they do. tests/bench/layout/layout.py
   says why. */
"""


def functions(program):
    """Addresses of a program's functions."""
    out = subprocess.run(["nm", program], check=True, capture_output=True, text=True).stdout
    return sorted({fields[0] for fields in map(str.split, out.splitlines()) if len(fields) == 3 and fields[1] in "tTiW"})


def sections(map_file):
    """The input sections that have code: (address, size, file, name), sorted."""
    found, name = [], None
    for line in open(map_file):
        alone = re.match(r"^ (\.\S+)\s*$", line)
        placed = re.match(r"^ (\.\S+)?\s+0x([0-9a-f]{8,16})\s+0x([0-9a-f]+) (\S.*)$", line)
        if placed:
            section = placed[1] or name
            if section and section.startswith(".text") and int(placed[3], 16):
                found.append((int(placed[2], 16), int(placed[3], 16), placed[4], section))
        name = alone[1] if alone else None
    return sorted(found)


def pattern(file, section):
    """Of a linker script. Our sections have the function's name, those of libraries are told apart by their file."""
    member = re.search(r"([^/]+\.a)\(([^)]+)\)$", file)
    if member and not member[1].startswith(("libtote", "libcmd", "libcore")):
        return f"*{member[1]}:{member[2]}({section})"
    return f"*({section})" if section.startswith(".text.") else f"*{os.path.basename(file)}({section})"


def reached(work):
    """(program, address) in the order in which they were reached."""
    with open(work + "/functions", "w") as f:
        for name in PROGRAMS:
            f.writelines(f"{BUILD}/{name} {address}\n" for address in functions(f"{BUILD}/{name}"))
    for command in WORKLOADS:
        with open(work + "/functions") as f:
            code = subprocess.run(["timeout", "-k", "5", str(LIMIT), BUILD + "/reached", work + "/hits"] + command, stdin=f, stdout=sys.stderr,
                                  env={**os.environ, **BENCHES, "BUILD": BUILD, "TOTE": BUILD + "/tote"}).returncode
        print(f"layout.py: {' '.join(command)}: {code}", file=sys.stderr)
        with open(work + "/hits") as f:
            for line in f:
                program, address = line.split()
                yield os.path.basename(program), int(address, 16)


def main():
    if os.geteuid():
        sys.exit("layout.py: must be root")
    subprocess.run(["make", "-C", TREE, "-j2", "BUILD=" + BUILD, "LAYOUT=", "LDFLAGS=-Wl,-Map=$$@.map", "all"]
                   + [f"{BUILD}/tests/bench/{name}" for name in ("bench", "floor", "greeter", "memlock", "nothing", "round_trip")],
                   check=True, stdout=sys.stderr)
    subprocess.run(["cc", "-O2", "-D_GNU_SOURCE", "-o", BUILD + "/reached", HERE + "/reached.c"], check=True)
    maps = {name: sections(f"{BUILD}/{name}.map") for name in PROGRAMS}
    lines, size = {}, 0
    with tempfile.TemporaryDirectory() as work:
        for program, address in reached(work):
            at = bisect.bisect_right(maps[program], (address, float("inf"))) - 1
            start, length, file, name = maps[program][at]
            if not start <= address < start + length:
                continue  # of the linker's own making
            line = pattern(file, name)
            size += 0 if line in lines else length
            lines[line] = None
    with open(TREE + "/cmd/layout.ld", "w") as f:
        f.write(HEAD + "".join(line + "\n" for line in lines))
    print(f"cmd/layout.ld: {len(lines)} sections, {size >> 10} KiB")


if __name__ == "__main__":
    main()
