import threading

from peerlink import PeerLink

with PeerLink("Phone1") as node:
    node.register("add", lambda a, b: a + b)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        pass
