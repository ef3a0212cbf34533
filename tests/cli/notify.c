/* SPDX-License-Identifier: Apache-2.0 */
/* notify TEXT: sends TEXT to $NOTIFY_SOCKET as sd_notify(3) does; static, so that it runs in any
 * root file system. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

int main(int argc, char **argv)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	int sock = socket(AF_UNIX, SOCK_DGRAM, 0);

	if (argc != 2 || !path || sock < 0)
		return 2;
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (sendto(sock, argv[1], strlen(argv[1]), 0, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		perror(path);
		return 1;
	}
	return 0;
}
