package people

import (
	"context"
	"net"
	"net/http"
	"sync"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/codec/cbor"
	"github.com/wirecall/wirecall/internal/passthrough"
	"github.com/wirecall/wirecall/rpc"
)

// A gate serves the links that other nodes dial: it passes their calls on to devices of
// this node.
type gate struct {
	server *rpc.Server
	http   *http.Server
	links  *listener
}

func newGate(opts *Options, find func(id string) (*device, error)) *gate {
	g := &gate{links: &listener{conns: make(chan net.Conn), closed: make(chan struct{})}}
	g.server = rpc.NewServer(&rpc.ServerOptions{
		Codecs:   []codec.Codec{cbor.Codec},
		Sessions: &rpc.SessionOptions{Window: resumeTime},
		Limits:   linkLimits,
		Logger:   opts.Logger,
	})
	passthrough.Serve(g.server, func(_ context.Context, id string) (passthrough.Conn, error) {
		d, err := find(id)
		if err != nil {
			return nil, err
		}
		return d, nil
	})
	g.http = &http.Server{Handler: g.server, ReadHeaderTimeout: dialTime}
	go g.http.Serve(g.links)
	return g
}

func (g *gate) serve(link net.Conn) {
	select {
	case g.links.conns <- link:
	case <-g.links.closed:
		link.Close()
	}
}

func (g *gate) close() {
	g.http.Close()
	g.server.Close()
}

// A listener accepts links. It implements net.Listener.
type listener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return linkAddr{} }

// linkAddr is the address of links. It implements net.Addr.
type linkAddr struct{}

func (linkAddr) Network() string { return "link" }
func (linkAddr) String() string  { return "link" }
