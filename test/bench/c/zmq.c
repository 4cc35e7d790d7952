/*
 * zmq.c - one end of the call benchmark over libzmq, DEALER to ROUTER on TCP. The
 * client is one thread that keeps CALLERS requests in flight.
 *
 *	zmq serve IP                      prints {"addr": "IP:port"}, ends with its input
 *	zmq call IP:port SECS CALLERS     prints a result
 */
#define _POSIX_C_SOURCE 200809L
#include "measure.h"

#include <pthread.h>
#include <unistd.h>
#include <zmq.h>

#define MAX_CALLERS 256

static int fail(const char *what)
{
	fprintf(stderr, "zmq: %s: %s\n", what, zmq_strerror(zmq_errno()));
	return 1;
}

/* Ends the process with its input: the main thread waits for messages only. */
static void *wait_for_end(void *unused)
{
	char b[64];
	while (read(0, b, sizeof b) > 0)
		;
	_exit(0);
	return unused;
}

static int serve(void *context, const char *ip)
{
	char endpoint[128], from[64], message[4096];
	size_t len = sizeof endpoint;
	void *socket = zmq_socket(context, ZMQ_ROUTER);
	pthread_t watch;
	snprintf(endpoint, sizeof endpoint, "tcp://%s:*", ip);
	if (zmq_bind(socket, endpoint) != 0 || zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &len) != 0)
		return fail(ip);
	pthread_create(&watch, NULL, wait_for_end, NULL);
	printf("{\"addr\":\"%s\"}\n", endpoint + strlen("tcp://"));
	fflush(stdout);
	for (;;) {
		int who = zmq_recv(socket, from, sizeof from, 0);
		int n = zmq_recv(socket, message, sizeof message, 0);
		if (who < 0 || n < 0 || n > (int)sizeof message)
			return fail("receive");
		zmq_send(socket, from, (size_t)who, ZMQ_SNDMORE);
		zmq_send(socket, message, (size_t)n, 0);
	}
}

/* Answers come in the order of the requests, so a ring of times is enough. */
static double measure(void *socket, struct record *r, int callers, uint64_t ns)
{
	uint64_t sent_at[MAX_CALLERS], begin = now_ns(), now = begin;
	unsigned long sent = 0, answered = 0;
	char out[PAYLOAD], in[4096];
	memset(out, 'x', sizeof out);
	while (now < begin + ns || answered < sent) {
		for (; now < begin + ns && sent - answered < (unsigned long)callers; sent++) {
			sent_at[sent % MAX_CALLERS] = now_ns();
			zmq_send(socket, out, sizeof out, 0);
		}
		int n = zmq_recv(socket, in, sizeof in, 0);
		now = now_ns();
		if (n == PAYLOAD)
			record_add(r, now - sent_at[answered++ % MAX_CALLERS]);
		else {
			r->errors += sent - answered; /* TCP lost them all */
			break;
		}
	}
	return (double)(now_ns() - begin) / 1e9;
}

static int call(void *context, const char *address, double seconds, int callers)
{
	struct record warm = {0}, record = {0};
	char endpoint[128];
	int patience = TIMEOUT_MS, linger = 0;
	void *socket = zmq_socket(context, ZMQ_DEALER);
	snprintf(endpoint, sizeof endpoint, "tcp://%s", address);
	zmq_setsockopt(socket, ZMQ_RCVTIMEO, &patience, sizeof patience);
	zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger);
	if (zmq_connect(socket, endpoint) != 0)
		return fail(address);
	measure(socket, &warm, callers, WARM_UP_NS);
	seconds = measure(socket, &record, callers, (uint64_t)(seconds * 1e9));
	records_print(&record, 1, seconds);
	zmq_close(socket);
	return zmq_ctx_term(context);
}

int main(int argc, char **argv)
{
	void *context = zmq_ctx_new();
	int callers = argc == 5 ? atoi(argv[4]) : 0;
	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		return serve(context, argv[2]);
	if (callers >= 1 && callers <= MAX_CALLERS && strcmp(argv[1], "call") == 0)
		return call(context, argv[2], atof(argv[3]), callers);
	return fprintf(stderr, "usage: zmq serve IP | zmq call IP:port SECS CALLERS\n"), 2;
}
