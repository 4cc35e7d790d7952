import static org.junit.jupiter.api.Assertions.*;

import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import peerlink.*;

/** The surface as Java sees it: errors, null, threads, and what drivers throw. */
class SurfaceTest {
	static final String LOOPBACK =
			"[{\"index\":1,\"name\":\"lo\",\"up\":true,\"loopback\":true,\"addrs\":[\"127.0.0.1/8\"]}]";

	@Test void versionAndJson() throws Exception {
		assertTrue(Peerlink.version().startsWith("2."), Peerlink.version());
		assertEquals("[25, 17]{\"k\": 1}", Peerlink.decodeJSON(Peerlink.encodeJSON("[25,17]{\"k\":1}")));
		Exception e = assertThrows(Exception.class, () -> Peerlink.encodeJSON("["));
		assertEquals(Peerlink.CodeInvalid, Peerlink.errorCode(e.getMessage()), e.getMessage());
		assertThrows(Exception.class, () -> Peerlink.decodeJSON(null));
		assertEquals(0, Peerlink.errorCode(null));
	}

	@Test void nullAndZeroObjects() throws Exception {
		Node none = new Node(null, null);
		Exception e = assertThrows(Exception.class, none::start);
		assertEquals(Peerlink.CodeInvalid, Peerlink.errorCode(e.getMessage()));
		none.stop(0);
		assertEquals(0, none.peers().len());
		assertNull(new PeerList().at(0));
		assertEquals("", new Event().peerName());
		assertEquals(0, new Peer().rttMicros());
		Node nameless = new Node(Peerlink.newConfig(""), event -> {});
		e = assertThrows(Exception.class, nameless::start);
		assertEquals(Peerlink.CodeInvalid, Peerlink.errorCode(e.getMessage()));
	}

	@Test void driversThatThrow() throws Exception {
		Config cfg = Peerlink.newConfig("Alone");
		CountDownLatch failed = new CountDownLatch(1);
		CountDownLatch stopped = new CountDownLatch(1);
		ConcurrentLinkedQueue<String> log = new ConcurrentLinkedQueue<>();
		cfg.setInterfaces(() -> LOOPBACK);
		LinkedBlockingQueue<String> lines = new LinkedBlockingQueue<>();
		cfg.setLogger((level, line) -> { log.add(level + " " + line); lines.add(line); });
		cfg.setMulticastLock(new MulticastLock() {
			public void lock() { throw new SecurityException("no lock"); }
			public void unlock() { log.add("unlock"); }
		});
		cfg.setDiscovery(new Discovery() {
			public void advertise(String type, String name, int port, byte[] txt) { throw new SecurityException("no discovery"); }
			public void browse(String type, DiscoverySink sink) { sink.failed(Peerlink.CodePermission, "denied"); }
			public void stopAll() { throw new IllegalStateException("nobody hears this"); }
		});
		ConcurrentLinkedQueue<Integer> codes = new ConcurrentLinkedQueue<>();
		Node n = new Node(cfg, event -> {
			if (event.kind() == Peerlink.EventDiscoveryFailed) {
				codes.add(event.code());
				if (event.detail().contains("no discovery")) failed.countDown();
			}
			if (event.kind() == Peerlink.EventStopped) stopped.countDown();
			throw new RuntimeException("from OnEvent");
		});
		n.start();
		assertTrue(failed.await(10, TimeUnit.SECONDS));
		n.stop(0);
		assertTrue(stopped.await(10, TimeUnit.SECONDS));
		assertEquals("[" + Peerlink.CodePermission + ", " + Peerlink.CodeIO + "]", codes.toString());
		// The log comes on a thread of its own, its end after EventStopped.
		while (!String.join("\n", log).contains("from OnEvent")) assertNotNull(lines.poll(10, TimeUnit.SECONDS), log::toString);
		String all = String.join("\n", log);
		assertTrue(all.contains("no lock"), all);
		assertFalse(all.contains("unlock"), all);
	}

	@Test void manyThreads() throws Exception {
		Config cfg = Peerlink.newConfig("Busy");
		cfg.setInterfaces(() -> LOOPBACK);
		cfg.setDiscovery(new Discovery() {
			public void advertise(String type, String name, int port, byte[] txt) {}
			public void browse(String type, DiscoverySink sink) {}
			public void stopAll() {}
		});
		Node[] self = new Node[1];
		self[0] = new Node(cfg, event -> {
			if (event.kind() == Peerlink.EventCall) self[0].reply(event.callID(), event.data());
		});
		Node n = self[0];
		n.register("echo");
		n.start();
		Config other = Peerlink.newConfig("Other");
		other.setInterfaces(() -> LOOPBACK);
		other.setDiscovery(new Discovery() {
			public void advertise(String type, String name, int port, byte[] txt) {}
			public void browse(String type, DiscoverySink sink) {}
			public void stopAll() {}
		});
		Node caller = new Node(other, event -> {});
		caller.start();
		caller.addPeer("Busy", "127.0.0.1", n.port());
		ExecutorService threads = Executors.newFixedThreadPool(8);
		ConcurrentLinkedQueue<String> wrong = new ConcurrentLinkedQueue<>();
		for (int t = 0; t < 8; t++) {
			int base = t * 1000;
			threads.submit(() -> {
				for (int i = base; i < base + 200; i++) {
					try {
						String got = Peerlink.decodeJSON(caller.callSync("Busy", "echo", Peerlink.encodeJSON("[" + i + "]"), 10000));
						if (!got.equals("[" + i + "]")) wrong.add(i + " became " + got);
						if (i % 100 == 0) System.gc();
					} catch (Exception e) {
						wrong.add(i + " " + e.getMessage());
					}
				}
			});
		}
		threads.shutdown();
		assertTrue(threads.awaitTermination(60, TimeUnit.SECONDS));
		assertTrue(wrong.isEmpty(), wrong::toString);
		caller.stop(0);
		n.stop(0);
	}
}
