/*
 * plq.c - the part of PeerLink that threads of the application run in.
 *
 * Nothing here enters Go but the functions at the end, and those hold no lock
 * while they do. The order of locks: none is taken while another is held.
 */
#ifndef _WIN32
#define _POSIX_C_SOURCE 200809L
#ifdef __APPLE__
#define _DARWIN_C_SOURCE
#endif
#endif

#include "plq.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* ---- the operating system ---------------------------------------------- */

#ifdef _WIN32
#include <windows.h>

typedef SRWLOCK mutex;
typedef CONDITION_VARIABLE cond;
typedef HANDLE wake;
#define MUTEX_INIT SRWLOCK_INIT
#define COND_INIT CONDITION_VARIABLE_INIT

static void mutex_init(mutex *m) { InitializeSRWLock(m); }
static void mutex_free(mutex *m) { (void)m; }
static void lock(mutex *m) { AcquireSRWLockExclusive(m); }
static bool try_lock(mutex *m) { return TryAcquireSRWLockExclusive(m) != 0; }
static void unlock(mutex *m) { ReleaseSRWLockExclusive(m); }
static void cond_init(cond *c) { InitializeConditionVariable(c); }
static void cond_free(cond *c) { (void)c; }
static void cond_wake(cond *c) { WakeAllConditionVariable(c); }
static void cond_wait(cond *c, mutex *m) { SleepConditionVariableSRW(c, m, INFINITE, 0); }

static uint64_t now_ns(void)
{
	LARGE_INTEGER f, t;
	QueryPerformanceFrequency(&f);
	QueryPerformanceCounter(&t);
	return (uint64_t)(t.QuadPart / f.QuadPart) * 1000000000u +
	       (uint64_t)(t.QuadPart % f.QuadPart) * 1000000000u / (uint64_t)f.QuadPart;
}

static void cond_wait_until(cond *c, mutex *m, uint64_t deadline)
{
	uint64_t now = now_ns();
	uint64_t ms = now < deadline ? (deadline - now + 999999) / 1000000 : 0;
	SleepConditionVariableSRW(c, m, ms < INFINITE ? (DWORD)ms : INFINITE - 1, 0);
}

static int wake_open(wake *w) { return (*w = CreateEvent(NULL, TRUE, FALSE, NULL)) != NULL ? 0 : -1; }
static void wake_close(wake *w) { CloseHandle(*w); }
static void wake_set(wake *w) { SetEvent(*w); }
static void wake_clear(wake *w) { ResetEvent(*w); }
static intptr_t wake_handle(wake *w) { return (intptr_t)*w; }

/* Returns false if the wait ended otherwise than by the handle or the time. */
static bool wake_wait(wake *w, uint32_t ms)
{
	return WaitForSingleObject(*w, ms) != WAIT_FAILED;
}

#else
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/eventfd.h>
#endif

typedef pthread_mutex_t mutex;
typedef pthread_cond_t cond;
typedef struct { int rd, wr; } wake; /* the same descriptor twice if it is an eventfd */
#define MUTEX_INIT PTHREAD_MUTEX_INITIALIZER
#define COND_INIT PTHREAD_COND_INITIALIZER

static void mutex_init(mutex *m) { pthread_mutex_init(m, NULL); }
static void mutex_free(mutex *m) { pthread_mutex_destroy(m); }
static void lock(mutex *m) { pthread_mutex_lock(m); }
static bool try_lock(mutex *m) { return pthread_mutex_trylock(m) == 0; }
static void unlock(mutex *m) { pthread_mutex_unlock(m); }
static void cond_free(cond *c) { pthread_cond_destroy(c); }
static void cond_wake(cond *c) { pthread_cond_broadcast(c); }
static void cond_wait(cond *c, mutex *m) { pthread_cond_wait(c, m); }

static uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void cond_init(cond *c)
{
#ifdef __APPLE__
	pthread_cond_init(c, NULL);
#else
	pthread_condattr_t a;
	pthread_condattr_init(&a);
	pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
	pthread_cond_init(c, &a);
	pthread_condattr_destroy(&a);
#endif
}

static void cond_wait_until(cond *c, mutex *m, uint64_t deadline)
{
#ifdef __APPLE__
	uint64_t now = now_ns(), left = now < deadline ? deadline - now : 0;
	struct timespec t = {(time_t)(left / 1000000000u), (long)(left % 1000000000u)};
	pthread_cond_timedwait_relative_np(c, m, &t);
#else
	struct timespec t = {(time_t)(deadline / 1000000000u), (long)(deadline % 1000000000u)};
	pthread_cond_timedwait(c, m, &t);
#endif
}

static int wake_open(wake *w)
{
#ifdef __linux__
	w->rd = w->wr = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return w->rd < 0 ? -1 : 0;
#else
	int fd[2];
	if (pipe(fd) < 0)
		return -1;
	for (int i = 0; i < 2; i++) {
		fcntl(fd[i], F_SETFD, FD_CLOEXEC);
		fcntl(fd[i], F_SETFL, O_NONBLOCK);
	}
	w->rd = fd[0];
	w->wr = fd[1];
	return 0;
#endif
}

static void wake_close(wake *w)
{
	close(w->rd);
	if (w->wr != w->rd)
		close(w->wr);
}

static void wake_set(wake *w)
{
	uint64_t one = 1;
	ssize_t r;
	do
		r = write(w->wr, &one, sizeof one);
	while (r < 0 && errno == EINTR);
}

static void wake_clear(wake *w)
{
	uint64_t junk[8];
	ssize_t r;
	do
		r = read(w->rd, junk, sizeof junk);
	while (r < 0 && errno == EINTR);
}

static intptr_t wake_handle(wake *w) { return w->rd; }

/* Returns false if the wait ended otherwise than by the handle or the time. */
static bool wake_wait(wake *w, uint32_t ms)
{
	struct pollfd p = {.fd = w->rd, .events = POLLIN};
	return poll(&p, 1, ms == PL_FOREVER ? -1 : ms > INT_MAX ? INT_MAX : (int)ms) >= 0;
}
#endif

/* The time left until deadline in milliseconds, rounded up; 0 when it has passed. */
static uint32_t ms_left(uint64_t deadline)
{
	uint64_t now = now_ns();
	return now < deadline ? (uint32_t)((deadline - now + 999999) / 1000000) : 0;
}

/* ---- errors ------------------------------------------------------------- */

static _Thread_local struct {
	uint32_t len;
	char text[1020];
} last_error;

void plq_set_error(const char *text, size_t len)
{
	if (len >= sizeof last_error.text) {
		len = sizeof last_error.text - 1;
		while (len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80)
			len--; /* not into the middle of a character */
	}
	memcpy(last_error.text, text, len);
	last_error.text[len] = 0;
	last_error.len = (uint32_t)len;
}

static int32_t fail_text(int32_t status, const char *text)
{
	plq_set_error(text, strlen(text));
	return status;
}

static int32_t fail(int32_t status)
{
	return fail_text(status, pl_strstatus(status));
}

const char *pl_strstatus(int32_t status)
{
	switch (status) {
	case PL_E_INTERNAL: return "internal error";
	case PL_E_CLOSED: return "node is closed";
	case PL_E_PEER_NOT_FOUND: return "peer not found";
	case PL_E_AMBIGUOUS: return "name is held by two peers";
	case PL_E_TIMEOUT: return "timed out";
	case PL_E_REMOTE: return "remote error";
	case PL_E_TOO_LARGE: return "too large";
	case PL_E_REFUSED: return "refused";
	case PL_E_OVERLOADED: return "overloaded";
	case PL_E_UNAUTHENTICATED: return "not authenticated";
	case PL_E_NO_HANDLER: return "no handler";
	case PL_E_INVALID: return "invalid argument";
	case PL_E_IO: return "input/output error";
	case PL_E_CANCELED: return "canceled";
	case PL_E_PERMISSION: return "local network denied";
	case PL_E_UNSUPPORTED: return "not supported";
	case PL_E_NAME_CONFLICT: return "name is taken";
	case PL_E_GONE: return "peer is gone";
	case PL_E_HANDLE: return "no such node";
	case PL_E_STATE: return "not in this state";
	case PL_E_AGAIN: return "try again";
	case PL_E_BUSY: return "another thread takes events of this node";
	case PL_E_FORKED: return "the node belongs to the parent process";
	case PL_E_NO_MEMORY: return "out of memory";
	}
	return status >= 0 ? "success" : "unknown error";
}

size_t pl_last_error(char *buf, size_t cap)
{
	if (buf != NULL && cap > 0) {
		size_t n = last_error.len < cap ? last_error.len : cap - 1;
		memcpy(buf, last_error.text, n);
		buf[n] = 0;
	}
	return last_error.len;
}

uint32_t pl_abi(void) { return PL_ABI; }
const char *pl_version(void) { return PLQ_VERSION; }

/* ---- fork ---------------------------------------------------------------- */

/* The child of a fork has one thread and none of Go's: nothing may be tried there. */
static atomic_bool forked;

static inline bool in_child(void) { return atomic_load_explicit(&forked, memory_order_relaxed); }

#ifndef _WIN32
static void after_fork(void) { atomic_store_explicit(&forked, true, memory_order_relaxed); }

__attribute__((constructor)) static void guard_fork(void) { pthread_atfork(NULL, NULL, after_fork); }
#endif

/* ---- rings ---------------------------------------------------------------- */

/* A ring of pl_records with one writer and one reader. head and tail only grow;
 * a record never wraps: the rest of the buffer is skipped by a record of type
 * SKIP, of which only the first 8 bytes exist. A payload of more than a quarter
 * of the ring lies outside, and a pointer to it in the record. */
typedef struct ring {
	unsigned char *buf;
	uint64_t cap;
	_Alignas(64) _Atomic uint64_t tail; /* the writer's */
	_Alignas(64) _Atomic uint64_t head; /* the reader's */
	_Atomic uint64_t outside;           /* bytes of payloads that lie outside */
} ring;

#define SKIP 0xFFFF
#define F_OUTSIDE 0x8000u
#define OUTSIDE_MAX (64u << 20) /* more only one at a time */

_Static_assert(sizeof(pl_record) == 48, "the header promises it");

static inline uint64_t up8(uint64_t n) { return (n + 7) & ~(uint64_t)7; }

/* Where the data of a record begins, and the length of a record that has its data inside. */
static inline uint64_t data_at(const pl_record *r) { return up8(sizeof *r + r->name_len + 1u); }
static inline uint64_t full_len(const pl_record *r) { return data_at(r) + up8(r->data_len + 1ull); }

static bool ring_init(ring *r, uint64_t cap)
{
	r->cap = cap;
	atomic_init(&r->tail, 0);
	atomic_init(&r->head, 0);
	atomic_init(&r->outside, 0);
	return (r->buf = malloc(cap)) != NULL;
}

static inline pl_record *ring_at(ring *r, uint64_t pos) { return (pl_record *)(void *)(r->buf + (pos & (r->cap - 1))); }

static inline unsigned char *outside(const pl_record *rec)
{
	unsigned char *p;
	memcpy(&p, (const unsigned char *)rec + data_at(rec), sizeof p);
	return p;
}

/* Writes one record. name has rec->name_len bytes, data rec->data_len. */
static int32_t ring_push(ring *r, const pl_record *rec, const char *name, const void *data)
{
	bool big = rec->data_len > r->cap / 4;
	uint64_t at = data_at(rec), len = big ? at + 8 : full_len(rec);
	uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
	uint64_t head = atomic_load(&r->head);
	uint64_t rest = r->cap - (tail & (r->cap - 1));
	uint64_t skip = len <= rest ? 0 : rest;
	unsigned char *apart = NULL, *p;

	if (tail + skip + len - head > r->cap)
		return PL_E_AGAIN;
	if (big) {
		uint64_t out = atomic_load_explicit(&r->outside, memory_order_relaxed);
		if (out > 0 && out + rec->data_len > OUTSIDE_MAX)
			return PL_E_AGAIN;
		if ((apart = malloc((size_t)rec->data_len + 1)) == NULL)
			return PL_E_NO_MEMORY;
		memcpy(apart, data, rec->data_len);
		apart[rec->data_len] = 0;
		atomic_fetch_add_explicit(&r->outside, rec->data_len, memory_order_relaxed);
	}
	if (skip > 0) {
		pl_record gap = {.rec_len = (uint32_t)skip, .type = SKIP};
		memcpy(ring_at(r, tail), &gap, 8);
	}
	p = (unsigned char *)ring_at(r, tail + skip);
	memset(p + at - 8, 0, 8);
	memcpy(p, rec, sizeof *rec);
	((pl_record *)(void *)p)->rec_len = (uint32_t)len;
	if (rec->name_len > 0)
		memcpy(p + sizeof *rec, name, rec->name_len);
	p[sizeof *rec + rec->name_len] = 0;
	if (big) {
		((pl_record *)(void *)p)->flags |= F_OUTSIDE;
		memcpy(p + at, &apart, sizeof apart);
	} else {
		memset(p + len - 8, 0, 8);
		if (rec->data_len > 0)
			memcpy(p + at, data, rec->data_len);
	}
	atomic_store(&r->tail, tail + skip + len);
	return PL_OK;
}

/* The record at *pos, or NULL if the ring ends there. Moves *pos over gaps. */
static pl_record *ring_peek(ring *r, uint64_t *pos)
{
	while (*pos != atomic_load_explicit(&r->tail, memory_order_acquire)) {
		pl_record *rec = ring_at(r, *pos);
		if (rec->type != SKIP)
			return rec;
		*pos += rec->rec_len;
	}
	return NULL;
}

/* Gives the room of rec, which is at pos, back to the writer. */
static void ring_free(ring *r, pl_record *rec, uint64_t pos)
{
	if (rec->flags & F_OUTSIDE) {
		free(outside(rec));
		atomic_fetch_sub_explicit(&r->outside, rec->data_len, memory_order_relaxed);
	}
	atomic_store(&r->head, pos + rec->rec_len);
}

/* Copies whole records to buf from *pos on and frees them. Returns the bytes
 * written; PL_E_TOO_LARGE, and in *count the bytes needed, if not even one fits. */
static int64_t ring_drain(ring *r, uint64_t *pos, unsigned char *buf, size_t cap, uint32_t *count)
{
	size_t used = 0;
	uint32_t n = 0;
	pl_record *rec;

	while ((rec = ring_peek(r, pos)) != NULL) {
		uint64_t len = rec->flags & F_OUTSIDE ? full_len(rec) : rec->rec_len;
		if (len > cap - used) {
			if (n == 0) {
				*count = (uint32_t)len;
				return PL_E_TOO_LARGE;
			}
			break;
		}
		if (rec->flags & F_OUTSIDE) {
			memset(buf + used + len - 8, 0, 8);
			memcpy(buf + used, rec, (size_t)data_at(rec));
			memcpy(buf + used + data_at(rec), outside(rec), rec->data_len);
			memcpy(buf + used, &(uint32_t){(uint32_t)len}, 4);
			memcpy(buf + used + offsetof(pl_record, flags), &(uint16_t){(uint16_t)(rec->flags & ~F_OUTSIDE)}, 2);
		} else {
			memcpy(buf + used, rec, (size_t)len);
		}
		used += (size_t)len;
		n++;
		uint64_t at = *pos;
		*pos += rec->rec_len;
		ring_free(r, rec, at);
	}
	*count = n;
	return (int64_t)used;
}

static void ring_destroy(ring *r)
{
	uint64_t pos = atomic_load(&r->head);
	pl_record *rec;
	while (r->buf != NULL && (rec = ring_peek(r, &pos)) != NULL) {
		uint64_t at = pos;
		pos += rec->rec_len;
		ring_free(r, rec, at);
	}
	free(r->buf);
}

/* ---- nodes and handles ----------------------------------------------------- */

/* One entry of the table of nodes. word is generation<<32 | CLOSING | TAKING |
 * the number of threads that are inside of a function of the node. A closed
 * entry has CLOSING set and nobody inside. Entries are never freed, so that a
 * stale handle can be checked without a lock. */
typedef struct slot {
	_Alignas(64) _Atomic uint64_t word;
	atomic_bool signalled; /* the wake handle is set: there are events. Changed under wake_lock */
	atomic_bool held;      /* pl_poll gave out a record that is not freed yet. The consumer's */
	bool used;             /* under table_lock */
	plq_node *node;
} slot;

#define SLOTS 1024u
#define CLOSING 0x80000000u
#define TAKING 0x40000000u
#define INSIDE 0x3FFFFFFFu

/* A call of pl_call_wait, from its begin until its result is taken; under
 * wait_lock. The Go side ends it by plq_done, with the time-out too: also a call
 * that its thread never comes back to ends. */
typedef struct waiting {
	struct waiting *next;
	pl_id id;
	cond ended;
	uint32_t threads;    /* that wait for it now */
	bool done;
	int32_t status;
	uint32_t len;
	unsigned char *data; /* the result, or the text of the error */
} waiting;

#define WAIT_LISTS 64u
#define LEFT_MAX 256u /* calls that pl_call_wait returned from too early */

struct plq_node {
	slot *slot;
	uintptr_t go;

	ring in;
	_Atomic uint64_t seen;  /* up to where events were given out: head, or after the held record */
	bool waited;            /* the consumer was in pl_wait for what it takes now. The consumer's */
	atomic_bool want_room;  /* the Go side waits until the inbound ring has room */
	mutex wake_lock;
	wake in_wake;

	mutex out_lock;         /* the writers of the outbound ring */
	ring out;
	atomic_bool out_asleep, out_kicked;
	wake out_wake;
	_Atomic int32_t state;  /* PLQ_NEW and so on; changes under out_lock */
	_Atomic uint32_t ports; /* UDP<<16 | TCP */
	size_t secret_len;
	char secret[PL_SECRET_MAX]; /* from pl_open, for each start; overwritten by pl_close */
	_Atomic uint64_t next_id;

	mutex wait_lock;
	waiting *waits[WAIT_LISTS]; /* by their ids */
	waiting *spare;
	uint32_t nleft;             /* those of waits that no thread waits for */

	mutex peer_lock;
	cond peer_cond;
	pl_peer_info **peers;   /* all, ordered by pl_peer */
	pl_peer_info **up;      /* those that are up, ordered by name; same capacity */
	uint32_t npeers, nup, capacity;
	char fingerprint[PL_FINGERPRINT_CAP]; /* under peer_lock as well */
};

static slot slots[SLOTS];
static mutex table_lock = MUTEX_INIT;
static cond left_cond = COND_INIT; /* the last thread left a node that is closing */

/* Enters a node, and as its one consumer if flag is TAKING. Every success is
 * followed by leave with the same flag. */
static int32_t enter_as(pl_node h, uint64_t flag, slot **out)
{
	*out = NULL;
	if (in_child())
		return fail(PL_E_FORKED);
	uint32_t i = (uint32_t)h;
	if (i >= SLOTS || h >> 32 == 0)
		return fail(PL_E_HANDLE);
	slot *s = &slots[i];
	uint64_t w = atomic_load(&s->word);
	do {
		if (w >> 32 != h >> 32 || w & CLOSING)
			return fail(PL_E_HANDLE);
		if (w & flag)
			return fail(PL_E_BUSY);
	} while (!atomic_compare_exchange_weak(&s->word, &w, flag ? w | flag : w + 1));
	*out = s;
	return PL_OK;
}

static void leave_as(slot *s, uint64_t flag)
{
	uint64_t w = atomic_fetch_sub(&s->word, flag ? flag : 1);
	if (w & CLOSING) {
		lock(&table_lock);
		cond_wake(&left_cond);
		unlock(&table_lock);
	}
}

static int32_t enter(pl_node h, plq_node **n)
{
	slot *s;
	int32_t st = enter_as(h, 0, &s);
	*n = st == PL_OK ? s->node : NULL;
	return st;
}

static void leave(plq_node *n) { leave_as(n->slot, 0); }

static bool is_closing(plq_node *n) { return (atomic_load(&n->slot->word) & CLOSING) != 0; }

/* ---- inbound events --------------------------------------------------------- */

/* Sets the wake handle if there are events that nobody saw. The writer calls it
 * after it has moved the tail, so that either it finds signalled cleared or the
 * consumer, which clears it, finds the new tail. */
static void alarm_on(plq_node *n)
{
	slot *s = n->slot;
	if (atomic_load(&s->signalled))
		return;
	lock(&n->wake_lock);
	if (!atomic_load(&s->signalled) && atomic_load(&n->in.tail) != atomic_load(&n->seen)) {
		atomic_store(&s->signalled, true);
		wake_set(&n->in_wake);
	}
	unlock(&n->wake_lock);
}

/* Clears the wake handle once the consumer has seen the last event. If it was in
 * pl_wait for that and the lock is held, the writer has just woken it and not got
 * the CPU back. To sleep for that costs two changes of threads: the next pl_wait
 * does it. Whoever sleeps on the handle itself must find it clear. */
static void alarm_off(plq_node *n, bool waited)
{
	slot *s = n->slot;
	if (!waited)
		lock(&n->wake_lock);
	else if (!try_lock(&n->wake_lock))
		return;
	if (atomic_load(&s->signalled) && !is_closing(n)) {
		wake_clear(&n->in_wake);
		atomic_store(&s->signalled, false);
		if (atomic_load(&n->in.tail) != atomic_load(&n->seen)) {
			atomic_store(&s->signalled, true);
			wake_set(&n->in_wake);
		}
	}
	unlock(&n->wake_lock);
}

int32_t plq_push(plq_node *n, const pl_record *rec, const char *name, const void *data)
{
	pl_record r = *rec;
	if (r.name_len > PLQ_NAME_MAX || r.data_len > PLQ_DATA_MAX)
		return PL_E_TOO_LARGE;
	r.flags &= (uint16_t)~F_OUTSIDE;
	r.time_ns = now_ns();
	int32_t st = ring_push(&n->in, &r, name, data);
	if (st == PL_E_AGAIN) {
		atomic_store(&n->want_room, true);
		st = ring_push(&n->in, &r, name, data); /* there may be room since */
	}
	if (st == PL_OK)
		alarm_on(n);
	return st;
}

/* Tells the Go side about room, if it waits for some and half the ring is free. */
static void offer_room(plq_node *n)
{
	if (!atomic_load(&n->want_room))
		return;
	uint64_t used = atomic_load(&n->in.tail) - atomic_load(&n->in.head);
	if (used <= n->in.cap / 2 && atomic_exchange(&n->want_room, false))
		plq_out_kick(n);
}

/* Frees the record that pl_poll gave out last. */
static void let_go(plq_node *n)
{
	if (!atomic_load_explicit(&n->slot->held, memory_order_relaxed))
		return;
	uint64_t pos = atomic_load(&n->in.head);
	pl_record *rec = ring_peek(&n->in, &pos);
	ring_free(&n->in, rec, pos);
	atomic_store_explicit(&n->slot->held, false, memory_order_relaxed);
	offer_room(n);
}

/* Tells, without entering the node, that there is nothing to do for pl_poll. */
static inline bool is_quiet(pl_node h)
{
	uint32_t i = (uint32_t)h;
	if (i >= SLOTS)
		return false;
	slot *s = &slots[i];
	uint64_t w = atomic_load_explicit(&s->word, memory_order_acquire);
	return w >> 32 == h >> 32 && !(w & (CLOSING | TAKING)) && h >> 32 != 0 &&
	       !atomic_load_explicit(&s->signalled, memory_order_acquire) &&
	       !atomic_load_explicit(&s->held, memory_order_relaxed);
}

int32_t pl_poll(pl_node h, pl_event *ev)
{
	if (in_child())
		return fail(PL_E_FORKED);
	if (ev == NULL || ev->size < sizeof *ev)
		return fail_text(PL_E_INVALID, "pl_event.size is not set");
	if (is_quiet(h))
		return 0;
	slot *s;
	int32_t st = enter_as(h, TAKING, &s);
	if (st < 0)
		return st;
	plq_node *n = s->node;
	let_go(n);
	uint64_t pos = atomic_load(&n->seen);
	const pl_record *rec = ring_peek(&n->in, &pos);
	if (rec != NULL) {
		ev->type = rec->type;
		ev->flags = (uint16_t)(rec->flags & ~F_OUTSIDE);
		ev->status = rec->status;
		ev->data_len = rec->data_len;
		ev->id = rec->id;
		ev->user = rec->user;
		ev->time_ns = rec->time_ns;
		ev->peer = rec->peer;
		ev->name_len = rec->name_len;
		ev->aux = rec->aux;
		ev->name = (const char *)(rec + 1);
		ev->data = rec->flags & F_OUTSIDE ? outside(rec) : (const unsigned char *)rec + data_at(rec);
		atomic_store_explicit(&s->held, true, memory_order_relaxed);
		pos += rec->rec_len;
		st = 1;
	}
	atomic_store(&n->seen, pos);
	if (pos == atomic_load(&n->in.tail))
		alarm_off(n, n->waited);
	n->waited = false;
	leave_as(s, TAKING);
	return st;
}

int64_t pl_drain(pl_node h, void *buf, size_t cap, uint32_t *count)
{
	if (in_child())
		return fail(PL_E_FORKED);
	if (count == NULL || (buf == NULL && cap > 0))
		return fail(PL_E_INVALID);
	*count = 0;
	if (is_quiet(h))
		return 0;
	slot *s;
	int32_t st = enter_as(h, TAKING, &s);
	if (st < 0)
		return st;
	plq_node *n = s->node;
	let_go(n);
	uint64_t pos = atomic_load(&n->seen);
	int64_t used = ring_drain(&n->in, &pos, buf, cap, count);
	atomic_store(&n->seen, pos);
	if (pos == atomic_load(&n->in.tail))
		alarm_off(n, n->waited);
	n->waited = false;
	offer_room(n);
	leave_as(s, TAKING);
	return used == PL_E_TOO_LARGE ? fail_text(PL_E_TOO_LARGE, "the buffer is smaller than one event") : used;
}

int32_t pl_wait(pl_node h, uint32_t timeout_ms)
{
	slot *s;
	int32_t st = enter_as(h, TAKING, &s);
	if (st < 0)
		return st;
	plq_node *n = s->node;
	uint64_t deadline = now_ns() + timeout_ms * 1000000ull;
	uint32_t left = timeout_ms;
	for (;;) {
		if (is_closing(n))
			st = fail(PL_E_HANDLE);
		else if (atomic_load(&s->signalled)) { /* not only the ring: pl_poll looks at this, too */
			if (atomic_load(&n->in.tail) == atomic_load(&n->seen)) {
				alarm_off(n, false);
				continue;
			}
			n->waited = true;
			st = 1;
		}
		else if (left == 0 || !wake_wait(&n->in_wake, left))
			st = 0;
		else {
			if (timeout_ms != PL_FOREVER)
				left = ms_left(deadline);
			continue;
		}
		break;
	}
	leave_as(s, TAKING);
	return st;
}

intptr_t pl_wake_handle(pl_node h)
{
	plq_node *n;
	int32_t st = enter(h, &n);
	if (st < 0)
		return st;
	intptr_t w = wake_handle(&n->in_wake);
	leave(n);
	return w;
}

/* ---- outbound ----------------------------------------------------------------- */

void plq_out_kick(plq_node *n)
{
	atomic_store(&n->out_kicked, true);
	if (atomic_exchange(&n->out_asleep, false))
		wake_set(&n->out_wake);
}

int32_t plq_out_arm(plq_node *n, int32_t take)
{
	atomic_store(&n->out_asleep, true);
	bool work = atomic_exchange(&n->out_kicked, false);
	if (take && atomic_load(&n->out.tail) != atomic_load(&n->out.head))
		work = true;
	/* If somebody woke us meanwhile, the handle is set and the next sleep is short. */
	if (work)
		atomic_store(&n->out_asleep, false);
	return work;
}

intptr_t plq_out_handle(plq_node *n) { return wake_handle(&n->out_wake); }

void plq_out_sleep(plq_node *n)
{
	wake_wait(&n->out_wake, PL_FOREVER);
	wake_clear(&n->out_wake);
}

int64_t plq_out_drain(plq_node *n, void *buf, size_t cap, uint32_t *count)
{
	uint64_t pos = atomic_load(&n->out.head);
	return ring_drain(&n->out, &pos, buf, cap, count);
}

void plq_set_state(plq_node *n, int32_t state)
{
	lock(&n->out_lock);
	atomic_store(&n->state, state);
	unlock(&n->out_lock);
	lock(&n->peer_lock);
	cond_wake(&n->peer_cond);
	unlock(&n->peer_lock);
}

void plq_set_ports(plq_node *n, uint16_t udp, uint16_t tcp) { atomic_store(&n->ports, (uint32_t)udp << 16 | tcp); }

void plq_set_fingerprint(plq_node *n, const char *text, size_t len)
{
	lock(&n->peer_lock);
	memset(n->fingerprint, 0, sizeof n->fingerprint);
	memcpy(n->fingerprint, text, len < sizeof n->fingerprint ? len : sizeof n->fingerprint - 1);
	unlock(&n->peer_lock);
}

const char *plq_secret(plq_node *n, size_t *len)
{
	*len = n->secret_len;
	return n->secret;
}

pl_id plq_next_id(plq_node *n) { return atomic_fetch_add_explicit(&n->next_id, 1, memory_order_relaxed) + 1; }

static int32_t not_running(int32_t state)
{
	return state == PLQ_STOPPED ? fail(PL_E_CLOSED) : fail_text(PL_E_STATE, "the node is not started");
}

/* Enqueues one record and wakes the Go side. A call is refused unless the node runs. */
static int32_t out_push(plq_node *n, const pl_record *rec, const char *name, const void *data)
{
	lock(&n->out_lock);
	int32_t state = atomic_load(&n->state);
	int32_t st = rec->type == PLQ_OUT_CALL && state != PLQ_RUNNING ? PL_E_STATE : ring_push(&n->out, rec, name, data);
	unlock(&n->out_lock);
	if (st == PL_E_STATE)
		return not_running(state);
	if (st < 0)
		return st == PL_E_AGAIN ? fail_text(st, "the outbound queue is full") : fail(st);
	if (atomic_exchange(&n->out_asleep, false))
		wake_set(&n->out_wake);
	return PL_OK;
}

/* The length of a name of at most max bytes; 0 if it is NULL, empty or longer. */
static uint16_t name_len(const char *s, size_t max)
{
	size_t n = 0;
	if (s == NULL)
		return 0;
	while (n <= max && s[n] != 0)
		n++;
	return n <= max ? (uint16_t)n : 0;
}

static pl_peer_info *peer_by_id(plq_node *n, pl_peer p);

int32_t pl_call(pl_node h, pl_peer to, const char *fn, const void *args, uint32_t len, uint32_t timeout_ms, uint64_t user, pl_id *req)
{
	plq_node *n;
	int32_t st = enter(h, &n);
	if (st < 0)
		return st;
	pl_record rec = {.type = PLQ_OUT_CALL, .status = (int32_t)timeout_ms, .data_len = len, .user = user, .peer = to,
	                 .name_len = name_len(fn, PLQ_FN_MAX)};
	bool known = to == PL_PEER_ALL;
	if (!known) {
		lock(&n->peer_lock);
		known = peer_by_id(n, to) != NULL;
		unlock(&n->peer_lock);
	}
	if (rec.name_len == 0 || (args == NULL && len > 0))
		st = fail(PL_E_INVALID);
	else if (len > PLQ_DATA_MAX)
		st = fail(PL_E_TOO_LARGE);
	else if (!known && atomic_load(&n->state) == PLQ_RUNNING)
		st = fail(PL_E_PEER_NOT_FOUND);
	else {
		rec.id = plq_next_id(n);
		if (req != NULL)
			*req = rec.id; /* before the answer can come */
		st = out_push(n, &rec, fn, args);
		if (st < 0 && req != NULL)
			*req = 0;
	}
	leave(n);
	return st;
}

static int32_t out_simple(pl_node h, const pl_record *rec, const char *name, const void *data)
{
	plq_node *n;
	int32_t st = enter(h, &n);
	if (st < 0)
		return st;
	if (rec->id == 0 || (data == NULL && rec->data_len > 0))
		st = fail(PL_E_INVALID);
	else if (rec->data_len > PLQ_DATA_MAX)
		st = fail(PL_E_TOO_LARGE);
	else
		st = out_push(n, rec, name, data);
	leave(n);
	return st;
}

int32_t pl_cancel(pl_node h, pl_id req)
{
	return out_simple(h, &(pl_record){.type = PLQ_OUT_CANCEL, .id = req}, NULL, NULL);
}

int32_t pl_reply(pl_node h, pl_id call, const void *result, uint32_t len)
{
	return out_simple(h, &(pl_record){.type = PLQ_OUT_REPLY, .id = call, .data_len = len}, NULL, result);
}

/* Says what is wrong with the arguments of pl_reply_error, or PL_OK. */
static int32_t reply_error_fault(const char *type, size_t message_len)
{
	if (in_child())
		return fail(PL_E_FORKED);
	if (type != NULL && *type != 0 && name_len(type, PLQ_FN_MAX) == 0)
		return fail_text(PL_E_INVALID, "the type of the error is too long");
	return message_len > PLQ_DATA_MAX ? fail(PL_E_TOO_LARGE) : PL_OK;
}

int32_t pl_reply_error(pl_node h, pl_id call, const char *type, const char *message)
{
	size_t len = message != NULL ? strlen(message) : 0;
	int32_t st = reply_error_fault(type, len);
	if (st < 0)
		return st;
	return out_simple(h, &(pl_record){.type = PLQ_OUT_REPLY_ERROR, .id = call, .data_len = (uint32_t)len,
	                  .name_len = name_len(type, PLQ_FN_MAX)}, type, message);
}

/* ---- peers ---------------------------------------------------------------------- */

/* Everything here but the pl_* functions is called with peer_lock held. */

/* The place of p in n->peers, or where it would be. */
static uint32_t peer_place(plq_node *n, pl_peer p)
{
	uint32_t lo = 0, hi = n->npeers;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		if (n->peers[mid]->peer < p)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static pl_peer_info *peer_by_id(plq_node *n, pl_peer p)
{
	uint32_t i = peer_place(n, p);
	return i < n->npeers && n->peers[i]->peer == p ? n->peers[i] : NULL;
}

/* The first place in n->up whose name is not less than name. */
static uint32_t up_place(plq_node *n, const char *name)
{
	uint32_t lo = 0, hi = n->nup;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		if (strcmp(n->up[mid]->name, name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void up_remove(plq_node *n, const pl_peer_info *p)
{
	for (uint32_t i = 0; i < n->nup; i++)
		if (n->up[i] == p) {
			memmove(&n->up[i], &n->up[i + 1], (--n->nup - i) * sizeof *n->up);
			return;
		}
}

static bool peers_grow(plq_node *n)
{
	if (n->npeers < n->capacity)
		return true;
	uint32_t c = n->capacity ? 2 * n->capacity : 16;
	pl_peer_info **a = realloc(n->peers, c * sizeof *a);
	if (a != NULL)
		n->peers = a;
	pl_peer_info **b = realloc(n->up, c * sizeof *b);
	if (b != NULL)
		n->up = b;
	if (a == NULL || b == NULL)
		return false;
	n->capacity = c;
	return true;
}

int32_t plq_peer_put(plq_node *n, const pl_peer_info *info)
{
	int32_t st = PL_OK;
	lock(&n->peer_lock);
	pl_peer_info *p = peer_by_id(n, info->peer);
	if (p == NULL) {
		p = peers_grow(n) ? malloc(sizeof *p) : NULL;
		if (p == NULL) {
			st = PL_E_NO_MEMORY;
		} else {
			uint32_t i = peer_place(n, info->peer);
			memmove(&n->peers[i + 1], &n->peers[i], (n->npeers++ - i) * sizeof *n->peers);
			n->peers[i] = p;
		}
	} else if (p->flags & PL_PEER_UP) {
		up_remove(n, p);
	}
	if (p != NULL) {
		*p = *info;
		if (p->flags & PL_PEER_UP) {
			uint32_t i = up_place(n, p->name);
			memmove(&n->up[i + 1], &n->up[i], (n->nup++ - i) * sizeof *n->up);
			n->up[i] = p;
		}
	}
	cond_wake(&n->peer_cond);
	unlock(&n->peer_lock);
	return st;
}

void plq_peer_drop(plq_node *n, pl_peer p)
{
	lock(&n->peer_lock);
	for (uint32_t i = n->npeers; i-- > 0;)
		if (p == 0 || n->peers[i]->peer == p) {
			up_remove(n, n->peers[i]);
			free(n->peers[i]);
			memmove(&n->peers[i], &n->peers[i + 1], (--n->npeers - i) * sizeof *n->peers);
		}
	unlock(&n->peer_lock);
}

#include "fold.h"

/* The representative of all characters that differ from c only in case. */
static uint32_t fold(uint32_t c)
{
	if (c < 'a')
		return c;
	uint32_t lo = 0, hi = sizeof fold_table / sizeof *fold_table;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		if (fold_table[mid].hi < c)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo < sizeof fold_table / sizeof *fold_table && fold_table[lo].lo <= c && (c - fold_table[lo].lo) % fold_table[lo].step == 0)
		return (uint32_t)((int32_t)c + fold_table[lo].delta);
	return c;
}

/* The next character of a NUL-terminated string; a byte that is not UTF-8 is
 * one that folds to nothing else. */
static uint32_t next_char(const unsigned char **s)
{
	const unsigned char *p = *s;
	uint32_t c = p[0];
	int more = c >= 0xF0 && c < 0xF8 ? 3 : c >= 0xE0 && c < 0xF0 ? 2 : c >= 0xC0 && c < 0xE0 ? 1 : 0;
	*s = p + 1;
	if (c < 0x80)
		return c;
	uint32_t u = more > 0 ? c & (0x3Fu >> more) : 0;
	for (int i = 1; i <= more; i++) {
		if ((p[i] & 0xC0) != 0x80)
			return 0x110000 + c;
		u = u << 6 | (p[i] & 0x3F);
	}
	if (more == 0)
		return 0x110000 + c;
	*s = p + 1 + more;
	return u;
}

static bool equal_fold(const char *a, const char *b)
{
	const unsigned char *p = (const unsigned char *)a, *q = (const unsigned char *)b;
	for (;;) {
		uint32_t c = next_char(&p), d = next_char(&q);
		if (c != d && fold(c) != fold(d))
			return false;
		if (c == 0)
			return true;
	}
}

/* The number of peers that answer to name, and in *out the peer if it is one. */
static uint32_t peers_named(plq_node *n, const char *name, pl_peer *out)
{
	uint32_t hits = 0;
	pl_peer found = 0;
	for (uint32_t i = up_place(n, name); i < n->nup && strcmp(n->up[i]->name, name) == 0; i++, hits++)
		found = n->up[i]->peer;
	for (uint32_t i = 0; hits == 0 && i < n->nup; i++)
		if (equal_fold(n->up[i]->name, name)) {
			for (uint32_t j = i; j < n->nup; j++)
				hits += equal_fold(n->up[j]->name, name);
			found = n->up[i]->peer;
		}
	*out = hits == 1 ? found : 0;
	return hits;
}

int32_t pl_peer_find(pl_node h, const char *name, pl_peer *out)
{
	plq_node *n;
	int32_t st = enter(h, &n);
	if (st < 0)
		return st;
	if (name == NULL || out == NULL) {
		leave(n);
		return fail(PL_E_INVALID);
	}
	lock(&n->peer_lock);
	uint32_t hits = peers_named(n, name, out);
	unlock(&n->peer_lock);
	leave(n);
	return hits == 1 ? PL_OK : fail(hits == 0 ? PL_E_PEER_NOT_FOUND : PL_E_AMBIGUOUS);
}

/* The structs of the first header, without what was added since. */
#define PEER_INFO_MIN offsetof(pl_peer_info, loss_ppm)
#define CONFIG_MIN offsetof(pl_config, allow_legacy)

int32_t pl_peer_get(pl_node h, pl_peer p, pl_peer_info *out)
{
	plq_node *n;
	int32_t st = enter(h, &n);
	if (st < 0)
		return st;
	if (out == NULL || out->size < PEER_INFO_MIN) {
		leave(n);
		return fail_text(PL_E_INVALID, "pl_peer_info.size is not set");
	}
	uint32_t size = out->size;
	lock(&n->peer_lock);
	const pl_peer_info *info = peer_by_id(n, p);
	if (info != NULL)
		memcpy(out, info, size < sizeof *info ? size : sizeof *info);
	unlock(&n->peer_lock);
	out->size = size;
	leave(n);
	return info != NULL ? PL_OK : fail(PL_E_PEER_NOT_FOUND);
}

int32_t pl_peer_list(pl_node h, pl_peer *out, uint32_t cap)
{
	plq_node *n;
	int32_t st = enter(h, &n);
	if (st < 0)
		return st;
	if (out == NULL && cap > 0) {
		leave(n);
		return fail(PL_E_INVALID);
	}
	lock(&n->peer_lock);
	for (uint32_t i = 0; i < n->nup && i < cap; i++)
		out[i] = n->up[i]->peer;
	st = (int32_t)n->nup;
	unlock(&n->peer_lock);
	leave(n);
	return st;
}

/* Waits until ready(n, arg) is not 0, and returns that; 0: timeout. Enters the node. */
static int32_t wait_for_peers(pl_node h, int32_t (*ready)(plq_node *, void *), void *arg, uint32_t timeout_ms)
{
	plq_node *n;
	int32_t st = enter(h, &n);
	if (st < 0)
		return st;
	uint64_t deadline = now_ns() + timeout_ms * 1000000ull;
	lock(&n->peer_lock);
	int32_t state;
	for (;;) {
		state = atomic_load(&n->state);
		if (is_closing(n))
			st = PL_E_HANDLE;
		else if (state != PLQ_RUNNING)
			st = PL_E_STATE;
		else if ((st = ready(n, arg)) == 0 && (timeout_ms == PL_FOREVER || now_ns() < deadline)) {
			if (timeout_ms == PL_FOREVER)
				cond_wait(&n->peer_cond, &n->peer_lock);
			else
				cond_wait_until(&n->peer_cond, &n->peer_lock, deadline);
			continue;
		}
		break;
	}
	unlock(&n->peer_lock);
	leave(n);
	return st >= 0 ? st : st == PL_E_STATE ? not_running(state) : fail(st);
}

static int32_t are_enough(plq_node *n, void *count) { return n->nup >= *(uint32_t *)count; }

int32_t pl_wait_peers(pl_node h, uint32_t count, uint32_t timeout_ms)
{
	return wait_for_peers(h, are_enough, &count, timeout_ms);
}

struct wanted {
	const char *name;
	pl_peer found;
};

static int32_t is_there(plq_node *n, void *arg)
{
	struct wanted *w = arg;
	uint32_t hits = peers_named(n, w->name, &w->found);
	return hits > 1 ? PL_E_AMBIGUOUS : (int32_t)hits;
}

int32_t pl_wait_peer(pl_node h, const char *name, uint32_t timeout_ms, pl_peer *out)
{
	if (in_child())
		return fail(PL_E_FORKED);
	if (name == NULL || out == NULL)
		return fail(PL_E_INVALID);
	struct wanted w = {.name = name};
	int32_t st = wait_for_peers(h, is_there, &w, timeout_ms);
	*out = st == 1 ? w.found : 0;
	return st;
}

/* ---- waiting for answers ------------------------------------------------------------ */

/* Everything here but plq_done and pl_call_wait is called with wait_lock held. */

static waiting **wait_place(plq_node *n, pl_id id)
{
	waiting **at = &n->waits[id % WAIT_LISTS];
	while (*at != NULL && (*at)->id != id)
		at = &(*at)->next;
	return at;
}

/* Takes a call out. Its memory is kept for the next: plq_done may still signal ended. */
static void wait_drop(plq_node *n, waiting **at)
{
	waiting *w = *at;
	*at = w->next;
	free(w->data);
	w->data = NULL;
	w->next = n->spare;
	n->spare = w;
}

static void waits_free(plq_node *n)
{
	for (uint32_t i = 0; i < WAIT_LISTS; i++)
		while (n->waits[i] != NULL)
			wait_drop(n, &n->waits[i]);
	while (n->spare != NULL) {
		waiting *w = n->spare;
		n->spare = w->next;
		cond_free(&w->ended);
		free(w);
	}
}

/* Forgets the oldest call that has ended and that no thread waits for; false if there is none. */
static bool wait_forget(plq_node *n)
{
	waiting **oldest = NULL;
	for (uint32_t i = 0; i < WAIT_LISTS; i++)
		for (waiting **at = &n->waits[i]; *at != NULL; at = &(*at)->next)
			if ((*at)->done && (*at)->threads == 0 && (oldest == NULL || (*at)->id < (*oldest)->id))
				oldest = at;
	if (oldest == NULL)
		return false;
	wait_drop(n, oldest);
	n->nleft--;
	return true;
}

/* Enters a new call. */
static int32_t wait_add(plq_node *n, pl_id *id)
{
	if (n->nleft >= LEFT_MAX && !wait_forget(n))
		return PL_E_OVERLOADED;
	waiting *w = n->spare;
	if (w != NULL) {
		n->spare = w->next;
	} else {
		if ((w = malloc(sizeof *w)) == NULL)
			return PL_E_NO_MEMORY;
		cond_init(&w->ended);
	}
	*id = w->id = plq_next_id(n);
	w->threads = 0;
	w->done = false;
	w->data = NULL;
	w->next = NULL;
	*wait_place(n, w->id) = w;
	n->nleft++; /* until wait_for */
	return PL_OK;
}

void plq_done(plq_node *n, pl_id id, int32_t status, const void *data, size_t len)
{
	unsigned char *copy = len > 0 ? malloc(len) : NULL;
	if (copy != NULL)
		memcpy(copy, data, len);
	lock(&n->wait_lock);
	waiting *w = *wait_place(n, id);
	bool ends = w != NULL && !w->done;
	if (ends) {
		w->done = true;
		w->status = len > 0 && copy == NULL ? PL_E_NO_MEMORY : status;
		w->len = copy != NULL ? (uint32_t)len : 0;
		w->data = copy;
		copy = NULL;
	}
	unlock(&n->wait_lock);
	if (ends)
		cond_wake(&w->ended); /* now, so that who wakes up does not find the lock held */
	free(copy);
}

/* The buffer that pl_call_wait was given. */
struct room {
	void *out;
	uint32_t cap, *len;
	bool again; /* there is an id by which to come back */
};

/* Gives the result of a call that has ended; true if nobody will ask again. */
static bool wait_take(const waiting *w, struct room *r, int32_t *st)
{
	*st = w->status;
	if (w->status < 0) {
		if (w->data != NULL)
			plq_set_error((const char *)w->data, w->len);
		else
			fail(w->status);
		return true;
	}
	*r->len = w->len;
	if (w->len > r->cap) {
		*st = fail_text(PL_E_TOO_LARGE, "the result is larger than the buffer");
		return !r->again;
	}
	if (w->len > 0)
		memcpy(r->out, w->data, w->len);
	return true;
}

/* Waits until the call *id has ended or the slice is over; 0 is no slice. Sets *id to 0 if the call is over. */
static int32_t wait_for(plq_node *n, pl_id *id, uint32_t slice_ms, struct room *r)
{
	int32_t st;
	uint64_t deadline = slice_ms > 0 ? now_ns() + slice_ms * 1000000ull : 0;
	waiting *w = *wait_place(n, *id);
	if (w == NULL)
		return fail_text(PL_E_INVALID, "this call is not waited for");
	n->nleft -= w->threads++ == 0;
	while (!w->done && (slice_ms == 0 || now_ns() < deadline)) {
		if (slice_ms == 0)
			cond_wait(&w->ended, &n->wait_lock);
		else
			cond_wait_until(&w->ended, &n->wait_lock, deadline);
	}
	bool over = false;
	if (w->done)
		over = wait_take(w, r, &st);
	else
		st = fail_text(PL_E_AGAIN, "no answer yet");
	n->nleft += --w->threads == 0;
	if (over)
		*id = 0;
	if (over && w->threads == 0) {
		wait_drop(n, wait_place(n, w->id));
		n->nleft--;
	}
	return st;
}

/* ---- into Go --------------------------------------------------------------------- */

/* What capi.go exports. go is what plgo_open returned; those that fail have set the error text. */
extern int32_t plgo_open(plq_node *n, pl_config *cfg, uintptr_t *go);
extern int32_t plgo_start(uintptr_t go);
extern int32_t plgo_stop(uintptr_t go, uint32_t timeout_ms);
extern void plgo_close(uintptr_t go); /* stops; after it the node is not used any more */
extern void plgo_free(uintptr_t go);  /* nobody is inside any more */
extern int32_t plgo_register(uintptr_t go, char *fn);
extern int32_t plgo_unregister(uintptr_t go, char *fn);
extern int32_t plgo_peer_add(uintptr_t go, char *name, char *addr, uint16_t udp, uint16_t tcp, uint32_t *out);
/* Begins the call id and returns at once. Unless that fails, plq_done follows, which may come before it returns. */
extern int32_t plgo_call_begin(uintptr_t go, uint64_t id, uint32_t to, char *fn, void *args, uint32_t len, uint32_t timeout_ms, uint32_t slice_ms);
extern int32_t plgo_reply(uintptr_t go, uint64_t id, void *result, uint32_t len);
extern int32_t plgo_reply_error(uintptr_t go, uint64_t id, char *type, void *message, uint32_t len);
extern int32_t plgo_call_wanted(uintptr_t go, uint64_t id);
extern int32_t plgo_secret_new(char *buf, size_t cap);

void pl_config_init(pl_config *cfg)
{
	if (cfg == NULL)
		return;
	memset(cfg, 0, sizeof *cfg);
	cfg->size = sizeof *cfg;
	cfg->codec = PL_JSON;
	cfg->inbound_bytes = 1u << 20;
	cfg->outbound_bytes = 256u << 10;
}

/* The length of s, which may be NULL; max + 1 if it is longer than max. */
static size_t text_len(const char *s, size_t max)
{
	size_t n = 0;
	while (s != NULL && n <= max && s[n] != 0)
		n++;
	return n;
}

/* memset that no compiler leaves out. */
static void wipe(void *p, size_t len)
{
	volatile unsigned char *b = p;
	while (len-- > 0)
		*b++ = 0;
}

/* Says what is wrong with cfg, or NULL. */
static const char *config_fault(const pl_config *cfg)
{
	uint32_t in = cfg->inbound_bytes, out = cfg->outbound_bytes;
	if (name_len(cfg->name, 63) == 0)
		return "the name of a node has 1 to 63 bytes";
	if (cfg->flags & ~PL_HIDDEN)
		return "unknown flag in pl_config";
	if (cfg->discovery > PL_DISC_ZEROCONF && cfg->discovery != PL_DISC_OFF)
		return "unknown pl_discovery";
	if (cfg->codec != PL_JSON && cfg->codec != PL_CBOR)
		return "unknown pl_codec";
	if (cfg->log_level > PL_LOG_DEBUG)
		return "unknown pl_log_level";
	if (cfg->allow_legacy > PL_LEGACY_ON)
		return "unknown pl_legacy";
	if (text_len(cfg->secret, PL_SECRET_MAX) > PL_SECRET_MAX)
		return "a secret has at most 1024 bytes";
	if (in < 4096 || in > 1u << 30 || in & (in - 1) || out < 4096 || out > 1u << 30 || out & (out - 1))
		return "the size of a queue is a power of two from 4096 to 1 GiB";
	return NULL;
}

/* Frees what node_new made, and nothing that is not there. */
static void node_free(plq_node *n)
{
	plq_peer_drop(n, 0);
	waits_free(n);
	free(n->peers);
	free(n->up);
	ring_destroy(&n->in);
	ring_destroy(&n->out);
	wake_close(&n->in_wake);
	wake_close(&n->out_wake);
	mutex_free(&n->wake_lock);
	mutex_free(&n->out_lock);
	mutex_free(&n->wait_lock);
	mutex_free(&n->peer_lock);
	cond_free(&n->peer_cond);
	wipe(n->secret, sizeof n->secret);
	free(n);
}

/* calloc aligned to a line of the cache, as ring wants it. */
static plq_node *node_alloc(void)
{
	_Static_assert(sizeof(plq_node) % _Alignof(plq_node) == 0, "");
#ifdef _WIN32
	plq_node *n = _aligned_malloc(sizeof *n, _Alignof(plq_node));
#else
	plq_node *n = aligned_alloc(_Alignof(plq_node), sizeof *n);
#endif
	if (n != NULL)
		memset(n, 0, sizeof *n);
	return n;
}

static plq_node *node_new(const pl_config *cfg, slot *s)
{
	plq_node *n = node_alloc();
	if (n == NULL)
		return NULL;
	if (wake_open(&n->in_wake) < 0) {
		free(n);
		return NULL;
	}
	if (wake_open(&n->out_wake) < 0) {
		wake_close(&n->in_wake);
		free(n);
		return NULL;
	}
	n->slot = s;
	n->secret_len = text_len(cfg->secret, PL_SECRET_MAX);
	if (n->secret_len > 0)
		memcpy(n->secret, cfg->secret, n->secret_len);
	mutex_init(&n->wake_lock);
	mutex_init(&n->out_lock);
	mutex_init(&n->wait_lock);
	mutex_init(&n->peer_lock);
	cond_init(&n->peer_cond);
	bool ok = ring_init(&n->in, cfg->inbound_bytes);
	if (!ring_init(&n->out, cfg->outbound_bytes) || !ok) {
		node_free(n);
		return NULL;
	}
	return n;
}

static slot *slot_take(void)
{
	slot *s = NULL;
	lock(&table_lock);
	for (uint32_t i = 0; i < SLOTS && s == NULL; i++)
		if (!slots[i].used) {
			s = &slots[i];
			s->used = true;
		}
	unlock(&table_lock);
	return s;
}

static void slot_give(slot *s)
{
	s->node = NULL;
	lock(&table_lock);
	s->used = false;
	unlock(&table_lock);
}

int32_t pl_open(const pl_config *cfg, pl_node *out)
{
	if (in_child())
		return fail(PL_E_FORKED);
	if (out != NULL)
		*out = 0;
	if (cfg == NULL || out == NULL || cfg->size < CONFIG_MIN)
		return fail_text(PL_E_INVALID, "pl_config.size is not set");
	pl_config c;
	pl_config_init(&c);
	memcpy(&c, cfg, cfg->size < sizeof c ? cfg->size : sizeof c);
	const char *fault = config_fault(&c);
	if (fault != NULL)
		return fail_text(PL_E_INVALID, fault);
	slot *s = slot_take();
	if (s == NULL)
		return fail_text(PL_E_OVERLOADED, "too many nodes in one process");
	plq_node *n = node_new(&c, s);
	if (n == NULL) {
		slot_give(s);
		return fail(PL_E_NO_MEMORY);
	}
	s->node = n;
	atomic_store(&s->signalled, false);
	atomic_store(&s->held, false);
	int32_t st = plgo_open(n, &c, &n->go);
	if (st < 0) {
		node_free(n);
		slot_give(s);
		return st;
	}
	uint64_t gen = (atomic_load(&s->word) >> 32) + 1;
	if (gen > UINT32_MAX)
		gen = 1;
	atomic_store(&s->word, gen << 32);
	*out = gen << 32 | (uint64_t)(s - slots);
	return PL_OK;
}

int32_t pl_start(pl_node h)
{
	plq_node *n;
	int32_t st = enter(h, &n);
	if (st < 0)
		return st;
	st = plgo_start(n->go);
	leave(n);
	return st;
}

int32_t pl_stop(pl_node h, uint32_t timeout_ms)
{
	plq_node *n;
	int32_t st = enter(h, &n);
	if (st < 0)
		return st;
	st = plgo_stop(n->go, timeout_ms);
	leave(n);
	return st;
}

int32_t pl_close(pl_node h)
{
	plq_node *n;
	int32_t st = enter(h, &n);
	if (st < 0)
		return st;
	slot *s = n->slot;
	if (atomic_fetch_or(&s->word, CLOSING) & CLOSING) {
		leave(n);
		return fail(PL_E_HANDLE); /* another thread was faster */
	}
	lock(&n->wake_lock);
	atomic_store(&s->signalled, true);
	wake_set(&n->in_wake);
	unlock(&n->wake_lock);
	lock(&n->peer_lock);
	cond_wake(&n->peer_cond);
	unlock(&n->peer_lock);

	plgo_close(n->go);
	leave(n);
	lock(&table_lock);
	while (atomic_load(&s->word) & (INSIDE | TAKING))
		cond_wait(&left_cond, &table_lock);
	unlock(&table_lock);
	plgo_free(n->go);
	node_free(n);
	slot_give(s);
	return PL_OK;
}

/* What pl_register and pl_unregister have in common; go is one of the two exports. */
static int32_t with_function(pl_node h, const char *fn, int32_t (*go)(uintptr_t, char *))
{
	plq_node *n;
	int32_t st = enter(h, &n);
	if (st < 0)
		return st;
	if (name_len(fn, PLQ_FN_MAX) == 0)
		st = fail_text(PL_E_INVALID, "the name of a function has 1 to 255 bytes");
	else
		st = go(n->go, (char *)(uintptr_t)fn);
	leave(n);
	return st;
}

int32_t pl_register(pl_node h, const char *fn)
{
	return with_function(h, fn, plgo_register);
}

int32_t pl_unregister(pl_node h, const char *fn)
{
	return with_function(h, fn, plgo_unregister);
}

int32_t pl_peer_add(pl_node h, const char *name, const char *addr, uint16_t udp_port, uint16_t tcp_port, pl_peer *out)
{
	plq_node *n;
	int32_t st = enter(h, &n);
	if (st < 0)
		return st;
	pl_peer p = 0;
	if (out != NULL)
		*out = 0;
	if (name_len(name, 63) == 0 || name_len(addr, 255) == 0 || udp_port == 0)
		st = fail(PL_E_INVALID);
	else
		st = plgo_peer_add(n->go, (char *)(uintptr_t)name, (char *)(uintptr_t)addr, udp_port, tcp_port, &p);
	if (out != NULL)
		*out = p;
	leave(n);
	return st;
}

/* Begins the call that pl_call_wait will wait for. */
static int32_t call_begin(plq_node *n, pl_id *id, pl_peer to, const char *fn, const void *args, uint32_t len, uint32_t timeout_ms, uint32_t slice_ms)
{
	lock(&n->wait_lock);
	int32_t st = wait_add(n, id);
	unlock(&n->wait_lock);
	if (st < 0)
		return fail(st);
	st = plgo_call_begin(n->go, *id, to, (char *)(uintptr_t)fn, (void *)(uintptr_t)args, len, timeout_ms, slice_ms);
	if (st < 0) {
		lock(&n->wait_lock);
		waiting **at = wait_place(n, *id);
		if (*at != NULL) { /* else somebody came with a number it had guessed */
			n->nleft -= (*at)->threads == 0;
			wait_drop(n, at);
		}
		unlock(&n->wait_lock);
		*id = 0;
	}
	return st;
}

int32_t pl_call_wait(pl_node h, pl_peer to, const char *fn, const void *args, uint32_t len, uint32_t timeout_ms, uint32_t slice_ms, pl_id *req, void *out, uint32_t cap, uint32_t *out_len)
{
	plq_node *n;
	int32_t st = enter(h, &n);
	if (st < 0)
		return st;
	pl_id id = req != NULL ? *req : 0;
	struct room room = {out, cap, out_len, req != NULL};
	if (out_len != NULL)
		*out_len = 0;
	if (out_len == NULL || (out == NULL && cap > 0) || (req == NULL && slice_ms > 0) ||
	    (id == 0 && (name_len(fn, PLQ_FN_MAX) == 0 || (args == NULL && len > 0) || to == PL_PEER_ALL || to == 0)))
		st = fail(PL_E_INVALID);
	else if (len > PLQ_DATA_MAX)
		st = fail(PL_E_TOO_LARGE);
	else if (id != 0 || (st = call_begin(n, &id, to, fn, args, len, timeout_ms, slice_ms)) == PL_OK) {
		lock(&n->wait_lock);
		st = wait_for(n, &id, slice_ms, &room);
		unlock(&n->wait_lock);
	}
	if (req != NULL)
		*req = id;
	leave(n);
	return st;
}

int32_t pl_reply_now(pl_node h, pl_id call, const void *result, uint32_t len)
{
	plq_node *n;
	int32_t st = enter(h, &n);
	if (st < 0)
		return st;
	if (call == 0 || (result == NULL && len > 0))
		st = fail(PL_E_INVALID);
	else if (len > PLQ_DATA_MAX)
		st = fail(PL_E_TOO_LARGE);
	else
		st = plgo_reply(n->go, call, (void *)(uintptr_t)result, len);
	leave(n);
	return st;
}

int32_t pl_reply_error_now(pl_node h, pl_id call, const char *type, const char *message)
{
	size_t len = message != NULL ? strlen(message) : 0;
	plq_node *n;
	int32_t st = reply_error_fault(type, len);
	if (st < 0 || (st = enter(h, &n)) < 0)
		return st;
	if (call == 0)
		st = fail(PL_E_INVALID);
	else
		st = plgo_reply_error(n->go, call, (char *)(uintptr_t)(type != NULL ? type : ""), (void *)(uintptr_t)message, (uint32_t)len);
	leave(n);
	return st;
}

int32_t pl_ports(pl_node h, uint16_t *udp, uint16_t *tcp)
{
	plq_node *n;
	int32_t st = enter(h, &n);
	if (st < 0)
		return st;
	int32_t state = atomic_load(&n->state);
	uint32_t ports = atomic_load(&n->ports);
	leave(n);
	if (state != PLQ_RUNNING)
		return not_running(state);
	if (udp != NULL)
		*udp = (uint16_t)(ports >> 16);
	if (tcp != NULL)
		*tcp = (uint16_t)ports;
	return PL_OK;
}

int32_t pl_call_wanted(pl_node h, pl_id call)
{
	plq_node *n;
	int32_t st = enter(h, &n);
	if (st < 0)
		return st;
	st = plgo_call_wanted(n->go, call);
	leave(n);
	return st;
}

int32_t pl_fingerprint(pl_node h, char *buf, size_t cap)
{
	plq_node *n;
	int32_t st = enter(h, &n);
	if (st < 0)
		return st;
	char text[PL_FINGERPRINT_CAP];
	int32_t state = atomic_load(&n->state);
	lock(&n->peer_lock);
	memcpy(text, n->fingerprint, sizeof text);
	unlock(&n->peer_lock);
	leave(n);
	size_t len = strlen(text);
	if (state != PLQ_RUNNING)
		return not_running(state);
	if (buf == NULL || len >= cap)
		return fail(PL_E_TOO_LARGE);
	memcpy(buf, text, len + 1);
	return (int32_t)len;
}

int32_t pl_secret_new(char *buf, size_t cap)
{
	if (in_child())
		return fail(PL_E_FORKED);
	return buf != NULL ? plgo_secret_new(buf, cap) : fail(PL_E_INVALID);
}
