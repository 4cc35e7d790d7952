package peerlink

import (
	"os"
	"slices"
	"strings"

	"github.com/peerlink/peerlink/core/internal/disco"
	"github.com/peerlink/peerlink/core/internal/disco/mdns"
	"github.com/peerlink/peerlink/core/internal/disco/zeroconf"
	"github.com/peerlink/peerlink/core/internal/netio"
)

// The types of discovery, for applications that bring their own: phones hand in
// the system's, NsdManager or Bonjour. What a backend reports is a hint; PeerLink
// trusts none of it.
type (
	Discovery     = disco.Backend  // announces one service and finds others
	DiscoveryEnv  = disco.Env      // what a backend gets from the node
	DiscoverySink = disco.Sink     // takes what a backend sees
	Service       = disco.Service  // what is announced
	Sighting      = disco.Sighting // what was seen of another node
	DownReason    = disco.Reason   // why a node is gone
)

// Why a node is gone.
const (
	Removed = disco.Removed // it said goodbye
	Expired = disco.Expired // it went silent
)

// serviceType is what nodes announce (RFC 6763 §7). It says _tcp although SRV
// holds the UDP port, because peerlink 1.x does.
const (
	serviceType = "_peerlink._tcp"
	// realmType is that of a realm with a secret, so that nodes of 1.x do not list what
	// they cannot call.
	realmType = "_peerlink-n._udp"
)

// MDNS is multicast DNS (RFC 6762, RFC 6763), the default discovery.
func MDNS() Discovery { return mdns.New() }

// Zeroconf is multicast DNS by the library grandcat/zeroconf. It finds peers as
// MDNS does, but notices late that they changed or went.
func Zeroconf() Discovery { return zeroconf.New() }

// An Interface is one network interface with its addresses.
type Interface = netio.Interface

// interfacesEnv restricts SystemInterfaces, for programs whose code one does not
// want to change: "lo" keeps a test on the machine.
const interfacesEnv = "PEERLINK_INTERFACES"

// SystemInterfaces returns the interfaces on which nodes can meet: those that are
// up, have an address and carry multicast, and loopback, over which nodes of one
// machine meet; no tunnels. If the environment variable PEERLINK_INTERFACES is
// set, only the interfaces that it names, separated by commas.
func SystemInterfaces() ([]Interface, error) {
	list, err := netio.Interfaces()
	if err != nil {
		return nil, ioError("list interfaces", err)
	}
	list = slices.DeleteFunc(list, func(i Interface) bool { return !i.Usable() })
	return OnlyInterfaces(list, os.Getenv(interfacesEnv)), nil
}

// OnlyInterfaces returns those of list that names has, separated by commas. No
// names mean all of them.
func OnlyInterfaces(list []Interface, names string) []Interface {
	if names == "" {
		return list
	}
	wanted := strings.Split(strings.ReplaceAll(names, " ", ""), ",")
	return slices.DeleteFunc(slices.Clone(list), func(i Interface) bool {
		return !slices.Contains(wanted, i.Name)
	})
}
