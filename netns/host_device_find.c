/* SPDX-License-Identifier: Apache-2.0 */
#include "netns/host_device.h"

#include "lib/cleanup.h"
#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define SYS_PCI "/sys/bus/pci/devices"

static const struct json_field device_fields[] = {
	{ "device", json_string, offsetof(struct host_device, name) },
	{ "hwaddr", json_string, offsetof(struct host_device, mac_text) },
	{ "kernelpath", json_string, offsetof(struct host_device, kernel_path) },
	{ "pciBusID", json_string, offsetof(struct host_device, pci_id) },
};
static const struct json_table device_table = { device_fields, ARRAY_SIZE(device_fields),
						sizeof(struct host_device), NULL };
static const struct json_field runtime_fields[] = {
	{ "deviceID", json_string, offsetof(struct host_device, pci_id) },
};
static const struct json_table runtime_table = { runtime_fields, ARRAY_SIZE(runtime_fields),
						 sizeof(struct host_device), NULL };

static bool is_said(char **text)
{
	if (*text && !**text)
		*text = NULL;
	return *text != NULL;
}

/* They become parts of paths below /sys. */
static bool is_safe(const char *path)
{
	return !strstr(path, "..");
}

static int check_device(struct host_device *d, struct err *err)
{
	int said = is_said(&d->name) + is_said(&d->mac_text) + is_said(&d->kernel_path) +
		   is_said(&d->pci_id);

	if (said != 1)
		return err_set(err, EINVAL,
			       "one of \"device\", \"hwaddr\", \"kernelpath\" and "
			       "\"pciBusID\" has to say which interface");
	if (d->name && !link_name_ok(d->name))
		return err_set(err, EINVAL, "\"%s\" is not a name for a network interface",
			       d->name);
	if (d->mac_text && link_mac_parse(d->mac_text, d->mac) < 0)
		return err_set(err, EINVAL, "\"%s\" is not a hardware address", d->mac_text);
	d->has_mac = d->mac_text != NULL;
	if (d->kernel_path &&
	    (strncmp(d->kernel_path, "/sys/devices/", 13) != 0 || !is_safe(d->kernel_path)))
		return err_set(err, EINVAL, "kernelpath \"%s\" is not below /sys/devices",
			       d->kernel_path);
	if (d->pci_id && (strchr(d->pci_id, '/') || !is_safe(d->pci_id)))
		return err_set(err, EINVAL, "\"%s\" is not a PCI address", d->pci_id);
	return 0;
}

int host_device_read(struct attach *at, struct host_device *ret_device)
{
	int rc;

	memset(ret_device, 0, sizeof(*ret_device));
	rc = json_decode(at->conf, &device_table, at->arena, ret_device, at->err);
	if (rc >= 0 && at->runtime)
		rc = json_decode(at->runtime, &runtime_table, at->arena, ret_device, at->err);
	return rc < 0 ? rc : check_device(ret_device, at->err);
}

static int find_mac(struct rtnl *r, const struct host_device *device, struct arena *a,
		    struct link *ret_link, struct err *err)
{
	struct link_list links;
	int rc = link_list(r, 0, NULL, a, &links, err);

	if (rc < 0)
		return rc;
	for_each (link, &links) {
		/* What lies on it may have borrowed its address. */
		if (!link->has_mac || memcmp(link->mac, device->mac, LINK_MAC_SIZE) != 0)
			continue;
		*ret_link = *link;
		if (!*link->kind)
			return 0;
		rc = 1;
	}
	return rc > 0 ? 0
		      : err_set(err, ENODEV, "the host has no interface with the address %s",
				device->mac_text);
}

/* The first name in DIR/net. */
static int find_in_sysfs(struct rtnl *r, const char *dir, struct arena *a, struct link *ret_link,
			 struct err *err)
{
	struct strv names;
	int rc = file_list(AT_FDCWD, arena_printf(a, "%s/net", dir), a, &names, err);

	if (rc == -ENOENT || (rc >= 0 && !names.count))
		return err_set(err, ENODEV, "%s is no network device, or is lent already", dir);
	return rc < 0 ? rc : link_find(r, names.items[0], ret_link, err);
}

/* A virtio device has its network device a level further down. */
static int find_pci(struct rtnl *r, const char *id, struct arena *a, struct link *ret_link,
		    struct err *err)
{
	const char *dir = arena_printf(a, SYS_PCI "/%s", id);
	struct strv names;
	int rc = file_list(AT_FDCWD, dir, a, &names, err);

	if (rc == -ENOENT)
		return err_set(err, ENODEV, "the host has no PCI device %s", id);
	if (rc < 0)
		return rc;
	for_each (name, &names)
		if (strncmp(*name, "virtio", 6) == 0)
			dir = arena_printf(a, "%s/%s", dir, *name);
	return find_in_sysfs(r, dir, a, ret_link, err);
}

int host_device_find(struct rtnl *r, const struct host_device *device, struct arena *a,
		     struct link *ret_link, struct err *err)
{
	int rc;

	if (device->has_mac)
		return find_mac(r, device, a, ret_link, err);
	if (device->kernel_path)
		return find_in_sysfs(r, device->kernel_path, a, ret_link, err);
	if (device->pci_id)
		return find_pci(r, device->pci_id, a, ret_link, err);
	rc = link_find(r, device->name, ret_link, err);
	return rc == -ENODEV ? err_set(err, ENODEV, "the host has no interface %s", device->name)
			     : rc;
}
