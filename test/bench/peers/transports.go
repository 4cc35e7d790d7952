//go:build linux

package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

var transports = map[string]transport{"nats": broker{}, "grpc": remote{}}

const maxBlob = 1 << 24

// zeros returns as many as the request says.
func zeros(request []byte) ([]byte, error) {
	if len(request) != 4 {
		return nil, errors.New("a size has 4 bytes")
	}
	return make([]byte, min(binary.BigEndian.Uint32(request), maxBlob)), nil
}

// ask is one call over either.
type ask func(ctx context.Context, function string, request []byte) ([]byte, error)

func (a ask) client() client {
	out := []byte(payload)
	return client{
		echo: func() error { return a.expect("echo", out, len(out)) },
		blob: func(size int) error { return a.expect("blob", binary.BigEndian.AppendUint32(nil, uint32(size)), size) },
	}
}

func (a ask) expect(function string, request []byte, size int) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	b, err := a(ctx, function, request)
	if err == nil && len(b) != size {
		return fmt.Errorf("%d bytes instead of %d", len(b), size)
	}
	return err
}

// all has the callers share one connection.
func (a ask) all(callers int) (clients []client) {
	for range callers {
		clients = append(clients, a.client())
	}
	return clients
}

// broker is NATS, request and reply: the server of NATS runs in the process of the
// handler, and the handler is connected to it inside that process.
type broker struct{}

func (broker) serve(ip netip.Addr) (netip.AddrPort, error) {
	s, err := server.NewServer(&server.Options{Host: ip.String(), Port: server.RANDOM_PORT, NoLog: true, NoSigs: true, MaxPayload: maxBlob})
	if err != nil {
		return netip.AddrPort{}, err
	}
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		return netip.AddrPort{}, errors.New("the server of NATS does not start")
	}
	c, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		return netip.AddrPort{}, err
	}
	_, err1 := c.Subscribe("echo", func(m *nats.Msg) { _ = m.Respond(m.Data) })
	_, err2 := c.Subscribe("blob", func(m *nats.Msg) {
		if b, err := zeros(m.Data); err == nil {
			_ = m.Respond(b)
		}
	})
	return s.Addr().(*net.TCPAddr).AddrPort(), errors.Join(err1, err2, c.Flush())
}

func (broker) connect(to netip.AddrPort, callers int) ([]client, error) {
	c, err := nats.Connect("nats://" + to.String())
	if err != nil {
		return nil, err
	}
	request := ask(func(ctx context.Context, function string, request []byte) ([]byte, error) {
		m, err := c.RequestWithContext(ctx, function, request)
		if err != nil {
			return nil, err
		}
		return m.Data, nil
	})
	return request.all(callers), nil
}

// remote is gRPC-Go, unary calls without TLS. Messages are bytes as they are, which
// spares it protobuf.
type remote struct{}

// bare is a codec of *[]byte.
type bare struct{}

func (bare) Name() string                    { return "bytes" }
func (bare) Marshal(v any) ([]byte, error)   { return *v.(*[]byte), nil }
func (bare) Unmarshal(b []byte, v any) error { *v.(*[]byte) = b; return nil }

const service = "bench"

// method describes a function of bytes to gRPC, as generated code would.
func method(name string, f func([]byte) ([]byte, error)) grpc.MethodDesc {
	return grpc.MethodDesc{MethodName: name, Handler: func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		var in []byte
		if err := decode(&in); err != nil {
			return nil, err
		}
		out, err := f(in)
		return &out, err
	}}
}

func (remote) serve(ip netip.Addr) (netip.AddrPort, error) {
	l, err := net.Listen("tcp4", netip.AddrPortFrom(ip, 0).String())
	if err != nil {
		return netip.AddrPort{}, err
	}
	s := grpc.NewServer(grpc.ForceServerCodec(bare{}))
	s.RegisterService(&grpc.ServiceDesc{ServiceName: service, HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{
		method("echo", func(b []byte) ([]byte, error) { return b, nil }),
		method("blob", zeros),
	}}, struct{}{})
	go func() { _ = s.Serve(l) }()
	return l.Addr().(*net.TCPAddr).AddrPort(), nil
}

func (remote) connect(to netip.AddrPort, callers int) ([]client, error) {
	c, err := grpc.NewClient("passthrough:///"+to.String(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(bare{}), grpc.MaxCallRecvMsgSize(maxBlob)))
	if err != nil {
		return nil, err
	}
	invoke := ask(func(ctx context.Context, function string, request []byte) (reply []byte, err error) {
		err = c.Invoke(ctx, "/"+service+"/"+function, &request, &reply)
		return reply, err
	})
	return invoke.all(callers), nil
}
