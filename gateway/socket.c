/*
 * Making sockets.  A unix socket gets its owner and mode before anybody can
 * connect, and listens at once, so that two processes never share its path.
 */
#include <sys/types.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <netinet/in.h>

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "socket.h"

/* Removes a socket that nobody listens on.  0, or -1 with errno. */
static int
remove_dead(const struct sockaddr_un *sun)
{
	struct stat st;
	int fd, rc;

	if (lstat(sun->sun_path, &st) == -1)
		return errno == ENOENT ? 0 : -1;
	if (!S_ISSOCK(st.st_mode)) {
		errno = EEXIST;
		return -1;
	}
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
		 0)) == -1)
		return -1;
	rc = connect(fd, (const struct sockaddr *)sun, sizeof *sun);
	(void)close(fd);
	if (rc == -1 && errno == ECONNREFUSED)
		return unlink(sun->sun_path);
	errno = EADDRINUSE;
	return -1;
}

/* The path exists: gives it its rights, and begins to listen. */
static const char *
finish_unix(struct socket *s, const struct socket_rights *rights)
{
	struct stat st;

	if (lstat(s->path, &st) == -1)
		return "bind";
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	if (((rights->owner != (uid_t)-1 || rights->group != (gid_t)-1) &&
		lchown(s->path, rights->owner, rights->group) == -1))
		return "cannot set the socket's owner or mode";
	/* from now on it is in use for another process that wants the path */
	if (listen(s->fd, SOCKET_BACKLOG) == -1)
		return "listen";
	return NULL;
}

static const char *
open_unix(struct socket *s, const char *path,
    const struct socket_rights *rights)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	mode_t mask;
	int rc, error;

	errno = 0;
	if (*path == '\0')
		return "a socket needs a path";
	if (strlcpy(sun.sun_path, path, sizeof sun.sun_path) >=
	    sizeof sun.sun_path)
		return "the socket's path is too long";
	if (remove_dead(&sun) == -1)
		return "cannot use the socket's path";
	if ((s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
		 0)) == -1)
		return "socket";
	/*
	 * Not chmod: somebody who may write to the directory could have put
	 * a link to another's file there.
	 */
	mask = umask(0777 & ~rights->mode);
	rc = bind(s->fd, (struct sockaddr *)&sun, sizeof sun);
	error = errno;
	(void)umask(mask);
	errno = error;
	if (rc == -1)
		return "bind";
	if ((s->path = strdup(path)) == NULL)
		return "out of memory";
	return finish_unix(s, rights);
}

/* Returns 0, or -1 with errno. */
static int
bind_tcp(struct socket *s, const struct addrinfo *ai)
{
	static const int on = 1;
	int error;

	s->fd = socket(ai->ai_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd == -1)
		return -1;
	(void)setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (ai->ai_family == AF_INET6) /* IPv4 has a socket of its own */
		(void)setsockopt(s->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on,
		    sizeof on);
	if (bind(s->fd, ai->ai_addr, ai->ai_addrlen) == 0)
		return 0;
	error = errno;
	(void)close(s->fd);
	s->fd = -1;
	errno = error;
	return -1;
}

/* spec is changed. */
static const char *
open_tcp(struct socket *s, char *spec)
{
	struct addrinfo hints, *res, *ai;
	char *host = spec, *port = strrchr(spec, ':');
	const char *wrong;
	int rc = -1;

	errno = 0;
	if (port == NULL)
		return "a TCP socket needs host:port";
	*port++ = '\0';
	/* getaddrinfo takes any number, modulo 65536 */
	if (port[strspn(port, "0123456789")] == '\0') {
		(void)strtonum(port, 1, 65535, &wrong);
		errno = 0;
		if (wrong != NULL)
			return "no such port";
	}
	if (host[0] == '[' && port - host > 2 && port[-2] == ']') {
		port[-2] = '\0';
		host++;
	}
	memset(&hints, 0, sizeof hints);
	hints.ai_family = s->family;
	hints.ai_socktype = SOCK_STREAM;
	hints.ai_flags = AI_PASSIVE;
	if (*host == '\0' || strcmp(host, "*") == 0)
		host = NULL;
	if (getaddrinfo(host, port, &hints, &res) != 0) {
		errno = 0;
		return "unknown host or port";
	}
	for (ai = res; ai != NULL && rc == -1; ai = ai->ai_next)
		rc = bind_tcp(s, ai);
	freeaddrinfo(res);
	return rc == -1 ? "bind" : NULL;
}

const char *
socket_open(struct socket *s, const char *name,
    const struct socket_rights *rights)
{
	const char *wrong;
	char *spec;
	int error;

	memset(s, 0, sizeof *s);
	s->fd = -1;
	s->family = AF_UNIX;
	if (strncmp(name, "unix:", 5) == 0)
		wrong = open_unix(s, name + 5, rights);
	else if (strncmp(name, "tcp:", 4) == 0 ||
	    strncmp(name, "tcp6:", 5) == 0) {
		s->family = name[3] == '6' ? AF_INET6 : AF_INET;
		if ((spec = strdup(strchr(name, ':') + 1)) == NULL)
			return "out of memory";
		wrong = open_tcp(s, spec);
		free(spec);
	} else {
		errno = 0;
		return "a socket is unix:/path, tcp:host:port or "
		       "tcp6:[address]:port";
	}
	if (wrong != NULL) {
		error = errno;
		socket_close(s);
		errno = error;
	}
	return wrong;
}

void
socket_close(struct socket *s)
{
	struct stat st;

	if (s->fd != -1)
		(void)close(s->fd);
	s->fd = -1;
	if (s->path != NULL && lstat(s->path, &st) == 0 &&
	    st.st_dev == s->dev && st.st_ino == s->ino)
		(void)unlink(s->path);
	free(s->path);
	s->path = NULL;
}

int
socket_is_listening(int fd)
{
	int on = 0;
	socklen_t len = sizeof on;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 && on;
}
