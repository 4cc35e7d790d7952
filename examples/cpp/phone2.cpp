// phone2.cpp - calls add on Phone1 when it appears, and takes the answer in a later frame.
//
//	c++ -std=c++17 phone2.cpp -lpeerlink -o phone2 && ./phone2
#include <peerlink.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <thread>

int main()
{
	pl_config cfg;
	pl_config_init(&cfg);
	cfg.name = "Phone2";
	pl_node node;
	if (pl_open(&cfg, &node) < 0 || pl_start(node) < 0)
		return 1;
	for (;;) { // one frame
		pl_event ev{};
		ev.size = sizeof ev;
		while (pl_poll(node, &ev) == 1) {
			if (ev.type == PL_EV_PEER_UP && std::strcmp(ev.name, "Phone1") == 0)
				pl_call(node, ev.peer, "add", "[25,17]", 7, 5000, 0, nullptr);
			if (ev.type == PL_EV_REPLY) {
				std::printf("%s\n", static_cast<const char *>(ev.data)); // the result, or what went wrong
				pl_close(node);
				return ev.status != PL_OK;
			}
		}
		std::this_thread::sleep_for(std::chrono::milliseconds(16)); // draw
	}
}
