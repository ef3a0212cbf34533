#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
tests/bench/images.py: taking images in, tote against skopeo, umoci, podman and containerd, as Markdown on stdout.

`make bench` calls it, as root. All of it happens on an ext4 file system of its own in a file on a tmpfs, so that neither a slow disk
nor a full page cache decides; contenders take turns. tote's times are durable (it syncs before it says so), the peers' are as they
are; "+ sync" is what they would take if one waited for the data.

What else uses the processors meanwhile slows those down that keep two of them busy, and hardly the limit, whose parts are measured one
after the other. So of all rounds the quietest quarter counts, three at least, and "others" tells how quiet it was: how many processors
worked for neither the contender nor nobody, the kernel's writing back among it (0.2 to 0.3 of one for tote on a machine of its own).

  BUILD=DIR TOTE=FILE ROUNDS=5 RUNS=480  RUNS=0: `tote run` is not measured
  PAIRS=15                  further rounds of tote and the limit alone; with ROUNDS=0 PAIRS=0 `tote run` is all that is measured
  PAUSE=0.04                seconds before each `tote run`: what the kernel puts off of one must not fall on the next
  ONLY=tote,skopeo          these contenders (the limit is always there)
  IMAGES=distribution,...   these images: distribution, small-files, large-files, five-layers
"""
import ctypes, hashlib, json, os, random, resource, shutil, signal, statistics, subprocess, sys, tempfile, time
from world import Others, quietest, what_it_adds

BUILD = os.environ.get("BUILD", "build")
TOTE = os.path.abspath(os.environ.get("TOTE", BUILD + "/tote"))
FLOOR = os.path.abspath(BUILD + "/tests/bench/unpack_floor")
ROUNDS = int(os.environ.get("ROUNDS", "5"))
PAIRS = int(os.environ.get("PAIRS", "15"))
RUNS = int(os.environ.get("RUNS", "480"))
PAUSE = float(os.environ.get("PAUSE", "0.04"))
DEVICE_SIZE = 5 << 30
LIMIT = 600  # seconds for one command


def quiet(*command, **options):
    return subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=LIMIT, **options)


# ---- the images ----

def tar_of(directory, path):
    """A deterministic ustar archive, gzipped as images are."""
    quiet("sh", "-c", 'tar --format=ustar --sort=name --mtime=@1700000000 --numeric-owner -cf - -C "$1" . | gzip -6 >"$2"',
          "sh", directory, path)


def distribution(directory):
    """Debian's required packages, unpacked: what a base image holds."""
    names = subprocess.run("dpkg-query -Wf '${Package} ${Priority}\n' | sed -n 's/ required$//p'", shell=True, check=True,
                           capture_output=True, text=True).stdout.split() + ["perl-base", "python3.11-minimal", "libpython3.11-stdlib"]
    debs = directory + ".debs"
    os.makedirs(debs)
    subprocess.run(["apt-get", "download", "-qq"] + names, cwd=debs, check=True, stdout=sys.stderr)
    for deb in sorted(os.listdir(debs)):
        quiet("dpkg-deb", "-x", os.path.join(debs, deb), directory)
    shutil.rmtree(debs)
    # Libraries are of another priority: what is run later brings its own.
    shutil.copy(shutil.which("busybox"), directory + "/bin/busybox")


def small_files(directory):
    chance = random.Random(1)
    words = [chance.randbytes(6).hex().encode() for _ in range(4000)]
    for i in range(20000):
        where = f"{directory}/d{i // 100}/e{i // 9 % 11}"
        os.makedirs(where, exist_ok=True)
        size = min(int(chance.lognormvariate(7.6, 1.2)), 200000)
        with open(f"{where}/file{i}", "wb") as f:
            f.write(b" ".join(chance.choices(words, k=size // 13 + 1))[:size])


def large_files(directory):
    chance = random.Random(2)
    block = chance.randbytes(1 << 20)
    for i in range(3):
        with open(f"{directory}/large{i}", "wb") as f:
            for _ in range(120):
                f.write(chance.randbytes(600 << 10))
                at = chance.randrange(len(block) - (424 << 10))
                f.write(block[at:at + (424 << 10)])


def blob(layout, data):
    digest = hashlib.sha256(data).hexdigest()
    with open(f"{layout}/blobs/sha256/{digest}", "wb") as f:
        f.write(data)
    return {"digest": "sha256:" + digest, "size": len(data)}


def make_image(where, name, layers):
    """An OCI layout and its archive of gzipped tars."""
    layout = f"{where}/{name}"
    os.makedirs(layout + "/blobs/sha256")
    diff_ids, descriptors = [], []
    for layer in layers:
        with open(layer, "rb") as f:
            data = f.read()
        plain = subprocess.run(["gzip", "-dc", layer], check=True, capture_output=True).stdout
        diff_ids.append("sha256:" + hashlib.sha256(plain).hexdigest())
        descriptors.append({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", **blob(layout, data)})
    config = json.dumps({"architecture": subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True).stdout.strip(),
                         "os": "linux", "config": {"Cmd": ["/bin/true"]}, "rootfs": {"type": "layers", "diff_ids": diff_ids}}).encode()
    manifest = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                           "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **blob(layout, config)},
                           "layers": descriptors}).encode()
    index = {"schemaVersion": 2, "manifests": [{"mediaType": "application/vnd.oci.image.manifest.v1+json", **blob(layout, manifest),
                                                "annotations": {"org.opencontainers.image.ref.name": "1"}}]}
    with open(layout + "/index.json", "w") as f:
        json.dump(index, f)
    with open(layout + "/oci-layout", "w") as f:
        f.write('{"imageLayoutVersion":"1.0.0"}')
    quiet("tar", "-cf", layout + ".tar", "-C", layout, "oci-layout", "index.json", "blobs")
    return {"name": name, "layout": layout, "archive": layout + ".tar", "layers": layers}


def split_in_layers(directory, where, parts):
    """The same files as so many layers, each with the directories that it needs."""
    tops = sorted(os.listdir(directory + "/usr"))
    layers = []
    for i in range(parts):
        part = f"{where}/part{i}"
        os.makedirs(part + "/usr")
        for name in tops[i::parts]:
            quiet("cp", "-a", f"{directory}/usr/{name}", f"{part}/usr/{name}")
        tar_of(part, f"{where}/part{i}.tar.gz")
        shutil.rmtree(part)
        layers.append(f"{where}/part{i}.tar.gz")
    return layers


def make_images(where):
    images = []
    for name, fill in (("distribution", distribution), ("small files", small_files), ("large files", large_files)):
        directory = f"{where}/{name.split()[0]}-tree"
        os.makedirs(directory)
        fill(directory)
        tar_of(directory, directory + ".tar.gz")
        images.append(make_image(where, name.replace(" ", "-"), [directory + ".tar.gz"]))
    layers = split_in_layers(f"{where}/distribution-tree", where, 4) + [f"{where}/small-tree.tar.gz"]
    images.append(make_image(where, "five-layers", layers))
    return [image for image in images if image["name"] in os.environ.get("IMAGES", image["name"]).split(",")]


def in_another_process(make, where):
    """What a child is charged for begins with its parent's memory: ours has to stay small."""
    pid = os.fork()
    if pid == 0:
        try:
            with open(where + "/result", "w") as f:
                json.dump(make(where), f)
        except BaseException as e:
            print(f"bench: {e}", file=sys.stderr)
            os._exit(1)
        os._exit(0)
    if os.waitpid(pid, 0)[1]:
        sys.exit(1)
    with open(where + "/result") as f:
        return json.load(f)


# ---- the contenders: each takes an image into an empty directory ----

class Contender:
    durable = False

    def start(self, place): pass
    def stop(self): pass
    def cpu(self): return 0.0
    def rss(self): return 0


class Tote(Contender):
    name, durable = "tote", True

    def command(self, image, place):
        return [TOTE, "--store", place + "/store", "load", "--quiet", "--name", "bench:1", image["archive"]]


class Skopeo(Contender):
    name = "skopeo"

    def command(self, image, place):
        return ["skopeo", "copy", "--quiet", "--insecure-policy", "oci-archive:" + image["archive"],
                f"containers-storage:[overlay@{place}/root+{place}/run]localhost/bench:1"]


class Podman(Contender):
    name = "podman load"

    def command(self, image, place):
        return ["podman", "--root", place + "/root", "--runroot", place + "/run", "--storage-driver", "overlay", "load", "--quiet",
                "--input", image["archive"]]


class Umoci(Contender):
    name = "umoci unpack"

    def command(self, image, place):
        return ["umoci", "unpack", "--image", image["layout"] + ":1", place + "/bundle"]


class Containerd(Contender):
    name = "ctr import"

    def start(self, place):
        config = place + "/config.toml"
        with open(config, "w") as f:
            f.write(f'version = 2\nroot = "{place}/root"\nstate = "{place}/state"\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
                    f'[grpc]\naddress = "{place}/sock"\n')
        self.socket = place + "/sock"
        self.daemon = subprocess.Popen(["containerd", "--config", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(100):
            if os.path.exists(self.socket) and subprocess.run(["ctr", "-a", self.socket, "version"], capture_output=True).returncode == 0:
                break
            time.sleep(0.1)
        self.before = self.times()

    def times(self):
        with open(f"/proc/{self.daemon.pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def cpu(self):
        return self.times() - self.before

    def rss(self):
        with open(f"/proc/{self.daemon.pid}/status") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmHWM"))

    def command(self, image, place):
        return ["ctr", "-a", self.socket, "image", "import", "--base-name", "localhost/bench", "--snapshotter", "overlayfs", image["archive"]]

    def stop(self):
        self.daemon.send_signal(signal.SIGTERM)
        try:
            self.daemon.wait(20)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
            self.daemon.wait()


CONTENDERS = [c for c in (Tote(), Skopeo(), Podman(), Umoci(), Containerd()) if c.name in os.environ.get("ONLY", c.name).split(",")]


# ---- measuring ----

class Device:
    """An ext4 file system in a file, mounted on `place`."""

    def __init__(self, where):
        self.place = where + "/mnt"
        os.makedirs(self.place)
        with open(where + "/ext4", "wb") as f:
            f.truncate(DEVICE_SIZE)
        quiet("mkfs.ext4", "-q", "-F", where + "/ext4")
        self.loop = subprocess.run(["losetup", "-f", "--show", where + "/ext4"], check=True, capture_output=True, text=True).stdout.strip()
        quiet("mount", self.loop, self.place)

    def written(self):
        with open(f"/sys/block/{os.path.basename(self.loop)}/stat") as f:
            return int(f.read().split()[6]) * 512

    def close(self):
        subprocess.run(["umount", "-R", "-l", self.place], capture_output=True)
        quiet("losetup", "-d", self.loop)


def run(contender, image, device):
    place = tempfile.mkdtemp(dir=device.place)
    contender.start(place)
    os.sync()
    written = device.written()
    others = Others()
    began = time.monotonic()
    process = subprocess.Popen(contender.command(image, place), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    complaint = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - began
    process.returncode = status
    if status:
        sys.exit(f"bench: {contender.name}: {complaint.decode(errors='replace')[-400:]}")
    daemon = contender.cpu()
    cpu = usage.ru_utime + usage.ru_stime + daemon
    others = max(others.seconds() - daemon, 0.0) / wall
    rss = max(usage.ru_maxrss, contender.rss())
    os.sync()
    result = {"wall": wall, "synced": time.monotonic() - began, "cpu": cpu, "rss": rss / 1024, "others": others,
              "written": (device.written() - written) / (1 << 20)}
    contender.stop()
    subprocess.run(f"for m in $(findmnt -rno TARGET | grep '^{place}/'); do umount -l $m; done", shell=True)
    shutil.rmtree(place, ignore_errors=True)
    return result


def floor(image, device):
    """What decoding, hashing, writing and syncing take at least, overlapped as well as two processors can."""
    parts = [0.0] * 4
    others, began = Others(), time.monotonic()
    for layer in image["layers"]:
        place = tempfile.mkdtemp(dir=device.place)
        os.sync()
        out = subprocess.run([FLOOR, layer, place], check=True, capture_output=True, text=True).stdout.split()
        parts = [a + float(b) for a, b in zip(parts, out)]
        shutil.rmtree(place)
    others = others.seconds() / (time.monotonic() - began)
    decode, hashing, write, sync = parts
    overlapped = (decode + hashing + write) / 2
    if len(image["layers"]) == 1:
        overlapped = max(decode, write, overlapped)
    return {"wall": overlapped + sync, "others": others}


def measure(image, device):
    """Medians of the quietest rounds, of contenders and of the limit."""
    results = {c.name: [] for c in CONTENDERS}
    floors = []
    for i in range(ROUNDS + PAIRS):
        for contender in CONTENDERS if i < ROUNDS else [c for c in CONTENDERS if c.name == "tote"]:
            results[contender.name].append(run(contender, image, device))
        floors.append(floor(image, device))
    results["limit"] = floors
    medians = {name: {key: statistics.median(r[key] for r in quietest(runs)) for key in runs[0]} for name, runs in results.items()}
    return medians, medians.pop("limit")


def hide_mounts():
    """What is mounted from here on is ours alone, and ends with us."""
    if ctypes.CDLL(None).unshare(0x20000):  # CLONE_NEWNS
        sys.exit("bench: no mount namespace")
    quiet("mount", "--make-rprivate", "/")


def run_in_memory():
    """A tmpfs on /run, as nearly every machine has it: states are there, and what containers have as /etc/hosts."""
    quiet("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")


def run_by_name(image, device):
    """What `run IMAGE` adds to running a bundle of the same image, both of busybox's true: milliseconds of both and the difference."""
    run_in_memory()
    place = tempfile.mkdtemp(dir=device.place)
    tote = [TOTE, "--root", "/run/tote", "--store", place + "/store"]
    quiet(*tote, "load", "--name", "bench:1", image["archive"])
    quiet(*tote, "bundle", "bench:1", place + "/bundle")
    with open(place + "/bundle/config.json") as f:
        config = json.load(f)
    config["process"]["args"] = ["/bin/busybox", "true"]
    try:
        with open("/sys/fs/cgroup/cgroup.controllers") as f:
            controllers = f.read().split()
    except FileNotFoundError:
        controllers = []
    # On a hybrid host `run IMAGE` leaves it out by itself.
    if "pids" not in controllers:
        del config["linux"]["resources"]["pids"]
    with open(place + "/bundle/config.json", "w") as f:
        json.dump(config, f)
    times = what_it_adds(tote + ["run", "--bundle", place + "/bundle", "bench"],
                         tote + ["run", "--rm", "bench:1", "/bin/busybox", "true"], RUNS, PAUSE)
    shutil.rmtree(place, ignore_errors=True)
    return times


def report(image, results, limit):
    print(f"\n**{image['name']}** ({os.path.getsize(image['archive']) / 1e6:.0f} MB)\n")
    print("| | wall s | + sync | CPU s | RSS MiB | written MiB | others |\n|---|--:|--:|--:|--:|--:|--:|")
    for name, r in results.items():
        print(f"| {name} | {r['wall']:.2f} | {r['synced']:.2f} | {r['cpu']:.2f} | {r['rss']:.0f} | {r['written']:.0f} | {r['others']:.2f} |")
    print(f"| *limit* | {limit['wall']:.2f} | | | | | {limit['others']:.2f} |")


def judge(image, results, limit):
    tote = results["tote"]
    peers = {name: r for name, r in results.items() if name != "tote"}
    if peers:
        name, fastest = min(peers.items(), key=lambda item: item[1]["wall"])
        yield f"{image['name']}: tote, durable / {name}, not", tote["wall"] / fastest["wall"], 0.40
    yield f"{image['name']}: tote / limit", tote["wall"] / limit["wall"], 1.25
    yield f"{image['name']}: RSS of a process, MiB", tote["rss"], 24


def main():
    hide_mounts()
    where = tempfile.mkdtemp(prefix="tote-bench-", dir="/dev/shm")
    lines = []
    device = None
    try:
        images = in_another_process(make_images, where)
        device = Device(where)
        print("### Taking images in")
        for image in images if ROUNDS + PAIRS else []:
            results, limit = measure(image, device)
            report(image, results, limit)
            lines += judge(image, results, limit)
        if RUNS and images[0]["name"] == "distribution":
            bundle, by_name, added = in_another_process(lambda _: run_by_name(images[0], device), where)
            print(f"\n`tote run` of busybox's true: a bundle {bundle:.2f} ms, the image by its name {by_name:.2f} ms")
            lines.append(("run IMAGE: ms more than a bundle", added, 1.0))
    finally:
        if device:
            device.close()
        shutil.rmtree(where, ignore_errors=True)
    print("\n| target | measured | wanted | |\n|---|--:|--:|---|")
    for what, measured, wanted in lines:
        print(f"| {what} | {measured:.2f} | <= {wanted:.2f} | {'PASS' if measured <= wanted else 'FAIL'} |")


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
