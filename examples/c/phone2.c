/* phone2.c - waits for Phone1 and has it add two numbers.
 *
 *	cc phone2.c -lpeerlink -o phone2 && ./phone2
 */
#include <peerlink.h>
#include <stdio.h>

int main(void)
{
	pl_config cfg;
	pl_node node;
	pl_peer phone1;
	char sum[64];
	uint32_t len;
	int32_t status;

	pl_config_init(&cfg);
	cfg.name = "Phone2";
	if (pl_open(&cfg, &node) < 0 || pl_start(node) < 0 || pl_wait_peers(node, 1, 10000) < 1 ||
	    pl_peer_find(node, "Phone1", &phone1) < 0) {
		fprintf(stderr, "phone2: no Phone1 here\n");
		return 1;
	}
	status = pl_call_wait(node, phone1, "add", "[25,17]", 7, 5000, 0, NULL, sum, sizeof sum, &len);
	if (status == PL_OK)
		printf("%.*s\n", (int)len, sum);
	else
		fprintf(stderr, "phone2: %s\n", pl_strstatus(status));
	pl_close(node);
	return status != PL_OK;
}
