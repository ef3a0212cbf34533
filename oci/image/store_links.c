/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/image/store.h"

#include <string.h>

static bool has(const struct strv *list, const char *s)
{
	for_each (have, list)
		if (strcmp(*have, s) == 0)
			return true;
	return false;
}

void store_links(const struct store_image *image, struct arena *a, struct strv *links,
		 bool *user_xattr)
{
	char **items = arena_calloc(a, links->count + image->layers.count + 1, sizeof(*items));

	if (links->count)
		memcpy(items, links->items, links->count * sizeof(*items));
	links->items = items;
	for (size_t i = image->layers.count; i-- > 0;) {
		const struct store_layer *layer = &image->layers.items[i];

		*user_xattr |= layer->user_xattr;
		if (!has(links, layer->link))
			links->items[links->count++] = layer->link;
	}
}
