/*
 * Opens fcgi-client's connections: unix sockets, TCP over IPv4 and IPv6.
 */
#include <sys/types.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <err.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

#include "client.h"

static int
connect_unix(const char *path)
{
	struct sockaddr_un sun;
	int fd;

	memset(&sun, 0, sizeof(sun));
	sun.sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(sun.sun_path))
		errx(1, "%s: longer than a socket's path may be", path);
	memcpy(sun.sun_path, path, strlen(path));
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) == -1)
		err(1, "socket");
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1)
		err(1, "connect %s", path);
	return fd;
}

/* "host:port" or "[address]:port" */
static int
connect_tcp(const char *where)
{
	struct addrinfo hints, *res;
	char host[256];
	const char *colon;
	size_t len;
	int error, fd, on = 1;

	colon = strrchr(where, ':');
	if (colon == NULL || (size_t)(colon - where) >= sizeof(host))
		errx(1, "%s: host:port wanted", where);
	len = (size_t)(colon - where);
	if (where[0] == '[' && len >= 2) {
		where++;
		len -= 2;
	}
	memcpy(host, where, len);
	host[len] = '\0';
	memset(&hints, 0, sizeof(hints));
	hints.ai_socktype = SOCK_STREAM;
	if ((error = getaddrinfo(host, colon + 1, &hints, &res)) != 0)
		errx(1, "%s: %s", where, gai_strerror(error));
	fd = socket(res->ai_family, res->ai_socktype | SOCK_CLOEXEC, 0);
	if (fd == -1)
		err(1, "socket");
	if (connect(fd, res->ai_addr, res->ai_addrlen) == -1)
		err(1, "connect %s", where);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	freeaddrinfo(res);
	return fd;
}

/*
 * where: unix:path, tcp:host:port, tcp6:[address]:port, or a plain path.
 * *local tells whether it is a unix socket.  Returns the descriptor.
 */
int
client_connect(const char *where, bool *local)
{
	*local = false;
	if (strncmp(where, "tcp:", 4) == 0)
		return connect_tcp(where + 4);
	if (strncmp(where, "tcp6:", 5) == 0)
		return connect_tcp(where + 5);
	*local = true;
	return connect_unix(
	    strncmp(where, "unix:", 5) == 0 ? where + 5 : where);
}
