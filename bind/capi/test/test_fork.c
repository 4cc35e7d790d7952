/*
 * test_fork.c - the child of a fork gets PL_E_FORKED at once; the parent goes on.
 */
#define _POSIX_C_SOURCE 200809L
#include "peerlink.h"
#include "port.h"
#include "test.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static pl_node n, other;
static pl_peer to;

static void open_nodes(void)
{
	pl_config cfg;
	pl_config_init(&cfg);
	cfg.interfaces = "lo";
	cfg.discovery = PL_DISC_OFF;
	cfg.name = "Other";
	cfg.udp_port = free_port();
	CHECK(pl_open(&cfg, &other) == PL_OK && pl_register(other, "f") == PL_OK && pl_start(other) == PL_OK);
	uint16_t port = cfg.udp_port;
	cfg.name = "Parent";
	cfg.udp_port = 0;
	CHECK(pl_open(&cfg, &n) == PL_OK && pl_start(n) == PL_OK);
	CHECK(pl_peer_add(n, "Other", "127.0.0.1", port, 0, &to) == PL_OK);
}

/* Calls everything; 0 if all of it said PL_E_FORKED within 10 ms. */
static int everything_is_refused(void)
{
	pl_event ev = {.size = sizeof ev};
	pl_peer_info info = {.size = sizeof info};
	pl_config cfg;
	pl_node made = 5;
	pl_id req = 0;
	uint32_t u;
	int wrong = 0;
	double t = now_s();
	pl_config_init(&cfg);
	cfg.name = "Child";
	wrong += pl_open(&cfg, &made) != PL_E_FORKED;
	wrong += pl_start(n) != PL_E_FORKED;
	wrong += pl_stop(n, PL_FOREVER) != PL_E_FORKED;
	wrong += pl_poll(n, &ev) != PL_E_FORKED;
	wrong += pl_poll(n, NULL) != PL_E_FORKED;
	wrong += pl_drain(n, NULL, 0, &u) != PL_E_FORKED;
	wrong += pl_wait(n, PL_FOREVER) != PL_E_FORKED;
	wrong += pl_wake_handle(n) != PL_E_FORKED;
	wrong += pl_call(n, to, "f", NULL, 0, 0, 0, &req) != PL_E_FORKED;
	wrong += pl_cancel(n, 1) != PL_E_FORKED;
	wrong += pl_reply(n, 1, NULL, 0) != PL_E_FORKED;
	wrong += pl_reply_error(n, 1, "T", "m") != PL_E_FORKED;
	wrong += pl_reply_now(n, 1, NULL, 0) != PL_E_FORKED;
	wrong += pl_reply_error_now(n, 1, "T", "m") != PL_E_FORKED;
	wrong += pl_ports(n, NULL, NULL) != PL_E_FORKED;
	wrong += pl_wait_peer(n, "Other", PL_FOREVER, &u) != PL_E_FORKED;
	wrong += pl_register(n, "f") != PL_E_FORKED;
	wrong += pl_unregister(n, "f") != PL_E_FORKED;
	wrong += pl_peer_add(n, "a", "127.0.0.1", 1, 1, NULL) != PL_E_FORKED;
	wrong += pl_peer_find(n, "Other", &u) != PL_E_FORKED;
	wrong += pl_peer_get(n, to, &info) != PL_E_FORKED;
	wrong += pl_peer_list(n, NULL, 0) != PL_E_FORKED;
	wrong += pl_wait_peers(n, 9, PL_FOREVER) != PL_E_FORKED;
	wrong += pl_call_wait(n, to, "f", NULL, 0, 0, 0, NULL, NULL, 0, &u) != PL_E_FORKED;
	wrong += pl_close(n) != PL_E_FORKED;
	wrong += pl_close(0) != PL_E_FORKED;
	wrong += now_s() - t > 0.01;
	wrong += *pl_strstatus(PL_E_FORKED) == 0 || pl_last_error(NULL, 0) == 0 || pl_abi() != PL_ABI || *pl_version() == 0;
	return wrong;
}

static void child_is_refused(void)
{
	for (int i = 0; i < 20; i++) {
		fflush(NULL);
		pid_t child = fork();
		if (child == 0) {
			alarm(5);
			exit(everything_is_refused()); /* with atexit functions: those must not hang either */
		}
		int status = -1;
		REQUIRE(child > 0 && waitpid(child, &status, 0) == child);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
}

static void parent_goes_on(void)
{
	pl_event ev = {.size = sizeof ev};
	uint32_t len;
	pl_id req = 0;
	char out[8];
	CHECK(pl_call_wait(n, to, "f", "[]", 2, 2000, 1, &req, out, sizeof out, &len) == PL_E_AGAIN);
	do
		REQUIRE(pl_wait(other, 2000) == 1 && pl_poll(other, &ev) == 1);
	while (ev.type != PL_EV_CALL);
	CHECK(pl_reply(other, ev.id, "42", 2) == PL_OK);
	CHECK(pl_call_wait(n, to, NULL, NULL, 0, 0, 0, &req, out, sizeof out, &len) == PL_OK && len == 2);
}

static void exec_is_fine(void)
{
	CHECK(system("exit 7") != 0);
}

static void close_nodes(void)
{
	CHECK(pl_close(n) == PL_OK && pl_close(other) == PL_OK);
}

int main(void)
{
	RUN(open_nodes);
	RUN(child_is_refused);
	RUN(parent_goes_on);
	RUN(exec_is_fine);
	RUN(child_is_refused);
	RUN(parent_goes_on);
	RUN(close_nodes);
	return finish();
}
