/*
 * Accepting.  One pause stops all listeners: what is lacking, descriptors or
 * room in the table of connections, is lacking for each of them.
 */
#include <sys/types.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include <arpa/inet.h>
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
#include "limit.h"
#include "listener.h"
#include "log.h"
#include "server.h"

#define ACCEPT_MAX 64 /* connections accepted in one turn of the loop */
#define RETRY_TIME 100 /* ms until accepting is tried again */
#define FIRST_FD 3 /* of LISTEN_FDS */
#define PEER_MAX 128

struct listener {
	STAILQ_ENTRY(listener) entry;
	struct listeners *listeners;
	struct event event;
	char *name; /* for the log */
	struct socket socket;
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

/* Is there a descriptor for another connection, and are there some left? */
static int
has_room(const struct listeners *all)
{
	int fd;

	if (all->server->nconns >= (unsigned)all->server->limits->connections)
		return 0;
	if ((fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0)) == -1)
		return 0;
	(void)close(fd);
	return fd < all->max_fd;
}

void
listeners_resume(struct listeners *all)
{
	if (!all->paused || !has_room(all))
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
	if (has_room(all))
		listeners_resume(all);
	else
		pause_accepting(all);
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

	if (l->socket.family == AF_UNIX)
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

/*
 * The canonical form of an address, malloc'd; NULL with errno EINVAL if it is
 * none, or ENOMEM.
 */
static char *
canonical_address(const char *text)
{
	char buf[INET6_ADDRSTRLEN];
	uint8_t raw[sizeof(struct in6_addr)];
	size_t i;

	for (i = 0; i < 2; i++) {
		int family = i == 0 ? AF_INET : AF_INET6;

		if (inet_pton(family, text, raw) == 1 &&
		    inet_ntop(family, raw, buf, sizeof buf) != NULL)
			return strdup(buf);
	}
	errno = EINVAL;
	return NULL;
}

static int
add_address(struct listeners *all, const char *text)
{
	char **list;

	list = reallocarray(all->addresses, all->naddresses + 1, sizeof *list);
	if (list == NULL)
		return -1;
	all->addresses = list;
	if ((list[all->naddresses] = canonical_address(text)) == NULL)
		return -1;
	all->naddresses++;
	return 0;
}

static int
split_addresses(struct listeners *all, const char *text)
{
	char *copy, *rest, *one;
	int rc = 0;

	if ((copy = rest = strdup(text)) == NULL)
		return -1;
	while (rc == 0 && (one = strsep(&rest, ", \t[]")) != NULL)
		if (*one != '\0')
			rc = add_address(all, one);
	free(copy);
	return rc;
}

int
listeners_init(struct listeners *all, struct server *server, int max_fd)
{
	const char *addresses = getenv("FCGI_WEB_SERVER_ADDRS");

	memset(all, 0, sizeof *all);
	STAILQ_INIT(&all->list);
	all->server = server;
	all->max_fd = max_fd;
	all->rights.mode = 0660;
	all->rights.owner = (uid_t)-1;
	all->rights.group = (gid_t)-1;
	(void)evtimer_assign(&all->retry, server->base, retry_cb, all);
	return addresses == NULL ? 0 : split_addresses(all, addresses);
}

/* Takes the socket.  Returns 0, or -1 with errno ENOMEM. */
static int
add(struct listeners *all, struct socket *socket, const char *name)
{
	struct listener *l;

	if ((l = calloc(1, sizeof *l)) == NULL ||
	    (l->name = strdup(name)) == NULL) {
		free(l);
		socket_close(socket);
		return -1;
	}
	l->listeners = all;
	l->socket = *socket;
	(void)event_assign(&l->event, all->server->base, socket->fd,
	    EV_READ | EV_PERSIST, accept_cb, l);
	STAILQ_INSERT_TAIL(&all->list, l, entry);
	return 0;
}

const char *
listeners_open(struct listeners *all, const char *name)
{
	struct socket socket;
	const char *wrong;

	if ((wrong = socket_open(&socket, name, &all->rights)) != NULL)
		return wrong;
	return add(all, &socket, name) == -1 ? "out of memory" : NULL;
}

static int
inherit(struct listeners *all, int fd)
{
	struct sockaddr_storage ss = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof ss;
	struct socket socket = { .fd = fd };
	char name[32];

	if (!socket_is_listening(fd)) {
		errno = EINVAL;
		return -1;
	}
	if (getsockname(fd, (struct sockaddr *)&ss, &len) == -1 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) == -1 ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) == -1)
		return -1;
	(void)snprintf(name, sizeof name, "descriptor %d", fd);
	socket.family = ss.ss_family;
	return add(all, &socket, name);
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
	if (n > 0 || !socket_is_listening(STDIN_FILENO))
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
		if (listen(l->socket.fd, SOCKET_BACKLOG) == -1 ||
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

	while ((l = STAILQ_FIRST(&all->list)) != NULL) {
		STAILQ_REMOVE_HEAD(&all->list, entry);
		(void)event_del(&l->event);
		socket_close(&l->socket);
		free(l->name);
		free(l);
	}
	(void)event_del(&all->retry);
	while (all->naddresses > 0)
		free(all->addresses[--all->naddresses]);
	free(all->addresses);
	all->addresses = NULL;
}
