/*
 * A message is the address of its spawn, and three descriptors.  Messages come
 * in the order in which the threads have sent them, which need not be that in
 * which the jobs are done: what comes for another spawn is put there.
 */
#include <sys/types.h>
#include <sys/socket.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "handover.h"
#include "spawner.h"

struct message {
	struct spawn *spawn;
};

union control {
	struct cmsghdr align;
	char buf[CMSG_SPACE(HANDOVER_PIPES * sizeof(int))];
};

int
handover_init(struct handover *h)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == -1)
		return -1;
	h->giver = fds[0];
	h->taker = fds[1];
	return 0;
}

void
handover_clear(struct handover *h)
{
	(void)close(h->giver);
	(void)close(h->taker);
}

int
handover_give(int giver, struct spawn *spawn, const int pipes[HANDOVER_PIPES])
{
	union control control;
	struct message message = { .spawn = spawn };
	struct iovec iov = { .iov_base = &message, .iov_len = sizeof message };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;
	ssize_t n;
	int i, error;

	memset(&control, 0, sizeof control);
	msg.msg_control = control.buf;
	msg.msg_controllen = sizeof control.buf;
	cmsg = CMSG_FIRSTHDR(&msg);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(HANDOVER_PIPES * sizeof(int));
	memcpy(CMSG_DATA(cmsg), pipes, HANDOVER_PIPES * sizeof(int));
	n = sendmsg(giver, &msg, MSG_NOSIGNAL);
	error = errno;
	for (i = 0; i < HANDOVER_PIPES; i++)
		(void)close(pipes[i]);
	errno = error;
	return n == -1 ? -1 : 0;
}

/* Those that found no room in our table are missing. */
static void
take_pipes(struct spawn *spawn, struct msghdr *msg)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);
	int pipes[HANDOVER_PIPES];
	size_t i, n = 0;

	if (cmsg != NULL && cmsg->cmsg_type == SCM_RIGHTS) {
		n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(pipes, CMSG_DATA(cmsg), n * sizeof(int));
	}
	if (n == HANDOVER_PIPES) {
		spawn->in = pipes[0];
		spawn->out = pipes[1];
		spawn->err = pipes[2];
		return;
	}
	for (i = 0; i < n; i++)
		(void)close(pipes[i]);
	spawn->lost = 1;
}

int
handover_take(const struct handover *h, struct spawn *spawn)
{
	union control control;
	struct message message = { .spawn = NULL };
	struct iovec iov = { .iov_base = &message, .iov_len = sizeof message };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	while (spawn->in == -1 && !spawn->lost) {
		msg.msg_control = control.buf;
		msg.msg_controllen = sizeof control.buf;
		if (recvmsg(h->taker, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) !=
		    sizeof message)
			return -1;
		take_pipes(message.spawn, &msg);
	}
	if (spawn->lost)
		errno = EMFILE;
	return spawn->lost ? -1 : 0;
}
