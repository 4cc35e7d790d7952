/*
 * test_node.c - the library as a C99 program sees it: nodes of one process that
 * call each other over the loopback interface.
 */
#define _POSIX_C_SOURCE 200809L /* mkdtemp too */
#include "peerlink.h"
#include "port.h"
#include "test.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- nodes for the cases ---------------------------------------------------------- */

static pl_config config(const char *name)
{
	pl_config cfg;
	pl_config_init(&cfg);
	cfg.name = name;
	cfg.interfaces = "lo"; /* no packet leaves the machine */
	cfg.discovery = PL_DISC_OFF;
	return cfg;
}

static pl_node must_open(const pl_config *cfg)
{
	pl_node n = 0;
	CHECK(pl_open(cfg, &n) == PL_OK && n != 0);
	return n;
}

static const char *last_error(void)
{
	static char text[1024];
	pl_last_error(text, sizeof text);
	return text;
}

/* Polls until an event of the type comes; status PL_E_TIMEOUT and type 0 if none does within 5 s. */
static pl_event next_event(pl_node n, int type)
{
	pl_event ev = {.size = sizeof ev};
	double end = now_s() + 5;
	while (now_s() < end) {
		int32_t st = pl_poll(n, &ev);
		if (st == 1 && ev.type == type)
			return ev;
		if (st == 0 && pl_wait(n, 100) < 0)
			break;
		if (st < 0)
			break;
	}
	fprintf(stderr, "no event %d\n", type);
	return (pl_event){.status = PL_E_TIMEOUT, .name = "", .data = ""};
}

/* A node with a thread that serves: add, echo, fail, never, wanted (is that one?), twice, long, late. */
struct server {
	pl_node n;
	uint16_t port;
	pthread_t thread;
	char caller[64];
	pl_peer peer;
	int flags;  /* of the last call */
	pl_id held; /* the last call of never */
	int calls;
	int strangers; /* calls of functions that are not served */
};

/* Answers at once or by the queue, in turns. */
static void reply(struct server *s, pl_id id, const void *data, uint32_t len)
{
	int32_t st = s->calls++ % 2 ? pl_reply(s->n, id, data, len) : pl_reply_now(s->n, id, data, len);
	CHECK(st == PL_OK);
}

static void answer(struct server *s, const pl_event *ev)
{
	static char big[100000];
	const char *in = ev->data;
	int a, b;
	char out[64];
	snprintf(s->caller, sizeof s->caller, "%s", pl_event_caller(ev));
	s->peer = ev->peer;
	s->flags = ev->flags;
	if (strcmp(ev->name, "add") == 0) {
		if (sscanf(in, "[%d,%d]", &a, &b) == 2) {
			int len = snprintf(out, sizeof out, "%d", a + b);
			reply(s, ev->id, out, (uint32_t)len);
		} else
			pl_reply_error(s->n, ev->id, "TypeError", "add takes two numbers");
	} else if (strcmp(ev->name, "echo") == 0) {
		reply(s, ev->id, ev->data, ev->data_len);
	} else if (strcmp(ev->name, "fail") == 0) {
		if (s->calls++ % 2)
			pl_reply_error_now(s->n, ev->id, "ValueError", "b\xc3\xa4" "d");
		else
			pl_reply_error(s->n, ev->id, "ValueError", "b\xc3\xa4" "d");
	} else if (strcmp(ev->name, "twice") == 0) {
		pl_reply(s->n, ev->id, "1", 1);
		pl_reply(s->n, ev->id, "2", 1);
	} else if (strcmp(ev->name, "long") == 0) {
		memset(big, '7', sizeof big);
		pl_reply(s->n, ev->id, big, sizeof big);
	} else if (strcmp(ev->name, "late") == 0) {
		nanosleep(&(struct timespec){0, 300000000}, NULL);
		pl_reply(s->n, ev->id, "\"late\"", 6);
	} else if (strcmp(ev->name, "never") == 0) {
		s->held = ev->id;
	} else if (strcmp(ev->name, "wanted") == 0) {
		int32_t wanted = pl_call_wanted(s->n, s->held);
		reply(s, ev->id, wanted == 1 ? "true" : "false", wanted == 1 ? 4 : 5);
	} else {
		s->strangers++;
	}
}

static void *serve(void *arg)
{
	struct server *s = arg;
	pl_event ev = {.size = sizeof ev};
	int32_t st;
	while ((st = pl_wait(s->n, PL_FOREVER)) >= 0)
		while ((st = pl_poll(s->n, &ev)) == 1)
			if (ev.type == PL_EV_CALL)
				answer(s, &ev);
	return NULL;
}

static void secret_server_start(struct server *s, const char *name, uint32_t codec, const char *secret)
{
	static const char *const fns[] = {"add", "echo", "fail", "never", "wanted", "twice", "long", "late"};
	pl_config cfg = config(name);
	memset(s, 0, sizeof *s);
	cfg.codec = codec;
	cfg.secret = secret;
	s->port = cfg.udp_port = free_port();
	s->n = must_open(&cfg);
	for (size_t i = 0; i < sizeof fns / sizeof *fns; i++)
		CHECK(pl_register(s->n, fns[i]) == PL_OK);
	CHECK(pl_start(s->n) == PL_OK);
	pthread_create(&s->thread, NULL, serve, s);
}

static void server_start(struct server *s, const char *name, uint32_t codec)
{
	secret_server_start(s, name, codec, NULL);
}

static void server_end(struct server *s)
{
	CHECK(pl_close(s->n) == PL_OK);
	pthread_join(s->thread, NULL);
	CHECK(s->strangers == 0);
}

/* A started node that knows the server. */
static pl_node client_of(const struct server *s, const char *name, pl_peer *to)
{
	pl_config cfg = config(name);
	pl_node n = must_open(&cfg);
	CHECK(pl_start(n) == PL_OK);
	CHECK(pl_peer_add(n, "Server", "127.0.0.1", s->port, 0, to) == PL_OK && *to != 0);
	return n;
}

/* Calls and waits; returns the status, and the result as text in out. */
static int32_t call(pl_node n, pl_peer to, const char *fn, const char *args, char *out, uint32_t cap)
{
	uint32_t len = 0;
	int32_t st = pl_call_wait(n, to, fn, args, (uint32_t)strlen(args), 2000, 0, NULL, out, cap - 1, &len);
	out[st == PL_OK ? len : 0] = 0;
	return st;
}

static int open_files(void)
{
	int n = 0;
	DIR *d = opendir("/proc/self/fd");
	while (d != NULL && readdir(d) != NULL)
		n++;
	if (d != NULL)
		closedir(d);
	return n;
}

/* ---- cases --------------------------------------------------------------------------- */

static void calls_both_ways(void)
{
	struct server s, t;
	pl_peer to, back;
	char out[100];
	server_start(&s, "Server", PL_JSON);
	server_start(&t, "Phone2", PL_JSON);
	CHECK(pl_peer_add(t.n, "Server", "localhost", s.port, 0, &to) == PL_OK);
	CHECK(pl_peer_add(s.n, "Phone2", "127.0.0.1", t.port, 7, &back) == PL_OK);
	CHECK(call(t.n, to, "add", "[25,17]", out, sizeof out) == PL_OK && strcmp(out, "42") == 0);
	CHECK(strcmp(s.caller, "Phone2") == 0 && (s.peer == back || s.peer == 0)); /* 0: only its address was known */
	CHECK((s.flags & PL_F_ENCRYPTED) && !(s.flags & (PL_F_AUTHENTICATED | PL_F_NO_CALLER)));
	CHECK(call(s.n, back, "add", "[1,2]", out, sizeof out) == PL_OK && strcmp(out, "3") == 0);
	CHECK(strcmp(t.caller, "Server") == 0 && t.peer == to);
	CHECK(call(t.n, to, "echo", "[1]{\"k\":2}", out, sizeof out) != PL_E_INTERNAL);
	CHECK(call(t.n, to, "twice", "[]", out, sizeof out) == PL_OK && strcmp(out, "1") == 0);
	CHECK(call(t.n, to, "echo", "", out, sizeof out) == PL_OK && strcmp(out, "[]") == 0); /* no bytes are no arguments */

	pl_peer_info info = {.size = sizeof info};
	pl_peer found;
	CHECK(pl_peer_find(t.n, "SERVER", &found) == PL_OK && found == to);
	CHECK(pl_peer_get(t.n, to, &info) == PL_OK && strcmp(info.name, "Server") == 0 && strcmp(info.addr, "127.0.0.1") == 0);
	uint16_t udp = 0, tcp = 0;
	CHECK(pl_ports(s.n, &udp, &tcp) == PL_OK && udp == s.port && tcp != 0);
	CHECK(info.udp_port == s.port && info.tcp_port == tcp && (info.flags & (PL_PEER_UP | PL_PEER_STATIC)) == (PL_PEER_UP | PL_PEER_STATIC));
	CHECK((info.flags & (PL_PEER_ENCRYPTED | PL_PEER_AUTHENTICATED | PL_PEER_LEGACY)) == PL_PEER_ENCRYPTED);
	CHECK(pl_fingerprint(s.n, out, sizeof out) == 64 && strcmp(out, info.fingerprint) == 0);
	CHECK(pl_ports(t.n, NULL, &tcp) == PL_OK && pl_peer_get(s.n, back, &info) == PL_OK && info.tcp_port == tcp && tcp != 7);
	CHECK(pl_wait_peer(t.n, "server", 100, &found) == 1 && found == to && pl_wait_peer(t.n, "Nobody", 20, &found) == 0);
	CHECK(pl_wait_peers(t.n, 1, 0) == 1 && pl_wait_peers(t.n, 2, 20) == 0 && pl_peer_list(t.n, &found, 1) == 1 && found == to);
	CHECK(pl_peer_add(t.n, "x", "no such host", 1, 1, NULL) == PL_E_IO && *last_error());
	CHECK(pl_peer_add(t.n, "x", "224.0.0.1", 1, 1, NULL) == PL_E_INVALID);
	server_end(&t);
	server_end(&s);
}

static void queues_calls(void)
{
	struct server s;
	pl_peer to;
	pl_id req[50];
	server_start(&s, "Server", PL_JSON);
	pl_config cfg = config("Phone2");
	pl_node n = must_open(&cfg);
	CHECK(pl_call(n, 1, "add", "[]", 2, 0, 0, NULL) == PL_E_STATE && strcmp(last_error(), "the node is not started") == 0);
	CHECK(pl_peer_add(n, "Server", "127.0.0.1", s.port, 0, NULL) == PL_E_STATE && pl_stop(n, 0) == PL_E_STATE);
	CHECK(pl_wait_peers(n, 1, 0) == PL_E_STATE);
	CHECK(pl_start(n) == PL_OK && pl_start(n) == PL_E_STATE);
	CHECK(next_event(n, PL_EV_STARTED).type != 0);
	CHECK(pl_peer_add(n, "Server", "127.0.0.1", s.port, 0, &to) == PL_OK);
	pl_event ev = next_event(n, PL_EV_PEER_UP);
	CHECK(ev.peer == to && strcmp(ev.name, "Server") == 0 && strncmp(ev.data, "127.0.0.1:", 10) == 0);
	for (int i = 0; i < 50; i++) {
		char args[32];
		snprintf(args, sizeof args, "[%d,1]", i);
		CHECK(pl_call(n, to, "add", args, (uint32_t)strlen(args), 0, 1000 + (uint64_t)i, &req[i]) == PL_OK);
	}
	uint64_t seen = 0;
	for (int i = 0; i < 50; i++) {
		ev = next_event(n, PL_EV_REPLY);
		int k = (int)(ev.user - 1000);
		REQUIRE(ev.type != 0 && k >= 0 && k < 50);
		CHECK(ev.status == PL_OK && ev.id == req[k] && ev.peer == to && atoi(ev.data) == k + 1 && !(seen >> k & 1));
		seen |= 1ull << k;
	}
	CHECK(pl_call(n, 77, "add", "[]", 2, 0, 0, NULL) == PL_E_PEER_NOT_FOUND);
	CHECK(pl_close(n) == PL_OK);
	server_end(&s);
}

static void reports_errors(void)
{
	struct server s;
	pl_peer to;
	char out[100];
	uint32_t len = 99, size = (16u << 20) + 1;
	char *big = malloc(size);
	REQUIRE(big != NULL);
	server_start(&s, "Server", PL_JSON);
	pl_node n = client_of(&s, "Phone2", &to);
	CHECK(call(n, to, "fail", "[]", out, sizeof out) == PL_E_REMOTE && strcmp(last_error(), "ValueError: b\xc3\xa4" "d") == 0);
	CHECK(pl_call(n, to, "fail", "[]", 2, 0, 5, NULL) == PL_OK);
	pl_event ev = next_event(n, PL_EV_REPLY);
	CHECK(ev.status == PL_E_REMOTE && ev.user == 5 && strcmp(ev.name, "ValueError") == 0 && strcmp(ev.data, "b\xc3\xa4" "d") == 0);
	CHECK(call(n, to, "no_such", "[]", out, sizeof out) == PL_E_NO_HANDLER && strstr(last_error(), "no_such") != NULL);
	/* Nobody on the way looks into a payload. */
	CHECK(call(n, to, "add", "nonsense", out, sizeof out) == PL_E_REMOTE && strcmp(last_error(), "TypeError: add takes two numbers") == 0);
	CHECK(call(n, 77, "add", "[]", out, sizeof out) == PL_E_PEER_NOT_FOUND);
	memset(big, '1', size);
	big[0] = '[', big[size - 1] = ']';
	CHECK(pl_call_wait(n, to, "echo", big, size, 0, 0, NULL, out, sizeof out, &len) == PL_E_TOO_LARGE && len == 0);
	CHECK(strcmp(last_error(), "arguments of 16777217 bytes: the limit is 16777216") == 0); /* the sentence alone */
	CHECK(pl_call(n, to, "echo", big, size, 0, 6, NULL) == PL_OK);
	ev = next_event(n, PL_EV_REPLY);
	CHECK(ev.user == 6 && ev.status == PL_E_TOO_LARGE && strcmp(ev.data, last_error()) == 0);
	double t = now_s();
	CHECK(pl_call_wait(n, to, "never", NULL, 0, 100, 0, NULL, out, sizeof out, &len) == PL_E_TIMEOUT && strncmp(last_error(), "timed out", 9) == 0);
	CHECK(now_s() - t > 0.09 && now_s() - t < 1.5);
	CHECK(pl_call(n, to, "never", NULL, 0, 100, 7, NULL) == PL_OK);
	ev = next_event(n, PL_EV_REPLY);
	CHECK(ev.user == 7 && ev.status == PL_E_TIMEOUT);
	CHECK(pl_unregister(s.n, "add") == PL_OK && pl_unregister(s.n, "add") == PL_E_NO_HANDLER);
	CHECK(call(n, to, "add", "[1,2]", out, sizeof out) == PL_E_NO_HANDLER);
	CHECK(pl_register(s.n, "add") == PL_OK && pl_register(s.n, "add") == PL_OK);
	CHECK(call(n, to, "add", "[1,2]", out, sizeof out) == PL_OK && strcmp(out, "3") == 0);
	free(big);
	CHECK(pl_close(n) == PL_OK);
	server_end(&s);
}

static void cancels(void)
{
	struct server s;
	pl_peer to;
	pl_id req = 0;
	char out[10];
	uint32_t len;
	server_start(&s, "Server", PL_JSON);
	pl_node n = client_of(&s, "Phone2", &to);
	double t = now_s();
	CHECK(pl_call(n, to, "never", NULL, 0, PL_FOREVER, 1, &req) == PL_OK && pl_cancel(n, req) == PL_OK);
	pl_event ev = next_event(n, PL_EV_REPLY);
	CHECK(ev.status == PL_E_CANCELED && ev.id == req && now_s() - t < 1);
	CHECK(pl_cancel(n, req) == PL_OK && pl_cancel(n, 4711) == PL_OK); /* too late, never was */
	req = 0;
	CHECK(pl_call_wait(n, to, "never", NULL, 0, PL_FOREVER, 10, &req, out, sizeof out, &len) == PL_E_AGAIN && req != 0);
	CHECK(pl_cancel(n, req) == PL_OK);
	int32_t st = pl_call_wait(n, to, NULL, NULL, 0, 0, 5000, &req, out, sizeof out, &len);
	CHECK(st == PL_E_CANCELED && req == 0);
	if (st != PL_E_CANCELED)
		fprintf(stderr, "     %d %s\n", st, last_error());
	CHECK(pl_close(n) == PL_OK);
	server_end(&s);
}

static void waits_in_slices(void)
{
	struct server s;
	pl_peer to;
	pl_id req = 0;
	char out[100];
	uint32_t len;
	int32_t st;
	int slices = 0;
	server_start(&s, "Server", PL_JSON);
	pl_node n = client_of(&s, "Phone2", &to);
	while ((st = pl_call_wait(n, to, "late", "[]", 2, 3000, 50, &req, out, sizeof out, &len)) == PL_E_AGAIN && slices < 100)
		slices++;
	CHECK(st == PL_OK && len == 6 && memcmp(out, "\"late\"", 6) == 0 && slices >= 3 && slices <= 20 && req == 0);
	CHECK(pl_call_wait(n, to, "echo", "[1,2,3]", 7, 0, 1000, &req, out, 3, &len) == PL_E_TOO_LARGE && len == 7 && req != 0);
	CHECK(pl_call_wait(n, to, "echo", "[1,2,3]", 7, 0, 0, &req, NULL, 0, &len) == PL_E_TOO_LARGE && len == 7);
	pl_id old = req;
	CHECK(pl_call_wait(n, to, NULL, NULL, 0, 0, 0, &req, out, 7, &len) == PL_OK && len == 7 && memcmp(out, "[1,2,3]", 7) == 0 && req == 0);
	CHECK(pl_call_wait(n, to, NULL, NULL, 0, 0, 0, &old, out, 7, &len) == PL_E_INVALID);
	CHECK(pl_call_wait(n, to, "echo", "[1,2,3]", 7, 0, 0, NULL, out, 3, &len) == PL_E_TOO_LARGE && len == 7);
	int fd = socket(AF_INET, SOCK_DGRAM, 0); /* a peer that is mute */
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t size = sizeof a;
	CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&a, size) == 0 && getsockname(fd, (struct sockaddr *)&a, &size) == 0);
	CHECK(pl_peer_add(n, "Mute", "127.0.0.1", ntohs(a.sin_port), 0, &to) == PL_OK);
	for (int i = 0; i < 300; i++) { /* calls that nobody waits for any more make room */
		req = 0;
		st = pl_call_wait(n, to, "never", NULL, 0, 20, 1, &req, out, sizeof out, &len);
		CHECK(st == PL_E_AGAIN || st == PL_E_OVERLOADED || st == PL_E_TIMEOUT);
		if (st == PL_E_OVERLOADED)
			nanosleep(&(struct timespec){0, 5000000}, NULL);
	}
	nanosleep(&(struct timespec){0, 50000000}, NULL);
	req = 0;
	CHECK(pl_call_wait(n, to, "never", NULL, 0, 20, 1000, &req, out, sizeof out, &len) == PL_E_TIMEOUT);
	close(fd);
	CHECK(pl_close(n) == PL_OK);
	server_end(&s);
}

static void calls_all(void)
{
	struct server s, t;
	pl_peer a, b;
	pl_id req;
	server_start(&s, "Server", PL_JSON);
	server_start(&t, "Other", PL_JSON);
	pl_config cfg = config("Phone2");
	pl_node n = must_open(&cfg);
	CHECK(pl_start(n) == PL_OK);
	CHECK(pl_call(n, PL_PEER_ALL, "add", "[1,1]", 5, 0, 8, &req) == PL_OK);
	pl_event ev = next_event(n, PL_EV_REPLIES_END);
	CHECK(ev.id == req && ev.user == 8);
	CHECK(pl_peer_add(n, "Server", "127.0.0.1", s.port, 0, &a) == PL_OK && pl_peer_add(n, "Other", "127.0.0.1", t.port, 0, &b) == PL_OK);
	CHECK(pl_call(n, PL_PEER_ALL, "add", "[20,22]", 7, 0, 9, &req) == PL_OK);
	pl_peer first = 0;
	for (int i = 0; i < 2; i++) {
		ev = next_event(n, PL_EV_REPLY);
		CHECK(ev.id == req && ev.user == 9 && ev.status == PL_OK && strcmp(ev.data, "42") == 0 && (ev.peer == a || ev.peer == b) && ev.peer != first);
		first = ev.peer;
	}
	CHECK(pl_poll(n, &ev) == 1 || next_event(n, PL_EV_REPLIES_END).id == req);
	CHECK(pl_close(n) == PL_OK);
	server_end(&t);
	server_end(&s);
}

static void speaks_cbor(void)
{
	struct server s;
	pl_peer to;
	pl_config cfg = config("Phone2");
	unsigned char out[64];
	uint32_t len;
	cfg.codec = PL_CBOR;
	server_start(&s, "Server", PL_JSON);
	pl_node n = must_open(&cfg);
	CHECK(pl_start(n) == PL_OK && pl_peer_add(n, "Server", "127.0.0.1", s.port, 0, &to) == PL_OK);
	CHECK(pl_call_wait(n, to, "add", "\x82\x18\x19\x11", 4, 0, 0, NULL, out, sizeof out, &len) == PL_OK);
	CHECK(len == 2 && memcmp(out, "\x18\x2a", 2) == 0);
	CHECK(pl_call_wait(n, to, "echo", NULL, 0, 0, 0, NULL, out, sizeof out, &len) == PL_OK && len == 1 && out[0] == 0x80);
	CHECK(pl_close(n) == PL_OK);
	server_end(&s);
}

/* Both ways, by both kinds of calls, with the result larger than the first buffer and than the queues. */
static void carries_much(void)
{
	static const uint32_t sizes[] = {1200, 64 << 10, 1 << 20, 4 << 20};
	struct server s;
	pl_peer to;
	server_start(&s, "Server", PL_JSON);
	pl_node n = client_of(&s, "Phone2", &to);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		uint32_t size = sizes[i], len = 0;
		char *args = malloc(size), *out = malloc(size);
		REQUIRE(args != NULL && out != NULL);
		memset(args, 'a' + (int)i, size);
		memcpy(args, "[\"", 2), memcpy(args + size - 2, "\"]", 2);
		pl_id req = 0;
		CHECK(pl_call_wait(n, to, "echo", args, size, 20000, 0, &req, out, 100, &len) == PL_E_TOO_LARGE && len == size && req != 0);
		CHECK(pl_call_wait(n, to, NULL, NULL, 0, 0, 0, &req, out, size, &len) == PL_OK && len == size && memcmp(args, out, size) == 0);
		CHECK(pl_call(n, to, "echo", args, size, 20000, size, NULL) == PL_OK);
		pl_event ev = next_event(n, PL_EV_REPLY);
		CHECK(ev.user == size && ev.status == PL_OK && ev.data_len == size && memcmp(args, ev.data, size) == 0);
		free(args);
		free(out);
	}
	CHECK(pl_close(n) == PL_OK);
	server_end(&s);
}

/* Calls until the answer is text; the peer hears of a cancellation when it is sent. */
static int answers(pl_node n, pl_peer to, const char *fn, const char *text)
{
	char out[100];
	for (int i = 0; i < 500; i++) {
		if (call(n, to, fn, "[]", out, sizeof out) != PL_OK)
			return 0;
		if (strcmp(out, text) == 0)
			return 1;
		nanosleep(&(struct timespec){0, 1000000}, NULL);
	}
	return 0;
}

static void tells_unwanted_calls(void)
{
	struct server s;
	pl_peer to;
	pl_id req = 0;
	char out[10];
	uint32_t len;
	server_start(&s, "Server", PL_JSON);
	pl_node n = client_of(&s, "Phone2", &to);
	CHECK(pl_call(n, to, "never", NULL, 0, PL_FOREVER, 1, &req) == PL_OK);
	CHECK(answers(n, to, "wanted", "true"));
	CHECK(pl_cancel(n, req) == PL_OK && next_event(n, PL_EV_REPLY).status == PL_E_CANCELED);
	CHECK(answers(n, to, "wanted", "false")); /* canceled */
	CHECK(pl_reply(s.n, s.held, "1", 1) == PL_OK && pl_call_wanted(s.n, 4711) == 0 && pl_call_wanted(0, 1) == PL_E_HANDLE);
	CHECK(pl_call_wait(n, to, "never", NULL, 0, 50, 0, NULL, out, sizeof out, &len) == PL_E_TIMEOUT);
	CHECK(answers(n, to, "wanted", "false")); /* timed out */
	CHECK(pl_close(n) == PL_OK);
	server_end(&s);
}

/* A started node of a realm that knows the server. */
static pl_node client_with(const char *secret, const struct server *s, pl_peer *to)
{
	pl_config cfg = config("Phone2");
	cfg.secret = secret;
	cfg.log_level = PL_LOG_DEBUG;
	pl_node n = must_open(&cfg);
	CHECK(pl_start(n) == PL_OK && pl_peer_add(n, "Server", "127.0.0.1", s->port, 0, to) == PL_OK);
	return n;
}

static void keeps_secrets(void)
{
	struct server s;
	pl_peer to;
	pl_peer_info info = {.size = sizeof info};
	char secret[PL_SECRET_CAP], other[PL_SECRET_CAP], out[100];
	CHECK(pl_secret_new(secret, sizeof secret) == 48 && strlen(secret) == 48 && strncmp(secret, "plk1_", 5) == 0);
	CHECK(pl_secret_new(other, 49) == 48 && strcmp(secret, other) != 0);
	CHECK(pl_secret_new(other, 48) == PL_E_TOO_LARGE && pl_secret_new(NULL, 99) == PL_E_INVALID);
	secret_server_start(&s, "Server", PL_JSON, secret);

	pl_node n = client_with(secret, &s, &to);
	CHECK(call(n, to, "add", "[25,17]", out, sizeof out) == PL_OK && strcmp(out, "42") == 0);
	CHECK(pl_peer_get(n, to, &info) == PL_OK && strlen(info.fingerprint) == 64 && info.rtt_us > 0 && info.loss_ppm <= 1000000);
	CHECK((info.flags & PL_PEER_ENCRYPTED) && (info.flags & PL_PEER_AUTHENTICATED) && !(info.flags & PL_PEER_LEGACY));
	CHECK((s.flags & PL_F_ENCRYPTED) && (s.flags & PL_F_AUTHENTICATED));
	CHECK(pl_stop(n, 100) == PL_OK && pl_start(n) == PL_OK); /* the secret is kept for that */
	CHECK(pl_peer_add(n, "Server", "127.0.0.1", s.port, 0, &to) == PL_OK && call(n, to, "add", "[1,2]", out, sizeof out) == PL_OK);
	CHECK(pl_close(n) == PL_OK);

	for (int i = 0; i < 3; i++) { /* another secret, none, a text of one's own */
		static const char *const kinds[] = {"", NULL, "correct horse"};
		n = client_with(i == 0 ? other : kinds[i], &s, &to);
		uint32_t len;
		int32_t st = pl_call_wait(n, to, "add", "[1,2]", 5, 400, 0, NULL, out, sizeof out, &len);
		CHECK(st == PL_E_TIMEOUT);
		CHECK(pl_peer_get(n, to, &info) == PL_OK && !(info.flags & (PL_PEER_ENCRYPTED | PL_PEER_AUTHENTICATED)) && !*info.fingerprint);
		pl_event ev = {.size = sizeof ev};
		while (pl_poll(n, &ev) == 1)
			CHECK(strstr(ev.data, "plk1_") == NULL && strstr(ev.data, "horse") == NULL);
		CHECK(pl_close(n) == PL_OK);
	}
	server_end(&s);

	/* No text tells a secret that cannot be used. */
	static char endless[PL_SECRET_MAX + 2];
	memset(endless, 'k', sizeof endless - 1);
	pl_config cfg = config("Phone2");
	cfg.secret = endless;
	CHECK(pl_open(&cfg, &n) == PL_E_INVALID && strstr(last_error(), "kkk") == NULL);
	static const char *const damaged[] = {"plk1_damaged-top-secret", "top-secret\xff"};
	for (int i = 0; i < 2; i++) {
		cfg.secret = damaged[i];
		cfg.log_level = PL_LOG_DEBUG;
		n = must_open(&cfg);
		CHECK(pl_start(n) == PL_E_INVALID && *last_error() && strstr(last_error(), "top-secret") == NULL);
		pl_event ev = {.size = sizeof ev};
		while (pl_poll(n, &ev) == 1)
			CHECK(strstr(ev.data, "top-secret") == NULL);
		CHECK(pl_close(n) == PL_OK);
	}
	cfg.secret = NULL;
	cfg.allow_legacy = 3;
	CHECK(pl_open(&cfg, &n) == PL_E_INVALID);
}

static void keeps_its_key(void)
{
	char dir[] = "/tmp/peerlink-test-XXXXXX", file[64], first[PL_FINGERPRINT_CAP], second[PL_FINGERPRINT_CAP];
	REQUIRE(mkdtemp(dir) != NULL);
	pl_config cfg = config("Keeper");
	cfg.state_dir = dir;
	pl_node n = must_open(&cfg);
	CHECK(pl_fingerprint(n, first, sizeof first) == PL_E_STATE);
	CHECK(pl_start(n) == PL_OK && pl_fingerprint(n, first, 10) == PL_E_TOO_LARGE && pl_fingerprint(n, first, sizeof first) == 64);
	CHECK(pl_close(n) == PL_OK);
	n = must_open(&cfg);
	CHECK(pl_start(n) == PL_OK && pl_fingerprint(n, second, sizeof second) == 64 && strcmp(first, second) == 0);
	CHECK(pl_close(n) == PL_OK);
	cfg.state_dir = NULL;
	n = must_open(&cfg);
	CHECK(pl_start(n) == PL_OK && pl_fingerprint(n, second, sizeof second) == 64 && strcmp(first, second) != 0);
	CHECK(pl_close(n) == PL_OK);
	snprintf(file, sizeof file, "%s/identity", dir);
	CHECK(unlink(file) == 0 && rmdir(dir) == 0);
}

/* Sends one datagram and returns the answer as text, "" if none comes within the time. */
static const char *ask(uint16_t port, const char *datagram, int ms)
{
	static char text[2000];
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	ssize_t size = sendto(fd, datagram, strlen(datagram), 0, (struct sockaddr *)&a, sizeof a);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	size = size > 0 && poll(&p, 1, ms) == 1 ? recv(fd, text, sizeof text - 1, 0) : 0;
	text[size > 0 ? size : 0] = 0;
	close(fd);
	return text;
}

/* Whoever has no secret serves 1.x nodes as ever; whoever has one, only if told to. */
static void speaks_json_with_1_x(void)
{
	static const char request[] = "{\"type\":\"request\",\"id\":\"7\",\"src\":\"old\",\"rpc\":\"%s\",\"args\":[20,22],\"kwargs\":{}}";
	static const struct { const char *secret; uint32_t legacy; int answers; } cases[] = {
		{NULL, PL_LEGACY_DEFAULT, 1}, {NULL, PL_LEGACY_OFF, 0},
		{"top secret", PL_LEGACY_DEFAULT, 0}, {"top secret", PL_LEGACY_ON, 1},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[200];
		pl_config cfg = config("Server");
		cfg.udp_port = free_port();
		cfg.secret = cases[i].secret;
		cfg.allow_legacy = cases[i].legacy;
		pl_node n = must_open(&cfg);
		CHECK(pl_register(n, "add") == PL_OK && pl_start(n) == PL_OK);
		snprintf(text, sizeof text, request, "__ping__");
		CHECK((*ask(cfg.udp_port, text, cases[i].answers ? 2000 : 200) != 0) == cases[i].answers);
		snprintf(text, sizeof text, request, "no_such");
		if (cases[i].answers)
			CHECK(strstr(ask(cfg.udp_port, text, 2000), "No function 'no_such' registered") != NULL);
		snprintf(text, sizeof text, request, "add");
		ask(cfg.udp_port, text, 0);
		if (cases[i].answers) {
			pl_event ev = next_event(n, PL_EV_CALL);
			CHECK(strcmp(ev.data, "[20,22]") == 0 && strcmp(pl_event_caller(&ev), "old") == 0 && ev.flags == 0);
		}
		CHECK(pl_close(n) == PL_OK);
	}
}

/* A program that was compiled with the first header. */
static void takes_older_structs(void)
{
	struct server s;
	pl_peer to;
	char out[20];
	server_start(&s, "Server", PL_JSON);
	pl_config cfg;
	memset(&cfg, 0xff, sizeof cfg); /* what lies behind an older struct */
	pl_config known = config("Older");
	memcpy(&cfg, &known, offsetof(pl_config, allow_legacy));
	cfg.size = offsetof(pl_config, allow_legacy);
	pl_node n = must_open(&cfg);
	CHECK(pl_start(n) == PL_OK && pl_peer_add(n, "Server", "127.0.0.1", s.port, 0, &to) == PL_OK);
	CHECK(call(n, to, "add", "[1,2]", out, sizeof out) == PL_OK);
	pl_peer_info info;
	memset(&info, 0x55, sizeof info);
	info.size = offsetof(pl_peer_info, loss_ppm);
	CHECK(pl_peer_get(n, to, &info) == PL_OK && strcmp(info.name, "Server") == 0 && info.loss_ppm == 0x55555555 && info.fingerprint[0] == 0x55);
	CHECK(info.size == offsetof(pl_peer_info, loss_ppm));
	info.size--;
	CHECK(pl_peer_get(n, to, &info) == PL_E_INVALID);
	cfg.size = offsetof(pl_config, allow_legacy) - 1;
	pl_node none = 7;
	CHECK(pl_open(&cfg, &none) == PL_E_INVALID && none == 0);
	CHECK(pl_close(n) == PL_OK);
	server_end(&s);
}

static void starts_again(void)
{
	struct server s;
	pl_peer to;
	pl_id req;
	char out[100];
	server_start(&s, "Server", PL_JSON);
	pl_node n = client_of(&s, "Phone2", &to);
	for (int i = 0; i < 3; i++) {
		CHECK(pl_call(n, to, "never", NULL, 0, PL_FOREVER, 3, &req) == PL_OK);
		CHECK(pl_stop(n, 100) == PL_OK && pl_stop(n, 100) == PL_E_STATE);
		pl_event ev = next_event(n, PL_EV_REPLY); /* comes before PL_EV_STOPPED */
		CHECK(ev.id == req && ev.status == PL_E_CLOSED && strcmp(ev.data, "node is closed") == 0);
		CHECK(next_event(n, PL_EV_STOPPED).type != 0);
		CHECK(pl_call(n, to, "add", "[]", 2, 0, 0, NULL) == PL_E_CLOSED && pl_peer_list(n, NULL, 0) == 0);
		CHECK(pl_wait_peers(n, 1, 1000) == PL_E_CLOSED);
		CHECK(pl_start(n) == PL_OK && next_event(n, PL_EV_STARTED).type != 0);
		pl_peer old = to;
		CHECK(pl_peer_add(n, "Server", "127.0.0.1", s.port, 0, &to) == PL_OK && to != old);
		CHECK(call(n, old, "add", "[1,2]", out, sizeof out) == PL_E_PEER_NOT_FOUND);
		CHECK(call(n, to, "add", "[1,2]", out, sizeof out) == PL_OK && strcmp(out, "3") == 0);
	}
	CHECK(pl_stop(s.n, 100) == PL_OK && pl_start(s.n) == PL_OK); /* its registrations are kept */
	int32_t st = call(n, to, "add", "[2,2]", out, sizeof out);
	if (st == PL_E_GONE) /* it had not heard yet that the server left */
		st = call(n, to, "add", "[2,2]", out, sizeof out);
	CHECK(st == PL_OK && strcmp(out, "4") == 0);
	if (st != PL_OK)
		fprintf(stderr, "     %d %s\n", st, last_error());
	CHECK(pl_close(n) == PL_OK);
	server_end(&s);
}

/* pl_stop gives handlers time; whoever does not answer does not stop it. */
static void stops_in_time(void)
{
	struct server s;
	pl_peer to;
	server_start(&s, "Server", PL_JSON);
	pl_node n = client_of(&s, "Phone2", &to);
	CHECK(pl_call(n, to, "late", NULL, 0, 2000, 1, NULL) == PL_OK);
	nanosleep(&(struct timespec){0, 50000000}, NULL);
	CHECK(pl_stop(s.n, 2000) == PL_OK);
	pl_event ev = next_event(n, PL_EV_REPLY);
	CHECK(ev.status == PL_OK && strcmp(ev.data, "\"late\"") == 0);
	CHECK(pl_start(s.n) == PL_OK);
	CHECK(pl_call(n, to, "never", NULL, 0, 2000, 2, NULL) == PL_OK);
	nanosleep(&(struct timespec){0, 50000000}, NULL);
	double t = now_s();
	CHECK(pl_stop(s.n, 200) == PL_OK);
	CHECK(now_s() - t < 2);
	CHECK(pl_close(n) == PL_OK);
	server_end(&s);
}

struct waiter {
	pl_node n;
	pl_peer to;
	int32_t status;
};

static void *wait_for_never(void *arg)
{
	struct waiter *w = arg;
	uint32_t len;
	pl_id req = 0;
	do
		w->status = pl_call_wait(w->n, w->to, "never", NULL, 0, PL_FOREVER, 500, &req, NULL, 0, &len);
	while (w->status == PL_E_AGAIN);
	return NULL;
}

static void *stop_forever(void *arg)
{
	struct waiter *w = arg;
	w->status = pl_stop(w->n, PL_FOREVER);
	return NULL;
}

static void close_ends_stop(void)
{
	struct server s;
	struct waiter w;
	pthread_t t;
	pl_peer to;
	server_start(&s, "Server", PL_JSON);
	pl_node n = client_of(&s, "Phone2", &to);
	CHECK(pl_call(n, to, "never", NULL, 0, PL_FOREVER, 0, NULL) == PL_OK);
	nanosleep(&(struct timespec){0, 100000000}, NULL);
	w = (struct waiter){s.n, 0, 1};
	pthread_create(&t, NULL, stop_forever, &w); /* waits for the handler of never */
	nanosleep(&(struct timespec){0, 100000000}, NULL);
	double begin = now_s();
	server_end(&s);
	pthread_join(t, NULL);
	CHECK(now_s() - begin < 1 && w.status == PL_OK);
	CHECK(pl_close(n) == PL_OK);
}

static void close_ends_waits(void)
{
	struct server s;
	struct waiter w[3];
	pthread_t t[3];
	pl_peer to;
	server_start(&s, "Server", PL_JSON);
	pl_node n = client_of(&s, "Phone2", &to);
	for (int i = 0; i < 3; i++) {
		w[i] = (struct waiter){n, to, 0};
		pthread_create(&t[i], NULL, wait_for_never, &w[i]);
	}
	nanosleep(&(struct timespec){0, 100000000}, NULL);
	double begin = now_s();
	CHECK(pl_close(n) == PL_OK);
	for (int i = 0; i < 3; i++) {
		pthread_join(t[i], NULL);
		CHECK(w[i].status == PL_E_CLOSED || w[i].status == PL_E_HANDLE);
	}
	CHECK(now_s() - begin < 1);
	CHECK(pl_close(n) == PL_E_HANDLE && pl_start(n) == PL_E_HANDLE && pl_register(n, "f") == PL_E_HANDLE);
	server_end(&s);
}

/* Whoever does not poll loses no peer and no answer; log lines are lost and counted,
 * and calls beyond what may wait are refused. */
static void survives_not_polling(void)
{
	struct server s;
	pl_peer to;
	pl_config cfg = config("Phone2");
	cfg.inbound_bytes = 4096;
	cfg.log_level = PL_LOG_DEBUG;
	cfg.udp_port = free_port();
	server_start(&s, "Server", PL_JSON);
	pl_node n = must_open(&cfg);
	CHECK(pl_register(n, "idle") == PL_OK && pl_start(n) == PL_OK);
	for (int i = 0; i < 100; i++) {
		char name[16];
		snprintf(name, sizeof name, "peer%d", i);
		CHECK(pl_peer_add(n, name, "127.0.0.1", s.port, 0, &to) == PL_OK);
	}
	int sent = 0, again = 0;
	for (int i = 0; i < 5000 && again < 200; i++) {
		int32_t st = pl_call(n, to, "add", "[1,1]", 5, 2000, 0, NULL);
		CHECK(st == PL_OK || st == PL_E_AGAIN);
		sent += st == PL_OK;
		again += st == PL_E_AGAIN;
		if (i % 16 == 0)
			nanosleep(&(struct timespec){0, 1000000}, NULL);
	}
	CHECK(sent > 0);
	int up = 0, replies = 0, logs = 0;
	uint64_t dropped = 0;
	pl_event ev = {.size = sizeof ev};
	double end = now_s() + 10;
	while ((replies < sent || up < 100 || dropped == 0) && now_s() < end) {
		int32_t st = pl_poll(n, &ev);
		if (st == 0)
			pl_wait(n, 100);
		if (st != 1)
			continue;
		up += ev.type == PL_EV_PEER_UP;
		replies += ev.type == PL_EV_REPLY;
		logs += ev.type == PL_EV_LOG && ev.aux >= PL_LOG_ERROR && ev.data_len > 0;
		dropped += ev.type == PL_EV_DROPPED ? ev.id : 0;
	}
	CHECK(up == 100 && replies == sent && logs > 0 && dropped > 0);
	printf("     %d calls, %d refused as full, %d answered; %d log lines, %d dropped\n", sent, again, replies, logs, (int)dropped);

	pl_peer back; /* now calls that nobody takes */
	CHECK(pl_peer_add(s.n, "Phone2", "127.0.0.1", cfg.udp_port, 0, &back) == PL_OK);
	int overloaded = 0;
	for (int i = 0; i < 250; i++) {
		char out[10];
		pl_id req = 0;
		uint32_t len;
		int32_t st = pl_call_wait(s.n, back, "idle", NULL, 0, 3000, i < 249 ? 1 : 500, &req, out, sizeof out, &len);
		CHECK(st == PL_E_AGAIN || st == PL_E_OVERLOADED);
		overloaded += st == PL_E_OVERLOADED && strncmp(last_error(), "Overloaded: ", 12) == 0;
	}
	CHECK(overloaded > 0);
	int calls = 0;
	while (pl_wait(n, 300) == 1)
		while (pl_poll(n, &ev) == 1) {
			calls += ev.type == PL_EV_CALL;
			dropped = ev.type == PL_EV_DROPPED ? ev.id : dropped;
		}
	CHECK(calls > 50 && calls + overloaded <= 250);
	printf("     of 250 calls %d waited, %d were refused as Overloaded\n", calls, overloaded);
	CHECK(pl_close(n) == PL_OK);
	server_end(&s);
}

/* Two of one name: the second is found under another, and told so. */
static void is_renamed(void)
{
	pl_config cfg = config("Twin");
	pl_peer p;
	cfg.discovery = PL_DISC_AUTO;
	pl_node first = must_open(&cfg), second = must_open(&cfg);
	CHECK(pl_start(first) == PL_OK && next_event(first, PL_EV_STARTED).type != 0);
	nanosleep(&(struct timespec){1, 500000000}, NULL);
	CHECK(pl_start(second) == PL_OK);
	pl_event ev = next_event(second, PL_EV_RENAMED);
	CHECK(strcmp(ev.name, "Twin (2)") == 0);
	CHECK(pl_wait_peer(first, "Twin (2)", 5000, &p) == 1);
	CHECK(pl_close(second) == PL_OK && pl_close(first) == PL_OK);
}

/* A handler that the end of its node cuts off. */
static void cut_off(void)
{
	struct server s;
	pl_peer to;
	server_start(&s, "Server", PL_JSON);
	pl_node n = client_of(&s, "Phone2", &to);
	CHECK(pl_call(n, to, "never", NULL, 0, 3000, 1, NULL) == PL_OK);
	nanosleep(&(struct timespec){0, 50000000}, NULL);
	server_end(&s);
	pl_event ev = next_event(n, PL_EV_REPLY);
	CHECK(ev.status == PL_E_GONE && *(const char *)ev.data);
	CHECK(pl_close(n) == PL_OK);
}

static void finds_by_mdns(void)
{
	struct server s;
	pl_config cfg = config("Seeker");
	pl_peer to;
	char out[10];
	cfg.discovery = PL_DISC_AUTO;
	memset(&s, 0, sizeof s);
	pl_config sc = config("Finder");
	sc.discovery = PL_DISC_MDNS;
	s.n = must_open(&sc);
	CHECK(pl_register(s.n, "add") == PL_OK && pl_start(s.n) == PL_OK);
	pthread_create(&s.thread, NULL, serve, &s);
	pl_node n = must_open(&cfg);
	double t = now_s();
	CHECK(pl_start(n) == PL_OK);
	CHECK(pl_wait_peer(n, "finder", 5000, &to) == 1); /* other programs may be there too */
	printf("     found after %.0f ms\n", (now_s() - t) * 1e3);
	CHECK(pl_peer_find(n, "finder", &to) == PL_OK);
	CHECK(call(n, to, "add", "[25,17]", out, sizeof out) == PL_OK && strcmp(out, "42") == 0);
	pl_event ev;
	do
		ev = next_event(n, PL_EV_PEER_UP);
	while (ev.type != 0 && ev.peer != to);
	CHECK(ev.peer == to && strcmp(ev.name, "Finder") == 0);
	server_end(&s);
	do
		ev = next_event(n, PL_EV_PEER_DOWN);
	while (ev.type != 0 && ev.peer != to);
	CHECK(ev.peer == to && ev.aux == PL_REASON_REMOVED && pl_peer_find(n, "Finder", &to) == PL_E_PEER_NOT_FOUND);
	CHECK(pl_close(n) == PL_OK);
}

/* 10^5 calls of everything with handles that live, lived and never lived. */
static void survives_random_use(void)
{
	unsigned long long s = 2024;
	pl_node nodes[8] = {0};
	pl_event ev = {.size = sizeof ev};
	pl_peer_info info = {.size = sizeof info};
	unsigned char buf[512];
	pl_peer p;
	pl_id req;
	uint32_t u;
	for (int i = 0; i < 100000 && !bad; i++) {
		unsigned k = (unsigned)(roll(&s) % 8);
		pl_node n = roll(&s) % 16 ? nodes[k] : roll(&s);
		pl_config cfg = config("Random");
		int32_t st = 0;
		switch (roll(&s) % 24) {
		case 0:
			if (roll(&s) % 8 == 0) {
				if (nodes[k] != 0)
					pl_close(nodes[k]);
				pl_open(&cfg, &nodes[k]);
			}
			break;
		case 1: if (roll(&s) % 32 == 0) st = pl_close(n); break;
		case 2: if (roll(&s) % 64 == 0) st = pl_start(n); break;
		case 3: if (roll(&s) % 64 == 0) st = pl_stop(n, 1); break;
		case 4: st = pl_poll(n, roll(&s) % 4 ? &ev : NULL); break;
		case 5: st = (int32_t)pl_drain(n, roll(&s) % 4 ? buf : NULL, sizeof buf, roll(&s) % 4 ? &u : NULL); break;
		case 6: st = pl_wait(n, 0); break;
		case 7: st = (int32_t)pl_wake_handle(n) > 0 ? 0 : PL_E_HANDLE; break;
		case 8: st = pl_call(n, (pl_peer)roll(&s) % 3, roll(&s) % 4 ? "f" : NULL, "[]", 2, 1, 0, roll(&s) % 2 ? &req : NULL); break;
		case 9: st = pl_call(n, PL_PEER_ALL, "f", "[]", 2, 1, 0, NULL); break;
		case 10: st = pl_cancel(n, roll(&s) % 100); break;
		case 11: st = pl_reply(n, roll(&s) % 100, roll(&s) % 2 ? "1" : NULL, 1); break;
		case 12: st = pl_reply_error(n, roll(&s) % 100, roll(&s) % 2 ? "T" : NULL, roll(&s) % 2 ? "m" : NULL); break;
		case 13: st = pl_register(n, roll(&s) % 2 ? "f" : NULL); break;
		case 14: st = pl_unregister(n, roll(&s) % 2 ? "f" : NULL); break;
		case 15: st = pl_peer_add(n, "x", roll(&s) % 2 ? "127.0.0.1" : "", (uint16_t)(roll(&s) % 2 * 9), 9, roll(&s) % 2 ? &p : NULL); break;
		case 16: st = pl_peer_find(n, roll(&s) % 2 ? "x" : NULL, &p); break;
		case 17: st = pl_peer_get(n, (pl_peer)roll(&s) % 4, roll(&s) % 2 ? &info : NULL); break;
		case 18: st = pl_peer_list(n, NULL, (uint32_t)roll(&s) % 2); break;
		case 19: st = pl_wait_peers(n, 1, 0); break;
		case 20: req = roll(&s) % 4; if (roll(&s) % 8 == 0) st = pl_call_wait(n, (pl_peer)roll(&s) % 3, "f", NULL, 0, 1, 1, &req, buf, sizeof buf, &u); break;
		case 21: st = pl_call_wait(n, 0, NULL, NULL, 0, 0, 0, NULL, NULL, 0, NULL); break;
		case 22: st = pl_close(roll(&s)); break;
		default: st = (int32_t)pl_last_error((char *)buf, roll(&s) % sizeof buf); break;
		}
		CHECK(st >= PL_E_NO_MEMORY && st != PL_E_INTERNAL && st != PL_E_FORKED);
	}
	for (int k = 0; k < 8; k++)
		if (nodes[k] != 0)
			pl_close(nodes[k]);
}

static void leaves_nothing_open(void)
{
	pl_config cfg = config("Short");
	pl_node n = must_open(&cfg);
	CHECK(pl_start(n) == PL_OK && pl_close(n) == PL_OK);
	int before = open_files();
	for (int i = 0; i < 50; i++) {
		n = must_open(&cfg);
		CHECK(pl_start(n) == PL_OK && pl_close(n) == PL_OK);
	}
	CHECK(open_files() == before);
	pl_node many[1100];
	int k = 0;
	while (k < 1100 && pl_open(&cfg, &many[k]) == PL_OK)
		k++;
	CHECK(k >= 100 && k <= 1024 && *last_error());
	while (k-- > 0)
		CHECK(pl_close(many[k]) == PL_OK);
	CHECK(open_files() == before);
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void figures(void)
{
	enum { ROUNDS = 3000 };
	static double us[ROUNDS];
	struct server s;
	pl_peer to;
	char out[16];
	uint32_t len;
	pl_event ev = {.size = sizeof ev};
	server_start(&s, "Server", PL_JSON);
	pl_node n = client_of(&s, "Phone2", &to);
	for (int i = 0; i < 500; i++)
		CHECK(call(n, to, "add", "[1,2]", out, sizeof out) == PL_OK);
	for (int kind = 0; kind < 3; kind++) {
		static const char *const what[] = {"pl_call_wait", "pl_call_wait in slices", "pl_call and pl_wait"};
		for (int i = 0; i < ROUNDS; i++) {
			double t = now_s();
			pl_id req = 0;
			if (kind < 2) {
				CHECK(pl_call_wait(n, to, "add", "[1,2]", 5, 2000, kind ? 100 : 0, kind ? &req : NULL, out, sizeof out, &len) == PL_OK);
			} else {
				CHECK(pl_call(n, to, "add", "[1,2]", 5, 2000, 0, NULL) == PL_OK);
				do
					CHECK(pl_wait(n, 2000) == 1);
				while (pl_poll(n, &ev) == 1 && ev.type != PL_EV_REPLY);
			}
			us[i] = (now_s() - t) * 1e6;
		}
		qsort(us, ROUNDS, sizeof *us, by_size);
		printf("     round trip by %s: p50 %.0f us, p99 %.0f us\n", what[kind], us[ROUNDS / 2], us[ROUNDS * 99 / 100]);
	}
	double t = now_s();
	while (pl_poll(n, &ev) == 1)
		;
	t = now_s();
	for (int i = 0; i < 5000000; i++)
		pl_poll(n, &ev);
	printf("     empty pl_poll %.1f ns\n", (now_s() - t) / 5e6 * 1e9);
	CHECK(pl_close(n) == PL_OK);
	server_end(&s);
}

int main(void)
{
	CHECK(pl_abi() == PL_ABI);
	RUN(calls_both_ways);
	RUN(queues_calls);
	RUN(reports_errors);
	RUN(cancels);
	RUN(waits_in_slices);
	RUN(calls_all);
	RUN(speaks_cbor);
	RUN(carries_much);
	RUN(tells_unwanted_calls);
	RUN(keeps_secrets);
	RUN(keeps_its_key);
	RUN(speaks_json_with_1_x);
	RUN(takes_older_structs);
	RUN(starts_again);
	RUN(stops_in_time);
	RUN(close_ends_stop);
	RUN(close_ends_waits);
	RUN(survives_not_polling);
	RUN(is_renamed);
	RUN(cut_off);
	RUN(finds_by_mdns);
	RUN(survives_random_use);
	RUN(leaves_nothing_open);
	RUN(figures);
	return finish();
}
