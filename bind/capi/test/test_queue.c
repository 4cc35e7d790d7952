/*
 * test_queue.c - plq.c alone: the Go side is played by this file.
 */
#define _POSIX_C_SOURCE 200809L
#include "../plq.h"
#include "test.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- the Go side ----------------------------------------------------------- */

struct fake { int magic; plq_node *n; atomic_int inside; };

static plq_node *opened; /* by the last pl_open */

static struct fake *fake(uintptr_t go)
{
	struct fake *f = (struct fake *)go;
	CHECK(f->magic == 7);
	return f;
}

int32_t plgo_open(plq_node *n, pl_config *cfg, uintptr_t *go)
{
	struct fake *f = calloc(1, sizeof *f);
	(void)cfg;
	f->magic = 7;
	f->n = n;
	opened = n;
	*go = (uintptr_t)f;
	return PL_OK;
}

int32_t plgo_start(uintptr_t go) { return fake(go) ? PL_OK : PL_E_INTERNAL; }
int32_t plgo_stop(uintptr_t go, uint32_t ms) { return fake(go) && ms < 7 ? PL_OK : PL_E_INTERNAL; }
void plgo_close(uintptr_t go) { fake(go); }
int32_t plgo_register(uintptr_t go, char *fn) { return fake(go) && *fn ? PL_OK : PL_E_INTERNAL; }
int32_t plgo_unregister(uintptr_t go, char *fn) { return fake(go) && *fn ? PL_OK : PL_E_NO_HANDLER; }

void plgo_free(uintptr_t go)
{
	CHECK(atomic_load(&fake(go)->inside) == 0);
	free(fake(go));
}

int32_t plgo_peer_add(uintptr_t go, char *name, char *addr, uint16_t udp, uint16_t tcp, uint32_t *out)
{
	(void)name, (void)addr, (void)tcp;
	*out = udp;
	return fake(go) ? PL_OK : PL_E_INTERNAL;
}

/* Begins a call: the functions "now" and "f" answer at once, "fails" fails so, others never end. */
int32_t plgo_call_begin(uintptr_t go, uint64_t id, uint32_t to, char *fn, void *args, uint32_t len, uint32_t timeout_ms, uint32_t slice_ms)
{
	(void)to, (void)timeout_ms, (void)slice_ms;
	if (strcmp(fn, "refused") == 0)
		return PL_E_STATE;
	atomic_fetch_add(&fake(go)->inside, 1);
	if (strcmp(fn, "now") == 0 || strcmp(fn, "f") == 0)
		plq_done(fake(go)->n, id, PL_OK, args, len);
	if (strcmp(fn, "fails") == 0)
		plq_done(fake(go)->n, id, PL_E_REMOTE, "T: m", 4);
	nanosleep(&(struct timespec){0, 200000}, NULL);
	atomic_fetch_sub(&fake(go)->inside, 1);
	return PL_OK;
}

static _Atomic uint64_t replied; /* the last call that was answered */

int32_t plgo_reply(uintptr_t go, uint64_t id, void *result, uint32_t len)
{
	(void)result, (void)len;
	replied = id;
	return fake(go) ? PL_OK : PL_E_INTERNAL;
}

int32_t plgo_call_wanted(uintptr_t go, uint64_t id) { return fake(go) && id == 1; }
int32_t plgo_secret_new(char *buf, size_t cap) { return snprintf(buf, cap, "plk1_"); }

int32_t plgo_reply_error(uintptr_t go, uint64_t id, char *type, void *message, uint32_t len)
{
	(void)message, (void)len;
	replied = id;
	return fake(go) && type != NULL ? PL_OK : PL_E_INTERNAL;
}

static pl_node open_node(uint32_t in, uint32_t out)
{
	pl_config cfg;
	pl_node n = 0;
	pl_config_init(&cfg);
	cfg.name = "Node";
	cfg.inbound_bytes = in;
	cfg.outbound_bytes = out;
	CHECK(pl_open(&cfg, &n) == PL_OK && n != 0);
	plq_set_state(opened, PLQ_RUNNING);
	return n;
}

/* The data of event number seq: its bytes and length follow from it. */
static uint32_t fill(unsigned char *buf, uint64_t seq, uint32_t max)
{
	unsigned long long s = seq * 2654435761u + 88172645463325252ull;
	uint32_t len = (uint32_t)(roll(&s) % (roll(&s) % 16 == 0 ? max : max < 200 ? max : 200));
	for (uint32_t i = 0; i < len; i++)
		buf[i] = (unsigned char)(seq + i);
	return len;
}

static int32_t push(plq_node *n, uint64_t seq, uint32_t max)
{
	static _Thread_local unsigned char buf[1 << 16];
	static const char name[] = "a name that has up to thirty bytes";
	pl_record r = {.type = PL_EV_REPLY, .id = seq, .user = ~seq, .status = (int32_t)seq, .peer = (uint32_t)(seq * 3),
	               .name_len = (uint16_t)(seq % 30), .aux = (uint16_t)seq, .flags = (uint16_t)(seq & 0x7F)};
	r.data_len = fill(buf, seq, max);
	return plq_push(n, &r, name, buf);
}

static int same_data(const void *data, uint32_t len, uint64_t seq, uint32_t max)
{
	static _Thread_local unsigned char buf[1 << 16];
	return len == fill(buf, seq, max) && memcmp(data, buf, len) == 0 && ((const char *)data)[len] == 0;
}

static int is_event(const pl_event *e, uint64_t seq, uint32_t max)
{
	return e->type == PL_EV_REPLY && e->id == seq && e->user == ~seq && e->status == (int32_t)seq && e->peer == (uint32_t)(seq * 3) &&
	       e->name_len == seq % 30 && strlen(e->name) == seq % 30 && e->aux == (uint16_t)seq && e->flags == (seq & 0x7F) &&
	       e->time_ns != 0 && e->size == sizeof *e && same_data(e->data, e->data_len, seq, max);
}

/* Checks the records in buf, which begin with seq; returns how many there are. */
static uint32_t are_records(const unsigned char *buf, int64_t used, uint64_t seq, uint32_t max)
{
	uint32_t k = 0;
	for (int64_t at = 0; at < used; k++, seq++) {
		pl_record r;
		memcpy(&r, buf + at, sizeof r);
		int64_t data = at + (int64_t)((sizeof r + r.name_len + 1u + 7) & ~7u);
		CHECK(r.rec_len % 8 == 0 && at + r.rec_len <= used);
		CHECK(r.id == seq && r.user == ~seq && r.flags == (seq & 0x7F) && r.name_len == seq % 30);
		CHECK(strlen((const char *)buf + at + sizeof r) == r.name_len);
		CHECK(same_data(buf + data, r.data_len, seq, max));
		for (int64_t i = data + r.data_len; i < at + r.rec_len; i++)
			CHECK(buf[i] == 0);
		at += r.rec_len;
		if (bad)
			break;
	}
	return k;
}

static int readable(pl_node n, int ms)
{
	struct pollfd p = {.fd = (int)pl_wake_handle(n), .events = POLLIN};
	return poll(&p, 1, ms);
}

/* ---- cases -------------------------------------------------------------------- */

static void refuses_nonsense(void)
{
	pl_config cfg;
	pl_event ev = {.size = sizeof ev};
	pl_peer_info info = {.size = sizeof info};
	uint32_t u;
	pl_node n, handles[] = {0, 1, 1ull << 32, 5ull << 32 | 3, 1ull << 32 | 5000, UINT64_MAX, (uint64_t)INT64_MIN};
	pl_config_init(NULL);
	pl_config_init(&cfg);
	CHECK(pl_open(NULL, NULL) == PL_E_INVALID && pl_open(&cfg, NULL) == PL_E_INVALID && pl_open(NULL, &n) == PL_E_INVALID);
	CHECK(pl_open(&cfg, &n) == PL_E_INVALID && n == 0); /* no name */
	cfg.name = "0123456789012345678901234567890123456789012345678901234567890123";
	CHECK(pl_open(&cfg, &n) == PL_E_INVALID); /* 64 bytes */
	cfg.name = "x";
	cfg.inbound_bytes = 5000;
	CHECK(pl_open(&cfg, &n) == PL_E_INVALID);
	pl_config_init(&cfg);
	cfg.name = "x";
	cfg.size = 4;
	CHECK(pl_open(&cfg, &n) == PL_E_INVALID);
	cfg.size = sizeof cfg;
	cfg.codec = 3;
	CHECK(pl_open(&cfg, &n) == PL_E_INVALID);
	for (size_t i = 0; i < sizeof handles / sizeof *handles; i++) {
		pl_node h = handles[i];
		CHECK(pl_start(h) == PL_E_HANDLE && pl_stop(h, 0) == PL_E_HANDLE && pl_close(h) == PL_E_HANDLE);
		CHECK(pl_poll(h, &ev) == PL_E_HANDLE && pl_wait(h, 0) == PL_E_HANDLE && pl_wake_handle(h) == PL_E_HANDLE);
		CHECK(pl_drain(h, NULL, 0, &u) == PL_E_HANDLE && pl_register(h, "f") == PL_E_HANDLE && pl_unregister(h, "f") == PL_E_HANDLE);
		CHECK(pl_call(h, 1, "f", NULL, 0, 0, 0, NULL) == PL_E_HANDLE && pl_cancel(h, 1) == PL_E_HANDLE && pl_reply(h, 1, NULL, 0) == PL_E_HANDLE);
		CHECK(pl_reply_error(h, 1, NULL, NULL) == PL_E_HANDLE && pl_peer_add(h, "a", "b", 1, 1, NULL) == PL_E_HANDLE);
		CHECK(pl_peer_find(h, "a", &u) == PL_E_HANDLE && pl_peer_get(h, 1, &info) == PL_E_HANDLE && pl_peer_list(h, NULL, 0) == PL_E_HANDLE);
		CHECK(pl_wait_peers(h, 0, 0) == PL_E_HANDLE && pl_call_wait(h, 1, "f", NULL, 0, 0, 0, NULL, NULL, 0, &u) == PL_E_HANDLE);
	}
	n = open_node(4096, 4096);
	CHECK(pl_poll(n, NULL) == PL_E_INVALID && pl_drain(n, NULL, 8, &u) == PL_E_INVALID && pl_drain(n, &u, 4, NULL) == PL_E_INVALID);
	ev.size = 8;
	CHECK(pl_poll(n, &ev) == PL_E_INVALID);
	CHECK(pl_call(n, 1, NULL, NULL, 0, 0, 0, NULL) == PL_E_INVALID && pl_call(n, PL_PEER_ALL, "", NULL, 0, 0, 0, NULL) == PL_E_INVALID);
	CHECK(pl_call(n, PL_PEER_ALL, "f", NULL, 1, 0, 0, NULL) == PL_E_INVALID && pl_call(n, 9, "f", NULL, 0, 0, 0, NULL) == PL_E_PEER_NOT_FOUND);
	CHECK(pl_cancel(n, 0) == PL_E_INVALID && pl_reply(n, 0, NULL, 0) == PL_E_INVALID && pl_reply(n, 1, NULL, 1) == PL_E_INVALID);
	CHECK(pl_register(n, NULL) == PL_E_INVALID && pl_unregister(n, "") == PL_E_INVALID && pl_peer_add(n, NULL, "a", 1, 1, NULL) == PL_E_INVALID);
	CHECK(pl_peer_find(n, NULL, &u) == PL_E_INVALID && pl_peer_find(n, "a", NULL) == PL_E_INVALID && pl_peer_get(n, 1, NULL) == PL_E_INVALID);
	CHECK(pl_peer_list(n, NULL, 1) == PL_E_INVALID && pl_call_wait(n, 1, "f", NULL, 0, 0, 0, NULL, NULL, 0, NULL) == PL_E_INVALID);
	CHECK(pl_call_wait(n, 1, "f", NULL, 0, 0, 5, NULL, NULL, 0, &u) == PL_E_INVALID && pl_call_wait(n, PL_PEER_ALL, "f", NULL, 0, 0, 0, NULL, NULL, 0, &u) == PL_E_INVALID);
	CHECK(pl_close(n) == PL_OK && pl_close(n) == PL_E_HANDLE);
}

/* What pl_call_wait returns when plq_done comes before it waits, in between, or not at all. */
static void waits_for_answers(void)
{
	pl_node n = open_node(4096, 4096);
	pl_id req = 0;
	uint32_t len;
	char out[8];
	CHECK(pl_call_wait(n, 1, "now", "[1,2]", 5, 0, 0, NULL, out, sizeof out, &len) == PL_OK && len == 5 && memcmp(out, "[1,2]", 5) == 0);
	CHECK(pl_call_wait(n, 1, "now", "[1,2]", 5, 0, 9, &req, out, 2, &len) == PL_E_TOO_LARGE && len == 5 && req != 0);
	CHECK(pl_call_wait(n, 1, NULL, NULL, 0, 0, 9, &req, out, 5, &len) == PL_OK && len == 5 && req == 0);
	CHECK(pl_call_wait(n, 1, "fails", NULL, 0, 0, 0, &req, out, 5, &len) == PL_E_REMOTE && len == 0 && req == 0);
	CHECK(pl_last_error(out, 5) == 4 && strcmp(out, "T: m") == 0);
	CHECK(pl_call_wait(n, 1, "refused", NULL, 0, 0, 0, &req, out, 5, &len) == PL_E_STATE && req == 0);
	CHECK(pl_call_wait(n, 1, "never", NULL, 0, 0, 20, &req, out, 5, &len) == PL_E_AGAIN && req != 0);
	plq_done(opened, req + 1, PL_OK, "x", 1); /* nobody's */
	plq_done(opened, req, PL_OK, NULL, 0);
	plq_done(opened, req, PL_OK, "x", 1); /* too late */
	CHECK(pl_call_wait(n, 1, NULL, NULL, 0, 0, 20, &req, NULL, 0, &len) == PL_OK && len == 0 && req == 0);
	pl_id old[300];
	for (int i = 0; i < 300; i++) {
		old[i] = 0;
		int32_t st = pl_call_wait(n, 1, "never", NULL, 0, 0, 1, &old[i], NULL, 0, &len);
		CHECK(st == (i < 256 ? PL_E_AGAIN : PL_E_OVERLOADED));
	}
	plq_done(opened, old[7], PL_OK, NULL, 0); /* the oldest that has ended makes room */
	CHECK(pl_call_wait(n, 1, "now", NULL, 0, 0, 0, NULL, NULL, 0, &len) == PL_OK);
	CHECK(pl_call_wait(n, 1, NULL, NULL, 0, 0, 1, &old[7], NULL, 0, &len) == PL_E_INVALID);
	CHECK(pl_reply_now(n, 9, "1", 1) == PL_OK && replied == 9 && pl_reply_error_now(n, 8, NULL, NULL) == PL_OK && replied == 8);
	CHECK(pl_reply_now(n, 0, NULL, 0) == PL_E_INVALID && pl_reply_error_now(n, 0, NULL, NULL) == PL_E_INVALID);
	CHECK(pl_close(n) == PL_OK);
}

struct answered { pl_node n; _Atomic uint64_t last; int wrong; };

static void *call_soon(void *arg)
{
	struct answered *a = arg;
	for (int i = 0; i < (SLOW ? 300 : 2000); i++) {
		pl_id req = 0;
		uint32_t len, sum = 0;
		int32_t st = pl_call_wait(a->n, 1, "soon", NULL, 0, 0, 1, &req, &sum, sizeof sum, &len);
		while (st == PL_E_AGAIN) {
			atomic_store(&a->last, req);
			st = pl_call_wait(a->n, 1, NULL, NULL, 0, 0, 5, &req, &sum, sizeof sum, &len);
		}
		a->wrong += st != PL_OK || len != 4 || sum != (uint32_t)i;
	}
	atomic_store(&a->last, UINT64_MAX);
	return NULL;
}

/* Threads that wait in slices are answered by another. */
static void answers_threads(void)
{
	pl_node n = open_node(4096, 4096);
	struct answered a[4];
	pthread_t t[4];
	uint64_t done[4] = {0};
	uint32_t count[4] = {0};
	int busy = 4;
	for (int k = 0; k < 4; k++) {
		a[k] = (struct answered){.n = n};
		pthread_create(&t[k], NULL, call_soon, &a[k]);
	}
	while (busy > 0) {
		busy = 0;
		for (int k = 0; k < 4; k++) {
			uint64_t last = atomic_load(&a[k].last);
			busy += last != UINT64_MAX;
			if (last != done[k] && last != UINT64_MAX) {
				done[k] = last;
				plq_done(opened, last, PL_OK, &count[k], 4);
				count[k]++;
			}
		}
	}
	for (int k = 0; k < 4; k++) {
		pthread_join(t[k], NULL);
		CHECK(a[k].wrong == 0);
	}
	CHECK(pl_close(n) == PL_OK);
}

static void tells_ports_and_peers(void)
{
	pl_config cfg;
	pl_node n = 0;
	uint16_t udp, tcp;
	pl_peer p = 9;
	pl_config_init(&cfg);
	cfg.name = "Node";
	CHECK(pl_open(&cfg, &n) == PL_OK && pl_ports(n, &udp, &tcp) == PL_E_STATE && pl_wait_peer(n, "A", 0, &p) == PL_E_STATE && p == 0);
	plq_set_ports(opened, 50000, 1);
	plq_set_state(opened, PLQ_RUNNING);
	CHECK(pl_ports(n, &udp, &tcp) == PL_OK && udp == 50000 && tcp == 1 && pl_ports(n, NULL, NULL) == PL_OK);
	CHECK(pl_wait_peer(n, NULL, 0, &p) == PL_E_INVALID && pl_wait_peer(n, "A", 0, NULL) == PL_E_INVALID);
	CHECK(pl_wait_peer(n, "A", 20, &p) == 0 && p == 0);
	for (uint32_t i = 1; i <= 2; i++) {
		pl_peer_info info = {.size = sizeof info, .peer = i, .flags = PL_PEER_UP};
		strcpy(info.name, "Anna");
		plq_peer_put(opened, &info);
		CHECK(pl_wait_peer(n, "anna", 20, &p) == (i == 1 ? 1 : PL_E_AMBIGUOUS) && p == (i == 1 ? 1 : 0));
	}
	plq_set_state(opened, PLQ_STOPPED);
	CHECK(pl_ports(n, &udp, &tcp) == PL_E_CLOSED && pl_wait_peer(n, "Anna", 20, &p) == PL_E_CLOSED);
	CHECK(pl_close(n) == PL_OK && pl_ports(n, &udp, &tcp) == PL_E_HANDLE && pl_wait_peer(n, "A", 0, &p) == PL_E_HANDLE);
}

static void speaks_of_errors(void)
{
	char buf[8];
	for (int32_t s = -80; s < 5; s++)
		CHECK(pl_strstatus(s) != NULL && *pl_strstatus(s));
	for (int32_t s = PL_E_NAME_CONFLICT; s <= PL_OK; s++)
		CHECK(strcmp(pl_strstatus(s), "unknown error") != 0);
	for (int32_t s = PL_E_NO_MEMORY; s <= PL_E_HANDLE; s++)
		CHECK(strcmp(pl_strstatus(s), "unknown error") != 0);
	CHECK(pl_close(0) == PL_E_HANDLE);
	CHECK(pl_last_error(NULL, 0) == strlen("no such node"));
	CHECK(pl_last_error(buf, sizeof buf) == strlen("no such node") && strcmp(buf, "no such") == 0);
	char text[3000];
	memset(text, 'a', sizeof text);
	for (size_t i = 1; i + 1 < sizeof text; i += 2)
		memcpy(text + i, "\xc3\xa4", 2); /* characters of two bytes at odd places */
	plq_set_error(text, sizeof text);
	size_t len = pl_last_error(text, sizeof text);
	CHECK(len > 1000 && len < 1020 && len % 2 == 1 && text[len] == 0);
	CHECK(pl_abi() == PL_ABI && *pl_version());
}

static void keeps_generations(void)
{
	pl_node first = open_node(4096, 4096), n = first;
	uint32_t u;
	for (int i = 0; i < 3000; i++) {
		CHECK(pl_close(n) == PL_OK);
		pl_node next = open_node(4096, 4096);
		CHECK(next != n && (uint32_t)next == (uint32_t)n); /* the same slot */
		CHECK(pl_drain(n, NULL, 0, &u) == PL_E_HANDLE && pl_drain(next, NULL, 0, &u) == 0);
		n = next;
		if (bad)
			break;
	}
	CHECK(pl_wait(first, 0) == PL_E_HANDLE);
	CHECK(pl_close(n) == PL_OK);
}

static void lays_out_records(void)
{
	pl_node n = open_node(4096, 4096);
	pl_event ev = {.size = sizeof ev};
	unsigned char buf[512];
	uint32_t count;
	pl_record r = {.type = PL_EV_CALL, .id = 9, .peer = 4, .name_len = 10, .aux = 3, .data_len = 8};
	for (int i = 0; i < 2; i++)
		CHECK(plq_push(opened, &r, "add\0Phone2", "[25, 17]") == PL_OK);
	CHECK(pl_poll(n, &ev) == 1);
	CHECK(ev.type == PL_EV_CALL && ev.id == 9 && ev.peer == 4 && ev.data_len == 8);
	CHECK(strcmp(ev.name, "add") == 0 && strcmp(pl_event_caller(&ev), "Phone2") == 0 && strcmp(ev.data, "[25, 17]") == 0);
	CHECK(pl_drain(n, buf, 79, &count) == PL_E_TOO_LARGE && count == 80);
	CHECK(pl_drain(n, buf, sizeof buf, &count) == 80 && count == 1); /* 48 + up8(11) + up8(9) */
	memcpy(&r, buf, sizeof r);
	CHECK(r.rec_len == 80 && r.type == PL_EV_CALL && memcmp(buf + 48, "add\0Phone2\0\0\0\0\0", 16) == 0);
	CHECK(memcmp(buf + 64, "[25, 17]\0\0\0\0\0\0\0", 16) == 0);
	CHECK(pl_poll(n, &ev) == 0 && pl_drain(n, buf, sizeof buf, &count) == 0 && count == 0);
	r.name_len = PLQ_NAME_MAX + 1;
	CHECK(plq_push(opened, &r, NULL, NULL) == PL_E_TOO_LARGE);
	CHECK(pl_close(n) == PL_OK);
}

/* Random pushes, polls and drains against a model: the numbers come back in order,
 * whatever wraps, overflows or lies outside of the ring. */
static void wraps_around(void)
{
	unsigned long long s = 42;
	static unsigned char buf[1 << 16];
	for (uint32_t size = 4096; size <= 65536; size *= 4) {
		pl_node n = open_node(size, 4096);
		pl_event ev = {.size = sizeof ev};
		uint64_t in = 0, out = 0;
		uint32_t max = size / 2, count;
		int full = 0;
		for (int i = 0; i < (SLOW ? 30000 : 300000) && !bad; i++) {
			switch (roll(&s) % (i / 1000 % 2 ? 6 : 30)) {
			default:
				if (push(opened, in, max) == PL_OK)
					in++;
				else
					full++;
				break;
			case 0: case 1:
				if (pl_poll(n, &ev) == 1)
					CHECK(is_event(&ev, out, max)), out++;
				else
					CHECK(in == out);
				break;
			case 2: {
				size_t cap = roll(&s) % 8 == 0 ? sizeof buf : roll(&s) % 4096;
				int64_t used = pl_drain(n, buf, cap, &count);
				if (used == PL_E_TOO_LARGE) {
					CHECK(count > cap && in > out);
					break;
				}
				CHECK(used >= 0 && used <= (int64_t)cap && count <= in - out && (count > 0 || in == out || cap == 0));
				CHECK(are_records(buf, used, out, max) == count);
				out += count;
			} break;
			case 3:
				CHECK(readable(n, 0) == (in != out));
				CHECK(pl_wait(n, 0) == (in != out));
				break;
			}
		}
		CHECK(full > 0);
		CHECK(pl_close(n) == PL_OK); /* with events in it */
	}
}

static void tells_of_room(void)
{
	pl_node n = open_node(4096, 4096);
	pl_event ev = {.size = sizeof ev};
	uint64_t in = 0;
	CHECK(plq_out_arm(opened, 1) == 0);
	while (push(opened, in, 50) == PL_OK)
		in++;
	struct pollfd p = {.fd = (int)plq_out_handle(opened), .events = POLLIN};
	int kicked = 0;
	for (uint64_t i = 0; i < in; i++) {
		CHECK(pl_poll(n, &ev) == 1);
		kicked += poll(&p, 1, 0);
		if (i == 2)
			CHECK(kicked == 0); /* not for one record */
	}
	CHECK(pl_poll(n, &ev) == 0);
	CHECK(poll(&p, 1, 0) == 1);
	plq_out_sleep(opened);
	CHECK(poll(&p, 1, 0) == 0);
	CHECK(plq_out_arm(opened, 1) == 1 && plq_out_arm(opened, 1) == 0); /* the kick is told once */
	CHECK(pl_close(n) == PL_OK);
}

/* ---- threads ------------------------------------------------------------------- */

struct flow {
	pl_node n;
	plq_node *q;
	uint64_t events;
	atomic_bool stop;
};

/* Pushes all events, as the Go side would: waits for room on the outbound handle. */
static void *producer(void *arg)
{
	struct flow *f = arg;
	unsigned long long s = 7;
	for (uint64_t i = 0; i < f->events;) {
		if (push(f->q, i, 2000) == PL_OK) {
			i++;
			if (roll(&s) % 64 == 0)
				sched_yield(); /* so that the queue runs empty */
		} else if (plq_out_arm(f->q, 1) == 0) {
			plq_out_sleep(f->q);
		}
	}
	return NULL;
}

/* Takes all events. Only the wake handle (or pl_wait) says when there are some: a
 * lost edge is a time-out, a needless one a wake-up without an event. */
static void consume(struct flow *f, int by_wait, int by_drain)
{
	static unsigned char buf[1 << 16];
	pl_event ev = {.size = sizeof ev};
	uint64_t got = 0, wakes = 0, idle = 0;
	uint32_t count;
	while (got < f->events && !bad) {
		int r = by_wait ? pl_wait(f->n, 10000) : readable(f->n, 10000);
		CHECK(r == 1);
		uint64_t before = got;
		for (int burst = 0; by_drain || burst < 100; burst++) {
			if (by_drain) {
				int64_t used = pl_drain(f->n, buf, sizeof buf, &count);
				CHECK(used >= 0 && are_records(buf, used, got, 2000) == count);
				got += count;
				if (count == 0)
					break;
			} else {
				if (pl_poll(f->n, &ev) != 1)
					break;
				CHECK(is_event(&ev, got, 2000));
				got++;
			}
		}
		wakes++;
		idle += got == before;
	}
	CHECK(got == f->events && idle == 0);
	CHECK(readable(f->n, 0) == 0 && pl_wait(f->n, 0) == 0);
	printf("     %llu events in %llu wake-ups\n", (unsigned long long)got, (unsigned long long)wakes);
}

static void flow(int by_wait, int by_drain)
{
	struct flow f = {.n = open_node(by_drain ? 65536 : 16384, 4096), .q = opened, .events = SLOW ? 200000 : 1000000};
	pthread_t t;
	pthread_create(&t, NULL, producer, &f);
	consume(&f, by_wait, by_drain);
	if (bad)
		exit(finish() | 1); /* the producer may hang */
	pthread_join(t, NULL);
	CHECK(pl_close(f.n) == PL_OK);
}

static void wakes_by_handle_poll(void) { flow(0, 0); }
static void wakes_by_handle_drain(void) { flow(0, 1); }
static void wakes_by_wait_poll(void) { flow(1, 0); }
static void wakes_by_wait_drain(void) { flow(1, 1); }

static atomic_int returned;

static void *wait_forever(void *arg)
{
	int32_t st = pl_wait(*(pl_node *)arg, PL_FOREVER);
	CHECK(st == PL_E_HANDLE);
	atomic_fetch_add(&returned, 1);
	return NULL;
}

static void *wait_peers_forever(void *arg)
{
	int32_t st = pl_wait_peers(*(pl_node *)arg, 5, PL_FOREVER);
	CHECK(st == PL_E_HANDLE);
	atomic_fetch_add(&returned, 1);
	return NULL;
}

static void *close_it(void *arg)
{
	if (pl_close(*(pl_node *)arg) == PL_OK)
		atomic_fetch_add(&returned, 100);
	return NULL;
}

static void close_wakes_waiters(void)
{
	pl_node n = open_node(4096, 4096);
	pl_event ev = {.size = sizeof ev};
	pthread_t t[8];
	atomic_store(&returned, 0);
	pthread_create(&t[0], NULL, wait_forever, &n);
	for (int i = 1; i < 4; i++)
		pthread_create(&t[i], NULL, wait_peers_forever, &n);
	while (pl_poll(n, &ev) != PL_E_BUSY) /* until the first is in pl_wait */
		sched_yield();
	CHECK(pl_wait(n, 0) == PL_E_BUSY);
	for (int i = 4; i < 8; i++)
		pthread_create(&t[i], NULL, close_it, &n); /* one of them closes */
	for (int i = 0; i < 8; i++)
		pthread_join(t[i], NULL);
	CHECK(atomic_load(&returned) == 104);
}

static _Atomic pl_node current;
static atomic_bool done;

/* Calls everything on the node of the moment; only the results that a closing node allows may come. */
static void *hammer(void *arg)
{
	unsigned long long s = 99 + (unsigned long long)(uintptr_t)arg;
	pl_event ev = {.size = sizeof ev};
	unsigned char buf[256];
	pl_peer_info info = {.size = sizeof info};
	pl_peer peers[4];
	uint32_t u;
	while (!atomic_load(&done)) {
		pl_node n = atomic_load(&current);
		int64_t st = 0;
		switch (roll(&s) % 12) {
		case 0: st = pl_poll(n, &ev); break;
		case 1: st = pl_drain(n, buf, sizeof buf, &u); break;
		case 2: st = pl_wait(n, 1); break;
		case 3: st = pl_call(n, PL_PEER_ALL, "f", "[]", 2, 0, 0, NULL); break;
		case 4: st = pl_cancel(n, 1); break;
		case 5: st = pl_reply(n, 1, "1", 1); break;
		case 6: st = pl_peer_find(n, "b", &u); break;
		case 7: st = pl_peer_get(n, 1, &info); break;
		case 8: st = pl_peer_list(n, peers, 4); break;
		case 9: st = pl_wait_peers(n, 1, 0); break;
		case 10: st = pl_call_wait(n, 1, "f", NULL, 0, 0, 0, NULL, NULL, 0, &u); break;
		case 11: st = pl_wake_handle(n); break;
		}
		CHECK(st >= 0 || st == PL_E_HANDLE || st == PL_E_BUSY || st == PL_E_AGAIN || st == PL_E_PEER_NOT_FOUND || st == PL_E_STATE || st == PL_E_TOO_LARGE);
	}
	return NULL;
}

static void survives_close_at_any_time(void)
{
	pthread_t t[4];
	atomic_store(&done, false);
	atomic_store(&current, open_node(4096, 4096));
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, hammer, (void *)(uintptr_t)(i + 1));
	for (int i = 0; i < (SLOW ? 300 : 3000); i++) {
		pl_peer_info info = {.size = sizeof info, .peer = 1, .name = "B", .flags = PL_PEER_UP};
		pl_node old = atomic_load(&current), next = open_node(4096, 4096);
		plq_peer_put(opened, &info);
		push(opened, 1, 500);
		atomic_store(&current, next);
		push(opened, 2, 3000);
		CHECK(pl_close(old) == PL_OK);
	}
	atomic_store(&done, true);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	CHECK(pl_close(atomic_load(&current)) == PL_OK);
}

#define CALLERS 3

struct caller {
	pl_node n;
	uint64_t first, calls;
};

static void *caller(void *arg)
{
	struct caller *c = arg;
	static const char big[3000] = "[1]";
	for (uint64_t i = 0; i < c->calls;) {
		pl_id req;
		int32_t st = pl_call(c->n, PL_PEER_ALL, "fn", big, i % 100 == 0 ? sizeof big : 3, 5, c->first + i, &req);
		if (st == PL_E_AGAIN) {
			sched_yield();
			continue;
		}
		CHECK(st == PL_OK && req != 0);
		i++;
	}
	return NULL;
}

/* Several threads call, one reads as the Go side does: all calls come once, and
 * those of one thread in order. */
static void sends_from_many_threads(void)
{
	pl_node n = open_node(4096, 8192);
	plq_node *q = opened;
	struct caller c[CALLERS];
	pthread_t t[CALLERS];
	uint64_t calls = SLOW ? 20000 : 200000, got = 0, next[CALLERS] = {0};
	static unsigned char buf[4096];
	for (int i = 0; i < CALLERS; i++) {
		c[i] = (struct caller){n, (uint64_t)i << 32, calls};
		pthread_create(&t[i], NULL, caller, &c[i]);
	}
	while (got < CALLERS * calls && !bad) {
		uint32_t count;
		int64_t used = plq_out_drain(q, buf, sizeof buf, &count);
		CHECK(used >= 0);
		for (int64_t at = 0; at < used; got++) {
			pl_record r;
			memcpy(&r, buf + at, sizeof r);
			CHECK(r.type == PLQ_OUT_CALL && r.status == 5 && r.id != 0 && strcmp((char *)buf + at + sizeof r, "fn") == 0);
			CHECK((uint32_t)r.user == next[r.user >> 32]++);
			CHECK(strcmp((char *)buf + at + sizeof r + 8, "[1]") == 0);
			at += r.rec_len;
		}
		if (used == 0 && plq_out_arm(q, 1) == 0)
			plq_out_sleep(q);
	}
	for (int i = 0; i < CALLERS; i++)
		pthread_join(t[i], NULL);
	plq_set_state(q, PLQ_STOPPED);
	CHECK(pl_call(n, PL_PEER_ALL, "f", NULL, 0, 0, 0, NULL) == PL_E_CLOSED);
	CHECK(pl_reply(n, 1, NULL, 0) == PL_OK); /* handlers may still finish */
	CHECK(pl_wait_peers(n, 1, 1000) == PL_E_CLOSED);
	CHECK(pl_close(n) == PL_OK);
}

/* ---- peers ------------------------------------------------------------------------ */

static void put(pl_peer id, const char *name, uint32_t flags)
{
	pl_peer_info info = {.size = sizeof info, .peer = id, .flags = flags};
	snprintf(info.name, sizeof info.name, "%s", name);
	CHECK(plq_peer_put(opened, &info) == PL_OK);
}

static void *put_later(void *arg)
{
	(void)arg;
	nanosleep(&(struct timespec){0, 20000000}, NULL);
	put(50, "late", PL_PEER_UP);
	return NULL;
}

static void finds_peers(void)
{
	pl_node n = open_node(4096, 4096);
	pl_peer p, list[8];
	pl_peer_info info = {.size = sizeof info};
	put(1, "phone", PL_PEER_UP);
	put(2, "Phone", PL_PEER_UP);
	put(3, "B\xc3\xa4r", PL_PEER_UP);             /* Bär */
	put(4, "\xce\xa3\xce\xa9", PL_PEER_UP);       /* ΣΩ */
	put(5, "down", 0);
	put(6, "twin", PL_PEER_UP);
	put(7, "twin", PL_PEER_UP);
	put(8, "bad\xff", PL_PEER_UP);
	CHECK(pl_peer_find(n, "phone", &p) == PL_OK && p == 1);
	CHECK(pl_peer_find(n, "Phone", &p) == PL_OK && p == 2);
	CHECK(pl_peer_find(n, "PHONE", &p) == PL_E_AMBIGUOUS && p == 0);
	CHECK(pl_peer_find(n, "b\xc3\x84R", &p) == PL_OK && p == 3);
	CHECK(pl_peer_find(n, "\xcf\x82\xcf\x89", &p) == PL_OK && p == 4); /* ςω, with the final sigma */
	CHECK(pl_peer_find(n, "down", &p) == PL_E_PEER_NOT_FOUND);
	CHECK(pl_peer_find(n, "twin", &p) == PL_E_AMBIGUOUS && pl_peer_find(n, "Twin", &p) == PL_E_AMBIGUOUS);
	CHECK(pl_peer_find(n, "BAD\xff", &p) == PL_OK && p == 8 && pl_peer_find(n, "bad\xfe", &p) == PL_E_PEER_NOT_FOUND);
	CHECK(pl_peer_find(n, "", &p) == PL_E_PEER_NOT_FOUND && pl_peer_find(n, "phon", &p) == PL_E_PEER_NOT_FOUND);
	CHECK(pl_peer_list(n, NULL, 0) == 7);
	CHECK(pl_peer_list(n, list, 8) == 7 && list[0] == 3 && list[1] == 2 && list[2] == 8 && list[3] == 1 && list[6] == 4);
	CHECK(pl_peer_get(n, 5, &info) == PL_OK && info.flags == 0 && strcmp(info.name, "down") == 0 && info.size == sizeof info);
	put(7, "twin", 0);
	CHECK(pl_peer_find(n, "twin", &p) == PL_OK && p == 6);
	plq_peer_drop(opened, 6);
	CHECK(pl_peer_get(n, 6, &info) == PL_E_PEER_NOT_FOUND && pl_peer_get(n, 7, &info) == PL_OK && pl_peer_list(n, NULL, 0) == 5);
	CHECK(pl_wait_peers(n, 5, 0) == 1 && pl_wait_peers(n, 6, 10) == 0);
	pthread_t t;
	pthread_create(&t, NULL, put_later, NULL);
	CHECK(pl_wait_peers(n, 6, 5000) == 1);
	pthread_join(t, NULL);
	plq_peer_drop(opened, 0);
	CHECK(pl_peer_list(n, NULL, 0) == 0);
	for (pl_peer i = 1; i <= 1000; i++) {
		char name[16];
		snprintf(name, sizeof name, "n%u", (unsigned)(i * 7919 % 1000));
		put(i, name, PL_PEER_UP);
	}
	CHECK(pl_peer_find(n, "n500", &p) == PL_OK && p * 7919 % 1000 == 500 && pl_peer_list(n, NULL, 0) == 1000);
	CHECK(pl_close(n) == PL_OK);
}

/* ---- figures ------------------------------------------------------------------------ */

static void figures(void)
{
	pl_node n = open_node(1 << 20, 1 << 18);
	pl_event ev = {.size = sizeof ev};
	const int k = SLOW ? 1000000 : 20000000;
	double t = now_s();
	for (int i = 0; i < k; i++)
		pl_poll(n, &ev);
	printf("     empty pl_poll %.1f ns", (now_s() - t) / k * 1e9);
	t = now_s();
	for (int i = 0; i < k / 20; i++) {
		pl_record r = {.type = 1, .data_len = 64};
		static const char data[64];
		plq_push(opened, &r, NULL, data);
		pl_poll(n, &ev);
	}
	printf(", push and pl_poll with a wake each %.0f ns", (now_s() - t) / (k / 20) * 1e9);
	double spent = 0;
	int polled = 0;
	for (int i = 0; i < k / 20000; i++) {
		pl_record r = {.type = 1, .data_len = 64};
		static const char data[64];
		for (int j = 0; j < 1000; j++)
			plq_push(opened, &r, NULL, data);
		t = now_s();
		while (pl_poll(n, &ev) == 1)
			polled++;
		spent += now_s() - t;
	}
	printf(", pl_poll of an event %.1f ns\n", spent / polled * 1e9);
	CHECK(pl_close(n) == PL_OK);
}

int main(void)
{
	RUN(refuses_nonsense);
	RUN(waits_for_answers);
	RUN(answers_threads);
	RUN(tells_ports_and_peers);
	RUN(speaks_of_errors);
	RUN(keeps_generations);
	RUN(lays_out_records);
	RUN(wraps_around);
	RUN(tells_of_room);
	RUN(wakes_by_handle_poll);
	RUN(wakes_by_handle_drain);
	RUN(wakes_by_wait_poll);
	RUN(wakes_by_wait_drain);
	RUN(close_wakes_waiters);
	RUN(survives_close_at_any_time);
	RUN(sends_from_many_threads);
	RUN(finds_peers);
	RUN(figures);
	return finish();
}
