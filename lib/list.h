/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Intrusive doubly linked lists: the links lie in what is linked, so that nothing is allocated and
 * a member leaves its list without knowing which. For objects that wait for events; used by the
 * programs that run long.
 */
#ifndef LIB_LIST_H
#define LIB_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next, *prev; /* of a head: first and last. NULL: in no list */
};

#define container_of(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

static inline void list_init(struct list *head)
{
	head->next = head->prev = head;
}

static inline bool list_empty(const struct list *head)
{
	return head->next == head;
}

/* At the end. */
static inline void list_add(struct list *head, struct list *item)
{
	item->prev = head->prev;
	item->next = head;
	head->prev->next = item;
	head->prev = item;
}

/* What is in no list (zeroed, or removed before) stays as it is. */
static inline void list_remove(struct list *item)
{
	if (!item->next)
		return;
	item->prev->next = item->next;
	item->next->prev = item->prev;
	item->next = item->prev = NULL;
}

/* The first, which is taken out; NULL when there is none. */
static inline struct list *list_pop(struct list *head)
{
	struct list *item = head->next;

	if (item == head)
		return NULL;
	list_remove(item);
	return item;
}

/* The member at hand may be removed meanwhile, others may not. */
#define for_list(it, head, type, member)                                                           \
	for (type *it = container_of((head)->next, type, member),                                  \
		  *it##_next = container_of(it->member.next, type, member);                        \
	     &it->member != (head);                                                                \
	     it = it##_next, it##_next = container_of(it->member.next, type, member))

#endif
