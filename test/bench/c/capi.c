/*
 * capi.c - a client of the call benchmark over the C interface: each thread makes
 * blocking calls on one node.
 *
 *	capi call IP:port SECS CALLERS     prints a result
 */
#define _POSIX_C_SOURCE 200809L
#include "measure.h"
#include "peerlink.h"

#include <pthread.h>

#define MAX_CALLERS 256

static pl_node node;
static pl_peer server;

/* ["xx..."] and "xx..." in CBOR. */
static unsigned char args[3 + PAYLOAD] = {0x81, 0x78, PAYLOAD};

struct caller {
	pthread_t thread;
	uint64_t end;
	struct record *record;
};

static int echo(void)
{
	unsigned char out[256];
	uint32_t len = 0;
	int32_t st = pl_call_wait(node, server, "echo", args, sizeof args, TIMEOUT_MS, 0, NULL, out, sizeof out, &len);
	return st == PL_OK && len == sizeof args - 1 && memcmp(out, args + 1, len) == 0;
}

static void *fill(void *arg)
{
	struct caller *c = arg;
	uint64_t now, begin = now_ns();
	for (; begin < c->end; begin = now) {
		int good = echo();
		now = now_ns();
		if (good)
			record_add(c->record, now - begin);
		else
			c->record->errors++;
	}
	return NULL;
}

static double measure(struct record *records, int callers, uint64_t ns)
{
	struct caller c[MAX_CALLERS];
	uint64_t begin = now_ns();
	for (int i = 0; i < callers; i++) {
		c[i] = (struct caller){.end = begin + ns, .record = &records[i]};
		if (pthread_create(&c[i].thread, NULL, fill, &c[i]) != 0)
			abort();
	}
	for (int i = 0; i < callers; i++)
		pthread_join(c[i].thread, NULL);
	return (double)(now_ns() - begin) / 1e9;
}

static int fail(const char *what)
{
	char text[512];
	pl_last_error(text, sizeof text);
	fprintf(stderr, "capi: %s: %s\n", what, text);
	return 1;
}

static int start(char *address)
{
	char *port = strrchr(address, ':');
	pl_config cfg;
	if (port == NULL)
		return -1;
	*port++ = 0;
	pl_config_init(&cfg);
	cfg.name = "caller";
	cfg.discovery = PL_DISC_OFF;
	cfg.codec = PL_CBOR;
	if (pl_open(&cfg, &node) < 0 || pl_start(node) < 0)
		return -1;
	return pl_peer_add(node, "anchor", address, (uint16_t)atoi(port), 0, &server);
}

int main(int argc, char **argv)
{
	static struct record warm[MAX_CALLERS], records[MAX_CALLERS];
	int callers = argc == 5 ? atoi(argv[4]) : 0;
	if (callers < 1 || callers > MAX_CALLERS || strcmp(argv[1], "call") != 0)
		return fprintf(stderr, "usage: capi call IP:port SECS CALLERS\n"), 2;
	memset(args + 3, 'x', PAYLOAD);
	if (start(argv[2]) < 0)
		return fail("start");
	measure(warm, callers, WARM_UP_NS);
	double seconds = measure(records, callers, (uint64_t)(atof(argv[3]) * 1e9));
	records_print(records, callers, seconds);
	return pl_close(node) < 0;
}
