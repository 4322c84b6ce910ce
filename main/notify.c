/* SPDX-License-Identifier: Apache-2.0 */
#include "main/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"

void notify_send(const char *state)
{
	/* read at start, before threads that could change it */
	const char *path =
	    getenv("NOTIFY_SOCKET"); /* NOLINT(concurrency-mt-unsafe) */
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	socklen_t len;
	int fd;

	if (!path || (path[0] != '/' && path[0] != '@') ||
	    strlen(path) >= sizeof(to.sun_path))
		return;
	(void)str_copy(to.sun_path, sizeof(to.sun_path), path);
	len =
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	if (path[0] == '@') /* an abstract name begins with NUL */
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)sendto(fd, state, strlen(state), MSG_NOSIGNAL,
		     (const struct sockaddr *)&to, len);
	(void)close(fd);
}

int64_t notify_watchdog_ms(void)
{
	const char *text =
	    getenv("WATCHDOG_USEC"); /* NOLINT(concurrency-mt-unsafe) */
	uint64_t us;

	if (!text || !str_parse_uint64(text, &us))
		return 0;
	return (int64_t)(us / 2000);
}
