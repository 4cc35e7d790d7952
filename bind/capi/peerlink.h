/*
 * peerlink.h - the C interface of PeerLink.
 *
 * A node has a name; it calls functions on other nodes by theirs. Everything
 * goes through handles and one queue of events: what arrives for this node
 * waits in C memory until a thread of the application takes it, so a frame
 * loop never runs foreign code and no callback ever comes from a foreign
 * thread.
 *
 *	pl_config cfg;
 *	pl_config_init(&cfg);
 *	cfg.name = "Phone2";
 *	pl_node node;
 *	if (pl_open(&cfg, &node) < 0 || pl_start(node) < 0) ...
 *	pl_wait_peers(node, 1, 5000);
 *
 * C99, and C++ as extern "C". Strings are UTF-8 and NUL-terminated.
 *
 * Threads. Every function may be called from any thread, but only one thread
 * at a time may be in pl_poll, pl_drain or pl_wait of one node: a second one
 * gets PL_E_BUSY. Functions marked [C] never enter Go, never block and never
 * allocate in steady state: they are for frame and audio threads. Functions
 * marked [Go] may block.
 *
 * Processes. A node does not survive fork: in the child every call returns
 * PL_E_FORKED at once. fork followed by exec is fine.
 *
 * Memory. The library copies what it is given before it returns.
 *
 * Privacy. Nodes of this library encrypt all they say to each other. Those that
 * are given the same secret authenticate each other besides, and nobody without
 * it can find, call or overhear them. With nodes of PyPI peerlink 1.x, which can
 * neither, only a node without a secret speaks, unless pl_config.allow_legacy
 * says otherwise.
 *
 * Versions. A struct that begins with its size may get more fields at its end.
 * A program that was compiled with an older header goes on to work: fields that
 * it does not know have their defaults, and are not written.
 */
#ifndef PEERLINK_H
#define PEERLINK_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32) && !defined(PL_STATIC)
#  ifdef PL_BUILD
#    define PL_API __declspec(dllexport)
#  else
#    define PL_API __declspec(dllimport)
#  endif
#elif defined(__GNUC__)
#  define PL_API __attribute__((visibility("default")))
#else
#  define PL_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this interface. pl_abi() returns what the library was built with. */
#define PL_ABI 1u

/* A node. 0 is none. A handle that was closed is refused for ever (PL_E_HANDLE). */
typedef uint64_t pl_node;
/* A call, unique in its node. */
typedef uint64_t pl_id;
/* A peer. The number is never another's. It is known until the node stops, or, if
 * the peer is down, until thousands have come after it. 0 is none. */
typedef uint32_t pl_peer;

#define PL_PEER_ALL 0xFFFFFFFFu /* every peer that is up */
#define PL_FOREVER  0xFFFFFFFFu /* no timeout */

/* What functions return: 0 is success, above 0 a count, below 0 one of these.
 * The values never change. -1 to -63 are the error codes of the Go package
 * (peerlink.Code) with the sign turned; -64 and below exist only here. */
typedef enum pl_status {
	PL_OK = 0,
	PL_E_INTERNAL = -1,         /* a bug in PeerLink; the text says where */
	PL_E_CLOSED = -2,           /* the node was stopped */
	PL_E_PEER_NOT_FOUND = -3,   /* nobody of that name is up */
	PL_E_AMBIGUOUS = -4,        /* two live nodes hold the name */
	PL_E_TIMEOUT = -5,          /* no answer in time; the text tells if the function is still running there */
	PL_E_REMOTE = -6,           /* the handler of the peer failed: its type and message */
	PL_E_TOO_LARGE = -7,        /* larger than the peer can take, or than the buffer given */
	PL_E_REFUSED = -8,          /* the peer refused */
	PL_E_OVERLOADED = -9,       /* too many at once */
	PL_E_UNAUTHENTICATED = -10, /* not of our realm, or not the node that had the name before */
	PL_E_NO_HANDLER = -11,      /* nothing registered under that name; of a 1.x node it is PL_E_REMOTE */
	PL_E_INVALID = -12,         /* an argument is wrong */
	PL_E_IO = -13,              /* the operating system says no: sockets, files */
	PL_E_CANCELED = -14,        /* by pl_cancel; the peer may have run the function nevertheless */
	PL_E_PERMISSION = -15,      /* the operating system denies the local network */
	PL_E_UNSUPPORTED = -16,     /* not in this build, or not with this peer */
	PL_E_NAME_CONFLICT = -17,   /* the name is taken; reserved: such a node is renamed, see PL_EV_RENAMED */
	PL_E_GONE = -18,            /* the peer left, or was restarted, before it answered */
	PL_E_HANDLE = -64,          /* no such node: never opened, or closed */
	PL_E_STATE = -65,           /* not now: not started, or started twice */
	PL_E_AGAIN = -66,           /* the outbound queue is full, or nothing yet: try again */
	PL_E_BUSY = -67,            /* another thread is in pl_poll, pl_drain or pl_wait */
	PL_E_FORKED = -68,          /* the node belongs to the parent process */
	PL_E_NO_MEMORY = -69
} pl_status;

/* The types of events. Unknown ones are to be skipped: later versions add some. */
typedef enum pl_event_type {
	PL_EV_NONE = 0,
	PL_EV_STARTED = 1,
	PL_EV_STOPPED = 2,       /* no peer is up any more; calls have had their PL_EV_REPLY before */
	PL_EV_LOG = 3,           /* aux: pl_log_level; data: one line of text */
	PL_EV_DROPPED = 4,       /* id: how many log lines and calls of peers were lost, because nobody took them */
	PL_EV_RENAMED = 5,       /* another node has our name: ours is announced, and found, under this one. name */

	PL_EV_PEER_UP = 16,      /* peer, name; data: "address:port" */
	PL_EV_PEER_MOVED = 17,   /* the same node at a new address; as PEER_UP */
	PL_EV_PEER_DOWN = 18,    /* peer, name; aux: pl_reason */
	PL_EV_PEER_REPLACED = 19,/* another node under the name; peer: the new one; id: the old one; data: address */

	PL_EV_CALL = 32,         /* a peer calls us. id: for pl_reply; name: the function; pl_event_caller(): who;
	                            peer: 0 if it is not in the peer list; data: a request payload */
	PL_EV_REPLY = 33,        /* the end of a pl_call. id, user, peer, status. data: the result payload, or, if status < 0,
	                            a text; with PL_E_REMOTE name is the type of the error */
	PL_EV_REPLIES_END = 34   /* all peers of a pl_call to PL_PEER_ALL have been reported; id, user */
} pl_event_type;

typedef enum pl_reason {
	PL_REASON_REMOVED = 1,   /* it said goodbye */
	PL_REASON_EXPIRED = 2,   /* it went silent */
	PL_REASON_REPLACED = 3
} pl_reason;

typedef enum pl_log_level { PL_LOG_OFF = 0, PL_LOG_ERROR = 1, PL_LOG_WARN = 2, PL_LOG_INFO = 3, PL_LOG_DEBUG = 4 } pl_log_level;

/* Payloads. A request payload is the array of the positional arguments,
 * followed, if there are keyword arguments, by one map of them:
 *	[25, 17]		[25, 17]{"scale": 2}
 * In CBOR this is a CBOR sequence (RFC 8742). A result payload is one value.
 * JSON is RFC 8259 plus the numbers NaN, Infinity and -Infinity. Payloads of up
 * to 16 MiB go to and come from nodes of this library; with 1.x nodes, what fits
 * into 1200 bytes with what is around it. If both ends use the same codec, nothing
 * in between looks into a payload: whoever gets one checks it. */
typedef enum pl_codec { PL_JSON = 1, PL_CBOR = 2 } pl_codec;

typedef enum pl_discovery {
	PL_DISC_AUTO = 0,        /* what suits the platform: mDNS */
	PL_DISC_MDNS = 1,
	PL_DISC_ZEROCONF = 2,    /* mDNS by grandcat/zeroconf */
	PL_DISC_OFF = 4          /* only peers given by pl_peer_add */
} pl_discovery;

#define PL_HIDDEN 1u             /* pl_config.flags: find and call others without being announced */

/* Whether to speak with PyPI peerlink 1.x nodes, which neither encrypt nor authenticate. */
typedef enum pl_legacy {
	PL_LEGACY_DEFAULT = 0,   /* no if there is a secret, else yes */
	PL_LEGACY_OFF = 1,
	PL_LEGACY_ON = 2         /* find them, call them, and let them call. With a secret, PL_DISC_ZEROCONF does not find them */
} pl_legacy;

#define PL_SECRET_MAX 1024u      /* bytes of pl_config.secret */
#define PL_SECRET_CAP 64u        /* room enough for what pl_secret_new writes */
#define PL_FINGERPRINT_CAP 72u   /* room enough for a fingerprint: 64 hexadecimal digits and a NUL */

typedef struct pl_config {
	uint32_t size;           /* sizeof(pl_config), set by pl_config_init */
	uint32_t flags;          /* PL_HIDDEN */
	const char *name;        /* 1 to 63 bytes */
	const char *interfaces;  /* names separated by commas, such as "lo,eth0"; NULL is all that are usable */
	uint32_t discovery;      /* pl_discovery */
	uint32_t codec;          /* pl_codec: what payloads are given and taken in; default PL_JSON */
	uint16_t udp_port;       /* 0: derived from the name as in 1.x if free, else any */
	uint16_t tcp_port;       /* as udp_port */
	uint32_t inbound_bytes;  /* memory for events not yet taken, a power of two from 4096; default 1 MiB */
	uint32_t outbound_bytes; /* memory for calls and replies not yet sent, a power of two from 4096; default 256 KiB */
	uint32_t log_level;      /* pl_log_level up to which PL_EV_LOG events come; default PL_LOG_OFF */

	uint32_t allow_legacy;   /* pl_legacy */
	const char *secret;      /* what the nodes of a realm share, 1 to 1024 bytes; best of pl_secret_new. Any other text
	                            costs some 0.1 s and 64 MiB at pl_start. NULL or "" is the open realm: encrypted, but
	                            anybody on the network may take part. pl_open copies it and pl_close overwrites the
	                            copy; it is in no text, event or log line */
	const char *state_dir;   /* directory that keeps the key of the node, so that its fingerprint survives a restart; made
	                            if need be, readable by the owner only, for one node. NULL or "": a new key with each start */
} pl_config;

typedef struct pl_event {
	uint32_t size;           /* in: sizeof(pl_event), as the caller was compiled */
	uint16_t type, flags;    /* pl_event_type; flags: PL_F_* */
	int32_t status;          /* pl_status */
	uint32_t data_len;
	pl_id id;
	uint64_t user;           /* what was given to pl_call */
	uint64_t time_ns;        /* monotonic, when the event was queued */
	pl_peer peer;
	uint16_t name_len, aux;
	const char *name;        /* NUL-terminated; valid until the next pl_poll, pl_drain or pl_close of the node */
	const void *data;        /* likewise; followed by a NUL that data_len does not count */
} pl_event;

#define PL_F_NO_CALLER 1u        /* PL_EV_CALL: the request named no caller */
#define PL_F_ENCRYPTED 2u        /* PL_EV_CALL: it came encrypted */
#define PL_F_AUTHENTICATED 4u    /* PL_EV_CALL: the caller has proved that it has our secret */

/* The name the caller of a PL_EV_CALL gave itself. It is a claim, not proof: with
 * PL_F_AUTHENTICATED, that of somebody who has our secret. [C] */
static inline const char *pl_event_caller(const pl_event *ev)
{
	return ev->name_len > ev->aux ? ev->name + ev->aux + 1 : "";
}

/* One record in the buffer of pl_drain, for languages that unpack bytes: 48
 * bytes of header in host byte order, the name, a NUL, zeros up to a multiple
 * of 8, the data, a NUL, zeros up to a multiple of 8; rec_len is all of it.
 * For PL_EV_CALL the name is function NUL caller, and aux the length of function. */
typedef struct pl_record {
	uint32_t rec_len;
	uint16_t type, flags;
	int32_t status;
	uint32_t data_len;
	uint64_t id, user, time_ns;
	uint32_t peer;
	uint16_t name_len, aux;
} pl_record;

typedef struct pl_peer_info {
	uint32_t size;           /* in: sizeof(pl_peer_info) */
	pl_peer peer;
	char id[40];             /* text form of the node's ID */
	char name[64];
	char addr[64];           /* address without the port; IPv6 link-local with its zone */
	uint16_t udp_port, tcp_port;
	uint32_t flags;          /* PL_PEER_* */
	uint32_t rtt_us;         /* round trip in microseconds: smoothed, of a 1.x node that of the last ping; 0 if none */

	uint32_t loss_ppm;       /* packets to the peer that had to be sent again, of a million; 0 for a 1.x node */
	char fingerprint[72];    /* of the peer's key, 64 hexadecimal digits; "" while there is no session */
} pl_peer_info;

#define PL_PEER_UP     1u
#define PL_PEER_LEGACY 2u        /* a PyPI peerlink 1.x node */
#define PL_PEER_STATIC 4u        /* given by pl_peer_add */
#define PL_PEER_ENCRYPTED 8u     /* there is an encrypted session: it is made when the peer is found, or at the first call */
#define PL_PEER_AUTHENTICATED 16u/* the peer has proved that it has our secret; never in the open realm */

/* ---- the library ------------------------------------------------------- */

PL_API uint32_t    pl_abi(void);                          /* [C] */
PL_API const char *pl_version(void);                      /* [C] static text */
PL_API const char *pl_strstatus(int32_t status);          /* [C] static text, never NULL */
/* The text of the last failing call of this thread. Copies at most cap-1
 * bytes and a NUL; returns the length of the whole text. [C] */
PL_API size_t      pl_last_error(char *buf, size_t cap);
/* Makes a secret that cannot be guessed, of 48 characters, and writes it with a NUL.
 * Returns its length; PL_E_TOO_LARGE if cap is less than 49. PL_SECRET_CAP is enough. [Go] */
PL_API int32_t     pl_secret_new(char *buf, size_t cap);

/* ---- lifecycle --------------------------------------------------------- */

PL_API void        pl_config_init(pl_config *cfg);        /* [C] zeros, size and defaults */
/* Makes a node; no network yet. Handlers registered now miss no call. [Go] */
PL_API int32_t     pl_open(const pl_config *cfg, pl_node *out);
/* Binds the sockets and announces the node. Waits for no peer and for no network. PL_E_INVALID if the secret is
 * damaged, PL_E_PERMISSION if others can read the key in state_dir. [Go] */
PL_API int32_t     pl_start(pl_node n);
/* Says goodbye, ends running calls with PL_E_CLOSED; waits up to timeout_ms for handlers. A stopped node can be started again. [Go] */
PL_API int32_t     pl_stop(pl_node n, uint32_t timeout_ms);
/* Stops, wakes a waiting pl_wait, and frees. [Go] */
PL_API int32_t     pl_close(pl_node n);

/* The ports that are bound; each may be NULL. PL_E_STATE before pl_start. [C] */
PL_API int32_t     pl_ports(pl_node n, uint16_t *udp, uint16_t *tcp);
/* Writes the fingerprint of the node's own key, as others see it in pl_peer_info. Returns
 * its length, PL_E_TOO_LARGE if it and a NUL do not fit; PL_E_STATE before pl_start. [C] */
PL_API int32_t     pl_fingerprint(pl_node n, char *buf, size_t cap);

/* ---- inbound events ---------------------------------------------------- */

PL_API int32_t     pl_poll(pl_node n, pl_event *ev);      /* [C] 1: one event, 0: none */
/* Fills buf with whole pl_records. Returns the bytes written and in *count how
 * many; PL_E_TOO_LARGE, and in *count the bytes needed, if not even one fits. [C] */
PL_API int64_t     pl_drain(pl_node n, void *buf, size_t cap, uint32_t *count);
/* 1: an event is there, 0: timeout (a signal counts as one). Blocks, but never enters Go. */
PL_API int32_t     pl_wait(pl_node n, uint32_t timeout_ms);
/* Becomes readable (Windows: signalled) when an event comes into the empty
 * queue, for select, epoll or an event loop. Never read it or close it. [C] */
PL_API intptr_t    pl_wake_handle(pl_node n);

/* ---- outbound ---------------------------------------------------------- */

/* Calls fn on a peer, or on PL_PEER_ALL. The answer comes as PL_EV_REPLY with
 * user and *req. timeout_ms 0 is 5000. No bytes of args are no arguments. [C] */
PL_API int32_t     pl_call(pl_node n, pl_peer to, const char *fn, const void *args, uint32_t len, uint32_t timeout_ms, uint64_t user, pl_id *req);
/* The reply event of req will say PL_E_CANCELED, unless it is already on its way. [C] */
PL_API int32_t     pl_cancel(pl_node n, pl_id req);
/* Answers a PL_EV_CALL. Each call wants exactly one answer; further ones are
 * ignored. No bytes of result are null. A thread of the library sends it. [C] */
PL_API int32_t     pl_reply(pl_node n, pl_id call, const void *result, uint32_t len);
PL_API int32_t     pl_reply_error(pl_node n, pl_id call, const char *type, const char *message); /* [C] */
/* The same, but the calling thread encodes and sends: the caller has its answer
 * sooner, by the time it takes to wake another thread, and this thread pays for
 * it. For threads that serve calls; frame and audio threads take pl_reply. [Go] */
PL_API int32_t     pl_reply_now(pl_node n, pl_id call, const void *result, uint32_t len);
PL_API int32_t     pl_reply_error_now(pl_node n, pl_id call, const char *type, const char *message); /* [Go] */
/* Whether somebody waits for the answer to a PL_EV_CALL: 1, or 0 if it is answered, the
 * caller has canceled it or is gone, or its time is over. It wants an answer all the
 * same. For functions that take long, to ask now and then; of a caller of 1.x nothing is known: 1. [Go] */
PL_API int32_t     pl_call_wanted(pl_node n, pl_id call);
/* Calls of fn become PL_EV_CALL events. Before or after pl_start. [Go] */
PL_API int32_t     pl_register(pl_node n, const char *fn);
PL_API int32_t     pl_unregister(pl_node n, const char *fn);                                      /* [Go] */
/* Names a peer that discovery cannot find. addr is an IP address or a host name; tcp_port 0 is udp_port. [Go] */
PL_API int32_t     pl_peer_add(pl_node n, const char *name, const char *addr, uint16_t udp_port, uint16_t tcp_port, pl_peer *out);

/* ---- peers: a snapshot in C memory ------------------------------------- */

/* The peer that holds name: the exact name, else a unique one that differs
 * only in case. PL_E_PEER_NOT_FOUND, PL_E_AMBIGUOUS. [C] */
PL_API int32_t     pl_peer_find(pl_node n, const char *name, pl_peer *out);
PL_API int32_t     pl_peer_get(pl_node n, pl_peer p, pl_peer_info *out);                          /* [C] */
/* Writes up to cap peers that are up, ordered by name; returns how many there are. [C] */
PL_API int32_t     pl_peer_list(pl_node n, pl_peer *out, uint32_t cap);

/* ---- blocking conveniences: never on a frame, audio or UI thread ------- */

/* Calls and waits; only the start enters Go. Starts the call if *req is 0 (req may be NULL if slice_ms
 * is 0), and returns after slice_ms at the latest (0: no slices) with
 * PL_E_AGAIN: call again with the same *req to wait on, or pl_cancel it. On
 * PL_OK, *out_len bytes of result are in out. PL_E_TOO_LARGE with *out_len
 * above cap: call again with the same *req and a larger buffer. Anything else
 * ends the call and sets *req to 0. On PL_E_REMOTE pl_last_error is
 * "Type: message". [Go] */
PL_API int32_t     pl_call_wait(pl_node n, pl_peer to, const char *fn, const void *args, uint32_t len, uint32_t timeout_ms, uint32_t slice_ms, pl_id *req, void *out, uint32_t cap, uint32_t *out_len);
/* 1: at least count peers are up, 0: timeout. Blocks, but never enters Go. The node is started. */
PL_API int32_t     pl_wait_peers(pl_node n, uint32_t count, uint32_t timeout_ms);
/* 1: the peer that holds name, as pl_peer_find has it, is up and in *out; 0:
 * timeout. Blocks, but never enters Go. The node is started. */
PL_API int32_t     pl_wait_peer(pl_node n, const char *name, uint32_t timeout_ms, pl_peer *out);

#ifdef __cplusplus
}
#endif
#endif
