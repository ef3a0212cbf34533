/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ids of the host that one container alone has: ranges of 65,536 from 2^31 on, which no user
 * database, subuid(5) or systemd hands out. ids/SLOT is a link to the container's name, and "ids"
 * in its directory one to the slot.
 */
#include "oci/image/store_private.h"

#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST ((uint32_t)1 << 31)
#define SLOTS 32700U

static int read_link(int dir, const char *path, char ret[STORE_NAME_SIZE])
{
	ssize_t len = readlinkat(dir, path, ret, STORE_NAME_SIZE - 1);

	if (len < 0)
		return -errno;
	ret[len] = '\0';
	return 0;
}

int store_ids_claim(const struct store *s, const char *container, uint32_t *ret_first,
		    struct err *err)
{
	char claim[32], note[STORE_NAME_SIZE + 32];
	unsigned int slot = (unsigned int)getpid();

	if (mkdirat(s->fd, "ids", 0700) < 0 && errno != EEXIST)
		return err_errno(err, "make ids");
	snprintf(note, sizeof(note), "containers/%s/ids", container);
	/* Anywhere to begin with: other stores have the same ranges. */
	if (getrandom(&slot, sizeof(slot), GRND_NONBLOCK) < 0 && errno != EAGAIN)
		return err_errno(err, "getrandom");
	for (unsigned int i = 0; i < SLOTS; i++) {
		slot = (slot % SLOTS + 1) % SLOTS;
		snprintf(claim, sizeof(claim), "ids/%u", slot);
		if (symlinkat(container, s->fd, claim) < 0) {
			if (errno == EEXIST)
				continue;
			return err_errno(err, "claim %s", claim);
		}
		if (symlinkat(claim + 4, s->fd, note) < 0)
			return err_errno(err, "note %s", claim);
		*ret_first = FIRST + slot * STORE_IDS;
		return 0;
	}
	return err_set(err, ENOSPC, "all %u ranges of ids are taken by containers of this store",
		       SLOTS);
}

void store_ids_release(const struct store *s, const char *container)
{
	char note[STORE_NAME_SIZE + 32], slot[STORE_NAME_SIZE], claim[STORE_NAME_SIZE + 8],
		owner[STORE_NAME_SIZE];

	snprintf(note, sizeof(note), "containers/%s/ids", container);
	if (read_link(s->fd, note, slot) < 0 || strspn(slot, "0123456789") != strlen(slot))
		return;
	snprintf(claim, sizeof(claim), "ids/%s", slot);
	if (read_link(s->fd, claim, owner) == 0 && strcmp(owner, container) == 0)
		unlinkat(s->fd, claim, 0);
}

void store_ids_sweep(const struct store *s, struct arena *a)
{
	struct strv slots;
	struct err none;

	if (file_list(s->fd, "ids", a, &slots, &none) < 0)
		return;
	for_each (slot, &slots) {
		char *claim = arena_printf(a, "ids/%s", *slot), owner[STORE_NAME_SIZE];

		if (read_link(s->fd, claim, owner) == 0 &&
		    faccessat(s->fd, arena_printf(a, "containers/%s", owner), F_OK,
			      AT_SYMLINK_NOFOLLOW) < 0)
			unlinkat(s->fd, claim, 0);
	}
}
