/*
 * A socket that is made for web servers to connect to.
 */
#ifndef SOCKET_H
#define SOCKET_H

#include <sys/types.h>

#define SOCKET_BACKLOG 4096 /* the system may make it less */

struct socket_rights {
	mode_t mode;
	uid_t owner; /* -1: as it is */
	gid_t group;
};

struct socket {
	int fd;
	int family;
	char *path; /* of a unix socket that was made here, or NULL */
	dev_t dev; /* of that */
	ino_t ino;
};

/*
 * Opens "unix:/path", "tcp:host:port" or "tcp6:[address]:port".  A unix socket
 * that nobody listens on is replaced; a new one listens already.  Returns
 * NULL, or a static text that says what is wrong; errno is then 0 or says why.
 */
const char *socket_open(struct socket *, const char *name,
    const struct socket_rights *);
/* Closes it, and unlinks what it made, unless that is another's now. */
void socket_close(struct socket *);
int socket_is_listening(int fd);

#endif
