// test_cpp.cpp - the header in C++17 without exceptions: a frame loop that serves and calls.
#include "peerlink.h"
#include "port.h"

#include <chrono>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <thread>
#include <type_traits>

static_assert(sizeof(pl_record) == 48);
static_assert(std::is_trivially_copyable_v<pl_event> && std::is_standard_layout_v<pl_peer_info>);

namespace {

// A node that is closed with its scope.
class Node {
public:
	Node(const char *name, uint16_t port)
	{
		pl_config cfg;
		pl_config_init(&cfg);
		cfg.name = name;
		cfg.interfaces = "lo";
		cfg.discovery = PL_DISC_OFF;
		cfg.udp_port = port;
		ok_ = pl_open(&cfg, &node_) == PL_OK && pl_register(node_, "add") == PL_OK && pl_start(node_) == PL_OK;
	}
	~Node() { pl_close(node_); }
	Node(const Node &) = delete;
	Node &operator=(const Node &) = delete;

	bool ok() const { return ok_; }
	pl_node raw() const { return node_; }

	template <class F>
	void dispatch(F &&f)
	{
		pl_event ev{};
		ev.size = sizeof ev;
		while (pl_poll(node_, &ev) == 1)
			f(ev);
	}

private:
	pl_node node_ = 0;
	bool ok_ = false;
};

int run()
{
	const uint16_t port = free_port();
	Node phone1("Phone1", port), phone2("Phone2", 0);
	pl_peer peer = 0;
	if (!phone1.ok() || !phone2.ok() || pl_peer_add(phone2.raw(), "Phone1", "127.0.0.1", port, 0, &peer) != PL_OK)
		return 1;
	constexpr std::string_view args = "[25,17]";
	pl_id req = 0;
	if (pl_call(phone2.raw(), peer, "add", args.data(), static_cast<uint32_t>(args.size()), 2000, 7, &req) != PL_OK)
		return 2;
	int result = 0;
	for (int frame = 0; frame < 2000 && result == 0; frame++) {
		phone1.dispatch([&](const pl_event &ev) {
			int a = 0, b = 0;
			if (ev.type != PL_EV_CALL || std::string_view(ev.name) != "add" || std::string_view(pl_event_caller(&ev)) != "Phone2")
				return;
			if (std::sscanf(static_cast<const char *>(ev.data), "[%d,%d]", &a, &b) == 2) {
				char out[16];
				pl_reply(phone1.raw(), ev.id, out, static_cast<uint32_t>(std::snprintf(out, sizeof out, "%d", a + b)));
			}
		});
		phone2.dispatch([&](const pl_event &ev) {
			if (ev.type == PL_EV_REPLY && ev.id == req && ev.user == 7 && ev.status == PL_OK)
				std::sscanf(static_cast<const char *>(ev.data), "%d", &result);
		});
		std::this_thread::sleep_for(std::chrono::milliseconds(1));
	}
	return result == 42 ? 0 : 3;
}

} // namespace

int main()
{
	const int wrong = run();
	std::printf("%s frame_loop\n%d passed, %d failed\n", wrong ? "FAIL" : "ok  ", !wrong, wrong != 0);
	return wrong;
}
