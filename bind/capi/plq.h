/*
 * plq.h - what plq.c and the Go side of the C interface have in common.
 *
 * plq.c holds every pl_* function, the handles, the two queues of a node and
 * the snapshot of its peers. The Go side fills the inbound queue and the
 * snapshot, empties the outbound queue, and is entered by plgo_*.
 */
#ifndef PLQ_H
#define PLQ_H

#include "peerlink.h"

#define PLQ_VERSION "2.0.0-alpha.1" /* a Go constant compares it with the version of core */
#define PLQ_NAME_MAX 511            /* bytes of name in a record: function, NUL, caller */
#define PLQ_FN_MAX 255              /* bytes in the name of a function or of an error type */
#define PLQ_DATA_MAX 0x40000000u    /* bytes of data in a record */

/* What applications put into the outbound queue, as pl_records. */
enum {
	PLQ_OUT_CALL = 1,        /* id, user, peer, status: timeout_ms as bits; name: function; data: arguments */
	PLQ_OUT_CANCEL = 2,      /* id */
	PLQ_OUT_REPLY = 3,       /* id; data: result */
	PLQ_OUT_REPLY_ERROR = 4  /* id; name: type; data: message */
};

enum { PLQ_NEW = 0, PLQ_RUNNING = 1, PLQ_STOPPED = 2 };

typedef struct plq_node plq_node;

/* Queues one event; rec_len and time_ns are filled in here. PL_E_AGAIN when the
 * queue is full: plq_out_arm will say when there is room. One thread at a time. */
int32_t plq_push(plq_node *n, const pl_record *rec, const char *name, const void *data);
/* Moves whole records of the outbound queue into buf, as pl_drain does. One thread at a time. */
int64_t plq_out_drain(plq_node *n, void *buf, size_t cap, uint32_t *count);
/* Announces that the reader of the outbound queue goes to sleep on the wake
 * handle. Returns 1 if it must not, because there is work; records in the
 * queue are work only if take is set. */
int32_t plq_out_arm(plq_node *n, int32_t take);
/* Wakes the reader of the outbound queue. */
void plq_out_kick(plq_node *n);
/* What the reader sleeps on: becomes readable (Windows: signalled) when there is work. */
intptr_t plq_out_handle(plq_node *n);
/* Sleeps on that handle and clears it; for systems where Go cannot. */
void plq_out_sleep(plq_node *n);

/* Sets PLQ_RUNNING or PLQ_STOPPED. After PLQ_STOPPED no call enters the outbound queue. */
void plq_set_state(plq_node *n, int32_t state);
/* What pl_ports returns. */
void plq_set_ports(plq_node *n, uint16_t udp, uint16_t tcp);
/* What pl_fingerprint returns. */
void plq_set_fingerprint(plq_node *n, const char *text, size_t len);
/* The secret that pl_open copied; valid until pl_close. */
const char *plq_secret(plq_node *n, size_t *len);
/* Ends a call of plgo_call_begin: with its result, or, if status < 0, the text of
 * the error. Copies; never blocks for long. Calls that nobody waits for are ignored. */
void plq_done(plq_node *n, pl_id id, int32_t status, const void *data, size_t len);
/* A number for a call, unique in the node. */
pl_id plq_next_id(plq_node *n);
/* Puts a peer into the snapshot or updates it; PL_PEER_UP in flags says if it is listed. */
int32_t plq_peer_put(plq_node *n, const pl_peer_info *info);
/* Forgets one peer, or all if p is 0. */
void plq_peer_drop(plq_node *n, pl_peer p);
/* Sets the text of pl_last_error for this thread. */
void plq_set_error(const char *text, size_t len);

#endif
