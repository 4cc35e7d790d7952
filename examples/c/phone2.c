#include <peerlink.h>
#include <stdio.h>

int main(void)
{
	pl_config cfg;
	pl_node node;
	pl_peer phone1;
	char sum[64];
	uint32_t len;

	pl_config_init(&cfg);
	cfg.name = "Phone2";
	if (pl_open(&cfg, &node) < 0 || pl_start(node) < 0 || pl_wait_peer(node, "Phone1", 10000, &phone1) < 1 ||
	    pl_call_wait(node, phone1, "add", "[25,17]", 7, 5000, 0, NULL, sum, sizeof sum, &len) < 0)
		return fprintf(stderr, "phone2: no sum from Phone1\n"), 1;
	printf("%.*s\n", (int)len, sum);
	return pl_close(node) < 0;
}
