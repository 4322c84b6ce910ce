/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http_listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"

enum { BACKLOG = 1024, PORT_TEXT = 8, TCP_FLAGS_AT = 13, TCP_ACK = 0x10 };

static const char *address_of(const char *host)
{
	return str_equal(host, "localhost") ? "127.0.0.1" : host;
}

bool http_is_loopback(const char *host)
{
	struct in6_addr six;

	host = address_of(host);
	if (str_starts_with(host, "127."))
		return true;
	return inet_pton(AF_INET6, host, &six) == 1 &&
	       IN6_IS_ADDR_LOOPBACK(&six);
}

static uint16_t port_of(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in four;
		struct sockaddr_in6 six;
	} address = { 0 };
	socklen_t len = sizeof(address);

	if (getsockname(fd, &address.any, &len))
		return 0;
	return ntohs(address.any.sa_family == AF_INET6 ? address.six.sin6_port
						       : address.four.sin_port);
}

static enum err_code bind_to(const struct addrinfo *info, const char *host,
			     int *ret_fd, struct err *err)
{
	const int yes = 1;
	int fd = socket(info->ai_family,
			SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0)
		return file_err(err, errno, "make a socket for", host);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(fd, info->ai_addr, info->ai_addrlen) || listen(fd, BACKLOG)) {
		error = errno;
		(void)close(fd);
		return file_err(err, error, "listen on", host);
	}
	*ret_fd = fd;
	return ERR_NONE;
}

enum err_code http_listen(const char *host, uint16_t port, int *ret_fd,
			  uint16_t *ret_port, struct err *err)
{
	const struct addrinfo hints = {
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
		.ai_socktype = SOCK_STREAM,
	};
	struct addrinfo *info = NULL;
	char service[PORT_TEXT];
	enum err_code rc;

	(void)snprintf(service, sizeof(service), "%u", (unsigned)port);
	if (getaddrinfo(address_of(host), service, &hints, &info))
		return err_set(err, ERR_INVALID,
			       "host '%s': expected a numeric address such as "
			       "127.0.0.1, 0.0.0.0 or ::",
			       host);
	rc = bind_to(info, host, ret_fd, err);
	freeaddrinfo(info);
	if (rc)
		return err_prefix(err, "port %u", (unsigned)port);
	*ret_port = port_of(*ret_fd);
	return ERR_NONE;
}

void http_listen_mute(int fd)
{
	/* a filter, which sees packets from TCP's header on: what has ACK set
	 * belongs to a handshake that has begun; the first packet of another
	 * has not, and its client tries again until the socket is closed */
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, TCP_FLAGS_AT),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, TCP_ACK, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog program = {
		.len = sizeof(filter) / sizeof(*filter), .filter = filter
	};

	(void)setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program,
			 sizeof(program));
}
