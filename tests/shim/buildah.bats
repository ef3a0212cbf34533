# SPDX-License-Identifier: Apache-2.0
# tote in runc's place under buildah: `buildah run`, and RUN of a Containerfile.

bats_require_minimum_version 1.5.0
load podman

setup_file() {
	command -v buildah >/dev/null || skip "buildah is not installed"
	start_podman
	mkdir -p "$POD_DIR/context"
	cat >"$POD_DIR/context/Containerfile" <<-END
		FROM $IMAGE
		ENV A=b
		RUN echo "\$A \$(id -u)" >/made && sleep 0
		USER 1
		RUN id -u >/tmp/user
		CMD ["sh", "-c", "cat /made /tmp/user"]
	END
}
teardown_file() { stop_podman; }

teardown() {
	buildah rm -a >/dev/null 2>&1 || true
	clean_podman
}

buildah() { # COMMAND ARGUMENT...
	inside buildah "$@"
}

working() {
	WORKING=$(buildah from "$IMAGE")
}

@test "run: output, input, exit codes" {
	working
	# Buildah asks for ambient capabilities that nobody can have without inheritable ones; the specification wants a warning then.
	ran buildah run --runtime "$TOTE_COPY" "$WORKING" -- true
	[[ $output == *"tote: warning: process.capabilities.ambient"* ]]
	ran buildah run --runtime "$TOTE_COPY" --runtime-flag log-level=error "$WORKING" -- sh -c 'id -u; hostname >/name; exit 7'
	[ "$status" = 7 ]
	[[ $output == 0$'\n'* ]]
	[ "$(echo piped | buildah run --runtime "$TOTE_COPY" "$WORKING" -- tr a-z A-Z)" = PIPED ]
	buildah run --runtime "$TOTE_COPY" "$WORKING" -- test -s /name
}

@test "run: options" {
	working
	mkdir -p "$POD_DIR/volume"
	echo seen >"$POD_DIR/volume/file"
	# A warning would be anywhere between the lines.
	ran buildah run --runtime "$TOTE_COPY" --runtime-flag log-level=error --user 1:1 --hostname box --cap-drop CAP_CHOWN \
		-v "$POD_DIR/volume:/mnt:ro" "$WORKING" -- \
		sh -c 'id -u; hostname; cat /mnt/file; (echo >/mnt/x) 2>/dev/null || echo closed'
	[ "$status" = 0 ]
	[[ $output == *1$'\n'box$'\n'seen$'\n'closed* ]]
}

@test "run: a terminal" {
	working
	ran on_terminal buildah run -t --runtime "$TOTE_COPY" "$WORKING" -- sh <<<'echo typed $((40+2)); tty; exit 0'
	[ "$status" = 0 ]
	[[ $output == *"typed 42"*"/dev/pts/0"* ]]
}

@test "run: what is not there is told" {
	working
	ran buildah run --runtime "$TOTE_COPY" "$WORKING" -- nosuch
	[ "$status" != 0 ]
	[[ $output == *'executable file not found in $PATH'* ]]
	[ "$(inside "$TOTE_COPY" list -f json)" = '[]' ]
}

@test "bud: RUN of a Containerfile; the image runs" {
	ran buildah bud --runtime "$TOTE_COPY" -t built "$POD_DIR/context"
	[ "$status" = 0 ]
	ran podman run --rm built
	[ "$output" = $'b 0\n1' ]
	# And podman's own, which takes the runtime of the drop-in.
	ran podman build -t built2 "$POD_DIR/context"
	[ "$status" = 0 ]
	ran podman run --rm built2
	[ "$output" = $'b 0\n1' ]
}
