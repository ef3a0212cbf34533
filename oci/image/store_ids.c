/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ids of the host that one container alone has: ranges of 65,536 from 2^31 on, which no user
 * database, subuid(5) or systemd hands out. ids/SLOT is a link to the meta in the container's
 * directory, as long as there is one.
 */
#include "oci/image/store_private.h"

#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST ((uint32_t)1 << 31)
#define SLOTS 32700U

/* Where to begin looking: names are random, and other stores have the same ranges. */
static unsigned int first_slot(const char *container)
{
	unsigned int n = 0;

	for (const char *p = container; *p; p++)
		n = n * 31 + (unsigned char)*p;
	return n % SLOTS;
}

/* By its name where there can be no second link: such a claim is gc's to remove. */
static int claim_slot(const struct store *s, const char *container, const char *claim)
{
	char meta[STORE_NAME_SIZE + 32];

	snprintf(meta, sizeof(meta), "containers/%s/meta", container);
	if (linkat(s->fd, meta, s->fd, claim, 0) == 0)
		return 0;
	/* A file system without them, or a project quota that ends between the two. */
	if (errno != EPERM && errno != EOPNOTSUPP && errno != EXDEV)
		return -errno;
	return symlinkat(container, s->fd, claim) < 0 ? -errno : 0;
}

int store_ids_claim(const struct store *s, const char *container, uint32_t *ret_first,
		    struct err *err)
{
	unsigned int slot = first_slot(container);
	char claim[32];

	if (mkdirat(s->fd, "ids", 0700) < 0 && errno != EEXIST)
		return err_errno(err, "make ids");
	for (unsigned int i = 0; i < SLOTS; i++, slot = (slot + 1) % SLOTS) {
		int r;

		snprintf(claim, sizeof(claim), "ids/%u", slot);
		r = claim_slot(s, container, claim);
		if (r == 0) {
			*ret_first = FIRST + slot * STORE_IDS;
			return 0;
		}
		if (r != -EEXIST)
			return err_code(err, r, "claim %s", claim);
	}
	return err_set(err, EUSERS, "all %u ranges of ids are taken by containers of this store",
		       SLOTS);
}

void store_ids_release(const struct store *s, const char *container)
{
	char claim[32], meta[STORE_NAME_SIZE + 32];
	unsigned int slot = first_slot(container);
	struct stat ours, st;

	snprintf(meta, sizeof(meta), "containers/%s/meta", container);
	if (fstatat(s->fd, meta, &ours, AT_SYMLINK_NOFOLLOW) < 0 || ours.st_nlink < 2)
		return;
	for (unsigned int i = 0; i < SLOTS; i++, slot = (slot + 1) % SLOTS) {
		snprintf(claim, sizeof(claim), "ids/%u", slot);
		if (fstatat(s->fd, claim, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    st.st_ino == ours.st_ino) {
			unlinkat(s->fd, claim, 0);
			return;
		}
	}
}

/* A symbolic link to the name of a container is one as well: where there are no hard links, and of an
 * earlier tote. */
static bool is_claimed(const struct store *s, const char *claim, struct arena *a)
{
	char owner[STORE_NAME_SIZE];
	struct stat st;
	ssize_t len;

	if (fstatat(s->fd, claim, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return true;
	if (!S_ISLNK(st.st_mode))
		return st.st_nlink > 1;
	len = readlinkat(s->fd, claim, owner, sizeof(owner) - 1);
	if (len < 0)
		return true;
	owner[len] = '\0';
	return faccessat(s->fd, arena_printf(a, "containers/%s", owner), F_OK,
			 AT_SYMLINK_NOFOLLOW) == 0;
}

void store_ids_sweep(const struct store *s, struct arena *a)
{
	struct strv slots;
	struct err none;

	if (file_list(s->fd, "ids", a, &slots, &none) < 0)
		return;
	for_each (slot, &slots) {
		char *claim = arena_printf(a, "ids/%s", *slot);

		if (!is_claimed(s, claim, a))
			unlinkat(s->fd, claim, 0);
	}
}
