// phone1.cpp - offers add(a, b) from a frame loop: pl_poll never blocks and never allocates.
//
//	c++ -std=c++17 phone1.cpp -lpeerlink -o phone1 && ./phone1
#include <peerlink.h>

#include <chrono>
#include <cstdio>
#include <thread>

static void answer(pl_node node, const pl_event &ev)
{
	int a, b;
	char sum[16];
	if (std::sscanf(static_cast<const char *>(ev.data), "[%d,%d]", &a, &b) == 2)
		pl_reply(node, ev.id, sum, static_cast<uint32_t>(std::snprintf(sum, sizeof sum, "%d", a + b)));
	else
		pl_reply_error(node, ev.id, "TypeError", "add takes two whole numbers");
}

int main()
{
	pl_config cfg;
	pl_config_init(&cfg);
	cfg.name = "Phone1";
	pl_node node;
	if (pl_open(&cfg, &node) < 0 || pl_register(node, "add") < 0 || pl_start(node) < 0)
		return 1;
	for (;;) { // one frame
		pl_event ev{};
		ev.size = sizeof ev;
		while (pl_poll(node, &ev) == 1)
			if (ev.type == PL_EV_CALL)
				answer(node, ev);
		std::this_thread::sleep_for(std::chrono::milliseconds(16)); // draw
	}
}
