/* SPDX-License-Identifier: Apache-2.0 */
/* Private to oci/image/convert*.c. */
#ifndef OCI_IMAGE_CONVERT_PRIVATE_H
#define OCI_IMAGE_CONVERT_PRIVATE_H

#include "oci/image/convert.h"

/* Each fills its part of a spec that has the defaults; 0, or -errno with words. */
int convert_args(const struct image_process *image, const struct convert_opts *opts,
		 struct arena *a, struct spec_process *p, struct err *err);
/* home: of the user in passwd, or NULL. */
int convert_env(const struct image_process *image, const struct convert_opts *opts,
		const char *home, struct arena *a, struct spec_process *p, struct err *err);
int convert_cwd(const struct image_process *image, const struct convert_opts *opts, struct arena *a,
		struct spec_process *p, struct err *err);
/* p has its user and the default capabilities. */
int convert_capabilities(const struct convert_opts *opts, struct arena *a, struct spec_process *p,
			 struct err *err);
/* Numbers of the process, further groups. */
int convert_settings(const struct convert_opts *opts, int root_fd, struct arena *a,
		     struct spec_process *p, struct err *err);
int convert_sysctls(const struct convert_opts *opts, struct arena *a, struct spec_linux *l,
		    struct err *err);
int convert_devices(const struct convert_opts *opts, struct arena *a, struct spec_linux *l,
		    struct err *err);
/* Those of the options, besides the image's. */
int convert_more_annotations(const struct convert_opts *opts, struct arena *a,
			     struct key_value_list *list, struct err *err);
/* Whether an annotation of that key is an order for some runtime. */
bool convert_steers(const char *key);
/* Namespaces that it shares with the host, and what is mounted for them; before convert_mounts(). */
int convert_shared(const struct convert_opts *opts, struct arena *a, struct spec *spec,
		   struct err *err);
int convert_limits(const struct convert_opts *opts, struct cg_limits *limits, struct err *err);
int convert_mounts(const struct convert_opts *opts, struct arena *a, struct spec *spec,
		   struct err *err);
int convert_seccomp(const struct convert_opts *opts, struct arena *a, struct spec_linux *l,
		    struct err *err);
void convert_annotations(const struct image_config *image, struct arena *a,
			 struct key_value_list *ret);

#endif
