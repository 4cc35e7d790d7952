from peerlink import PeerLink

with PeerLink("Phone2", verbose=False) as node:
    node.wait_for_peer("Phone1")
    print(node.call("Phone1", "add", 25, 17))
