#include <sys/types.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "conn.h"
#include "limits.h"
#include "listener.h"
#include "log.h"
#include "server.h"

#define ACCEPT_MAX 64 /* connections accepted in one turn of the loop */
#define RETRY_TIME 100 /* ms until accepting is tried again */
#define BACKLOG 4096 /* the system may make it less */
#define FIRST_FD 3 /* of LISTEN_FDS */
#define PEER_MAX 128

struct listener {
	STAILQ_ENTRY(listener) entry;
	struct listeners *listeners;
	struct event event;
	char *name; /* for the log */
	char *path; /* of a unix socket that was made here, or NULL */
	dev_t dev; /* of that */
	ino_t ino;
	int fd;
	int family;
};

static void
set_accepting(struct listeners *all, int on)
{
	struct listener *l;

	STAILQ_FOREACH(l, &all->list, entry) {
		if (!on)
			(void)event_del(&l->event);
		else if (event_add(&l->event, NULL) == -1)
			log_error("%s: cannot accept: no memory", l->name);
	}
	all->paused = !on;
}

static void
pause_accepting(struct listeners *all)
{
	static const struct timeval tv = { 0, RETRY_TIME * 1000 };

	if (!all->paused)
		set_accepting(all, 0);
	(void)event_add(&all->retry, &tv);
}

void
listeners_resume(struct listeners *all)
{
	if (!all->paused ||
	    all->server->nconns >= (unsigned)all->server->limits->connections)
		return;
	(void)event_del(&all->retry);
	set_accepting(all, 1);
}

static void
retry_cb(evutil_socket_t fd, short what, void *arg)
{
	struct listeners *all = arg;

	(void)fd;
	(void)what;
	if (all->server->nconns >= (unsigned)all->server->limits->connections)
		pause_accepting(all);
	else
		listeners_resume(all);
}

/* Who is there?  Returns 0 if it may connect. */
static int
admit_unix(const struct listeners *all, int fd, char *peer, size_t size)
{
	struct ucred cred;
	socklen_t len = sizeof cred;
	size_t i;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == -1) {
		(void)snprintf(peer, size, "unix");
		return all->nuids == 0 ? 0 : -1;
	}
	(void)snprintf(peer, size, "unix uid=%ld pid=%ld", (long)cred.uid,
	    (long)cred.pid);
	for (i = 0; i < all->nuids; i++)
		if (all->uids[i] == cred.uid)
			return 0;
	return all->nuids == 0 ? 0 : -1;
}

static int
admit_tcp(const struct listeners *all, const struct sockaddr *sa, socklen_t len,
    char *peer, size_t size)
{
	char host[80], port[8];
	const char *plain;
	size_t i;

	if (getnameinfo(sa, len, host, sizeof host, port, sizeof port,
		NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
		(void)snprintf(peer, size, "tcp");
		return all->naddresses == 0 ? 0 : -1;
	}
	plain = strncmp(host, "::ffff:", 7) == 0 ? host + 7 : host;
	(void)snprintf(peer, size, "%s:%s", plain, port);
	for (i = 0; i < all->naddresses; i++)
		if (strcmp(all->addresses[i], plain) == 0)
			return 0;
	return all->naddresses == 0 ? 0 : -1;
}

static void
take(struct listener *l, int fd, const struct sockaddr *sa, socklen_t len)
{
	static const int on = 1;
	struct listeners *all = l->listeners;
	char peer[PEER_MAX];
	int rc;

	if (l->family == AF_UNIX)
		rc = admit_unix(all, fd, peer, sizeof peer);
	else {
		rc = admit_tcp(all, sa, len, peer, sizeof peer);
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	}
	if (rc == -1) {
		log_warning("%s: connection from %s refused", l->name, peer);
		(void)close(fd);
	} else if (conn_new(all->server, fd, peer) == -1)
		log_error("%s: %s", l->name, strerror(errno));
}

static void
accept_cb(evutil_socket_t lfd, short what, void *arg)
{
	struct listener *l = arg;
	struct listeners *all = l->listeners;
	struct sockaddr_storage ss;
	socklen_t len;
	int fd, i;

	(void)what;
	for (i = 0; i < ACCEPT_MAX && !all->paused; i++) {
		len = sizeof ss;
		fd = accept4(lfd, (struct sockaddr *)&ss, &len,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd == -1) {
			if (errno == EMFILE || errno == ENFILE ||
			    errno == ENOBUFS || errno == ENOMEM) {
				log_warning("%s: accept: %s", l->name,
				    strerror(errno));
				pause_accepting(all);
			}
			return; /* or it has gone again */
		}
		take(l, fd, (struct sockaddr *)&ss, len);
		/* what has been accepted must have descriptors to finish */
		if (fd >= all->max_fd ||
		    all->server->nconns >=
			(unsigned)all->server->limits->connections)
			pause_accepting(all);
	}
}

static int
split_addresses(struct listeners *all, const char *text)
{
	char *copy, *rest, *one, **list;

	if ((copy = rest = strdup(text)) == NULL)
		return -1;
	while ((one = strsep(&rest, ",")) != NULL) {
		list = reallocarray(all->addresses, all->naddresses + 1,
		    sizeof *list);
		if (list == NULL || (one = strdup(one)) == NULL) {
			free(copy);
			return -1;
		}
		all->addresses = list;
		list[all->naddresses++] = one;
	}
	free(copy);
	return 0;
}

int
listeners_init(struct listeners *all, struct server *server, int max_fd)
{
	const char *addresses = getenv("FCGI_WEB_SERVER_ADDRS");

	memset(all, 0, sizeof *all);
	STAILQ_INIT(&all->list);
	all->server = server;
	all->max_fd = max_fd;
	all->mode = 0660;
	all->owner = (uid_t)-1;
	all->group = (gid_t)-1;
	(void)evtimer_assign(&all->retry, server->base, retry_cb, all);
	return addresses == NULL ? 0 : split_addresses(all, addresses);
}

static struct listener *
listener_new(struct listeners *all, int fd, int family, const char *name)
{
	struct listener *l;

	if ((l = calloc(1, sizeof *l)) == NULL ||
	    (l->name = strdup(name)) == NULL) {
		free(l);
		(void)close(fd);
		return NULL;
	}
	l->listeners = all;
	l->fd = fd;
	l->family = family;
	(void)event_assign(&l->event, all->server->base, fd,
	    EV_READ | EV_PERSIST, accept_cb, l);
	STAILQ_INSERT_TAIL(&all->list, l, entry);
	return l;
}

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
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) == -1)
		return -1;
	rc = connect(fd, (const struct sockaddr *)sun, sizeof *sun);
	(void)close(fd);
	if (rc == -1 && errno == ECONNREFUSED)
		return unlink(sun->sun_path);
	errno = EADDRINUSE;
	return -1;
}

static const char *
open_unix(struct listeners *all, const char *path, const char *name)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct listener *l;
	struct stat st;
	mode_t mask;
	int fd, rc, error;

	if (strlcpy(sun.sun_path, path, sizeof sun.sun_path) >=
	    sizeof sun.sun_path) {
		errno = 0;
		return "the socket's path is too long";
	}
	if (remove_dead(&sun) == -1)
		return "cannot use the socket's path";
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
		 0)) == -1)
		return "socket";
	mask = umask(0777); /* nobody connects before the mode is set */
	rc = bind(fd, (struct sockaddr *)&sun, sizeof sun);
	error = errno;
	(void)umask(mask);
	if (rc == -1) {
		(void)close(fd);
		errno = error;
		return "bind";
	}
	if ((l = listener_new(all, fd, AF_UNIX, name)) == NULL ||
	    (l->path = strdup(path)) == NULL) {
		(void)unlink(path);
		return "out of memory";
	}
	if (lstat(path, &st) == 0) { /* what listeners_close may unlink */
		l->dev = st.st_dev;
		l->ino = st.st_ino;
	}
	if (((all->owner != (uid_t)-1 || all->group != (gid_t)-1) &&
		chown(path, all->owner, all->group) == -1) ||
	    chmod(path, all->mode) == -1)
		return "cannot set the socket's owner or mode";
	return NULL;
}

static const char *
open_tcp(struct listeners *all, char *spec, int family, const char *name)
{
	struct addrinfo hints, *res, *ai;
	char *host = spec, *port = strrchr(spec, ':');
	const char *wrong;
	static const int on = 1;
	int fd = -1, error = 0;

	errno = 0;
	if (port == NULL)
		return "a TCP socket needs host:port";
	*port++ = '\0';
	/* getaddrinfo takes any number, modulo 65536 */
	if (port[strspn(port, "0123456789")] == '\0') {
		(void)strtonum(port, 1, 65535, &wrong);
		if (wrong != NULL)
			return "no such port";
	}
	if (host[0] == '[' && port - host > 2 && port[-2] == ']') {
		port[-2] = '\0';
		host++;
	}
	memset(&hints, 0, sizeof hints);
	hints.ai_family = family;
	hints.ai_socktype = SOCK_STREAM;
	hints.ai_flags = AI_PASSIVE;
	if (getaddrinfo(*host == '\0' || strcmp(host, "*") == 0 ? NULL : host,
		port, &hints, &res) != 0)
		return "unknown host or port";
	for (ai = res; ai != NULL && fd == -1; ai = ai->ai_next) {
		fd = socket(ai->ai_family,
		    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (fd == -1) {
			error = errno;
			continue;
		}
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
		if (bind(fd, ai->ai_addr, ai->ai_addrlen) == -1) {
			error = errno;
			(void)close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(res);
	if (fd == -1) {
		errno = error;
		return "bind";
	}
	if (listener_new(all, fd, family, name) == NULL)
		return "out of memory";
	return NULL;
}

const char *
listeners_open(struct listeners *all, const char *name)
{
	const char *wrong;
	char *spec;

	if (strncmp(name, "unix:", 5) == 0)
		return open_unix(all, name + 5, name);
	if (strncmp(name, "tcp:", 4) != 0 && strncmp(name, "tcp6:", 5) != 0) {
		errno = 0;
		return "a socket is unix:/path, tcp:host:port or "
		       "tcp6:[address]:port";
	}
	if ((spec = strdup(strchr(name, ':') + 1)) == NULL)
		return "out of memory";
	wrong = open_tcp(all, spec, name[3] == '6' ? AF_INET6 : AF_INET, name);
	free(spec);
	return wrong;
}

static int
is_listening(int fd)
{
	int on = 0;
	socklen_t len = sizeof on;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 && on;
}

static int
inherit(struct listeners *all, int fd)
{
	struct sockaddr_storage ss = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof ss;
	char name[32];

	if (!is_listening(fd)) {
		errno = EINVAL;
		return -1;
	}
	if (getsockname(fd, (struct sockaddr *)&ss, &len) == -1 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) == -1 ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) == -1)
		return -1;
	(void)snprintf(name, sizeof name, "descriptor %d", fd);
	return listener_new(all, fd, ss.ss_family, name) == NULL ? -1 : 0;
}

int
listeners_passed(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	const char *wrong;
	long long n;

	if (pid == NULL || fds == NULL)
		return 0;
	n = strtonum(pid, 1, INT32_MAX, &wrong);
	if (wrong != NULL || n != (long long)getpid())
		return 0;
	n = strtonum(fds, 1, 1024, &wrong);
	return wrong != NULL ? 0 : (int)n;
}

int
listeners_inherit(struct listeners *all)
{
	int i, n = listeners_passed(), fd;

	for (i = 0; i < n; i++)
		if (inherit(all, FIRST_FD + i) == -1)
			return -1;
	if (n > 0 || !is_listening(STDIN_FILENO))
		return n;
	/* descriptor 0 is to be /dev/null again */
	if ((fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, FIRST_FD)) == -1 ||
	    inherit(all, fd) == -1)
		return -1;
	if ((fd = open("/dev/null", O_RDWR | O_CLOEXEC)) == -1)
		return -1;
	(void)dup2(fd, STDIN_FILENO);
	(void)close(fd);
	return 1;
}

int
listeners_start(struct listeners *all)
{
	struct listener *l;

	STAILQ_FOREACH(l, &all->list, entry) {
		if (listen(l->fd, BACKLOG) == -1 ||
		    event_add(&l->event, NULL) == -1)
			return -1;
		log_info("listening on %s", l->name);
	}
	return 0;
}

void
listeners_close(struct listeners *all)
{
	struct listener *l;
	struct stat st;

	while ((l = STAILQ_FIRST(&all->list)) != NULL) {
		STAILQ_REMOVE_HEAD(&all->list, entry);
		(void)event_del(&l->event);
		(void)close(l->fd);
		if (l->path != NULL && lstat(l->path, &st) == 0 &&
		    st.st_dev == l->dev && st.st_ino == l->ino)
			(void)unlink(l->path);
		free(l->path);
		free(l->name);
		free(l);
	}
	(void)event_del(&all->retry);
	while (all->naddresses > 0)
		free(all->addresses[--all->naddresses]);
	free(all->addresses);
	all->addresses = NULL;
}
