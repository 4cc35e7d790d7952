from peerlink import PeerLink

with PeerLink("Phone2", verbose=False) as node:
    node.wait_for_peers()
    print(node.call("Phone1", "add", 25, 17))
