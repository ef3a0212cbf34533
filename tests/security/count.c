// SPDX-License-Identifier: Apache-2.0
// Prints what a runtime could leak on this host: mounts, network namespaces, zombies, BPF programs.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX 65536

static unsigned int count_programs(void)
{
	union bpf_attr attr;
	unsigned int n = 0;

	for (uint32_t id = 0;; id = attr.next_id, n++) {
		memset(&attr, 0, sizeof(attr));
		attr.start_id = id;
		if (syscall(SYS_bpf, BPF_PROG_GET_NEXT_ID, &attr, sizeof(attr)) < 0)
			return errno == ENOENT ? n : 0;
	}
}

static unsigned int count_lines(const char *path)
{
	FILE *f = fopen(path, "r");
	unsigned int n = 0;
	int c;

	if (!f)
		return 0;
	while ((c = getc(f)) != EOF)
		n += c == '\n';
	fclose(f);
	return n;
}

static char state_of(const char *pid)
{
	char path[300], text[1024], *p;
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	f = fopen(path, "r");
	if (!f)
		return '?';
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	p = strrchr(text, ')');
	return p && p[1] ? p[2] : '?';
}

static void walk_proc(unsigned int *ret_netns, unsigned int *ret_zombies)
{
	static ino_t seen[MAX];
	unsigned int n = 0, zombies = 0, i;
	DIR *dir = opendir("/proc");
	struct dirent *d;

	while (dir && (d = readdir(dir))) {
		char path[300];
		struct stat st;

		if (d->d_name[0] < '0' || d->d_name[0] > '9')
			continue;
		zombies += state_of(d->d_name) == 'Z';
		snprintf(path, sizeof(path), "/proc/%s/ns/net", d->d_name);
		if (stat(path, &st) < 0)
			continue;
		for (i = 0; i < n && seen[i] != st.st_ino; i++)
			;
		if (i == n && n < MAX)
			seen[n++] = st.st_ino;
	}
	if (dir)
		closedir(dir);
	*ret_netns = n;
	*ret_zombies = zombies;
}

int main(void)
{
	unsigned int netns, zombies;

	walk_proc(&netns, &zombies);
	printf("mounts %u\nnetns %u\nzombies %u\nbpf %u\n", count_lines("/proc/self/mountinfo"),
	       netns, zombies, count_programs());
	return 0;
}
