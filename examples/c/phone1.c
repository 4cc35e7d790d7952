/* phone1.c - offers add(a, b) to every node on the network.
 *
 *	cc -Ibuild examples/c/phone1.c -Lbuild -lpeerlink -Wl,-rpath,$PWD/build -o phone1 && ./phone1
 */
#include <peerlink.h>
#include <stdio.h>

int main(void)
{
	pl_config cfg;
	pl_node node;
	pl_event ev = {.size = sizeof ev};

	pl_config_init(&cfg);
	cfg.name = "Phone1";
	if (pl_open(&cfg, &node) < 0 || pl_register(node, "add") < 0 || pl_start(node) < 0) {
		char why[200];
		pl_last_error(why, sizeof why);
		fprintf(stderr, "phone1: %s\n", why);
		return 1;
	}
	while (pl_wait(node, PL_FOREVER) >= 0)
		while (pl_poll(node, &ev) == 1) {
			int a, b, len;
			char sum[16];
			if (ev.type != PL_EV_CALL) /* only add is registered */
				continue;
			if (sscanf(ev.data, "[%d,%d]", &a, &b) != 2) { /* JSON: the array of the arguments */
				pl_reply_error(node, ev.id, "TypeError", "add takes two whole numbers");
				continue;
			}
			len = snprintf(sum, sizeof sum, "%d", a + b);
			pl_reply(node, ev.id, sum, (uint32_t)len);
		}
	return 0;
}
