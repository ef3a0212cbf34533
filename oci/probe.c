/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/probe.h"

#include "lib/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

bool probe_apparmor(void)
{
	char value[8];

	return file_peek(AT_FDCWD, "/sys/module/apparmor/parameters/enabled", value,
			 sizeof(value)) > 0 &&
	       value[0] == 'Y';
}

bool probe_selinux(void)
{
	return access("/sys/fs/selinux/enforce", F_OK) == 0;
}

int probe_process(struct spec_process *p, struct err *err)
{
	if (p->apparmor_profile && p->apparmor_profile[0] && !probe_apparmor()) {
		/* Engines name it where there is no AppArmor at all. */
		if (strcmp(p->apparmor_profile, "unconfined") != 0)
			return err_set(
				err, EOPNOTSUPP,
				"process.apparmorProfile: AppArmor is not active on this host");
		p->apparmor_profile = NULL;
	}
	if (p->selinux_label && p->selinux_label[0] && !probe_selinux())
		return err_set(err, EOPNOTSUPP,
			       "process.selinuxLabel: SELinux is not active on this host");
	return 0;
}

int probe_spec(const struct spec *spec, struct err *err)
{
	if (spec->linux_.mount_label && spec->linux_.mount_label[0] && !probe_selinux())
		return err_set(err, EOPNOTSUPP,
			       "linux.mountLabel: SELinux is not active on this host");
	return spec->process ? probe_process(spec->process, err) : 0;
}
