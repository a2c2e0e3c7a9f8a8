package rpc

import (
	"context"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/internal/contract"
	"github.com/wirecall/wirecall/internal/session"
	"github.com/wirecall/wirecall/internal/transport"
	"github.com/wirecall/wirecall/internal/wire"
)

// A slowPeer is a plain client whose system takes a little now and then, which makes
// no room for a write.
type slowPeer struct {
	conn   net.Conn
	server *Server
	took   atomic.Int64 // bytes
	ended  chan error   // what the producer ended with
}

// newSlowPeer subscribes to more than a connection holds.
func newSlowPeer(t *testing.T, limits Limits) *slowPeer {
	p := &slowPeer{server: NewServer(&ServerOptions{Limits: limits}), ended: make(chan error, 1)}
	p.server.Register(Service{Methods: []*Method{{
		Name: "Fill",
		New:  func() (any, any) { return nil, new(contract.Stream) },
		Serve: func(ctx context.Context, _ any, call *Call) error {
			*call.Result.(*contract.Stream) = produced(func(yield func(string, error) bool) {
				for yield(strings.Repeat("x", 10_000), nil) {
				}
				p.ended <- context.Cause(ctx)
			})
			return nil
		},
	}}})
	near, far := net.Pipe()
	p.conn = far
	held := holding{transport.NewFramed(near, transport.Lines, p.server.config.byteStreamOptions(nil)), &p.took}
	c := session.New(context.Background(), &p.server.config.Settings, wire.JSON, held, session.ModePlain, nil)
	held.Bind(c)
	p.server.admit(c)
	go c.Read(held)
	t.Cleanup(func() {
		far.Close()
		p.server.Close()
	})
	io.WriteString(far, `{"jsonrpc":"2.0","id":1,"method":"Fill"}`+"\n")
	return p
}

// holding is a transport of which the system always holds some, and the peer has taken
// what took says.
type holding struct {
	transport.Transport
	took *atomic.Int64
}

func (h holding) Progress() (taken int64, more bool) { return h.took.Load(), true }

// reads has the peer's system take a byte each second.
func (p *slowPeer) reads(seconds int) {
	for range seconds {
		time.Sleep(time.Second)
		p.took.Add(1)
	}
}

// A plain client keeps its subscription for as long as it takes something, however long
// it takes until another write fits; and for no longer.
func TestSlowReaderIsNoStalledOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newSlowPeer(t, Limits{WriteTimeout: time.Hour, IdleTimeout: time.Hour})
		p.reads(300)
		if synctest.Wait(); len(p.ended) > 0 {
			t.Fatal("lost by a peer that reads")
		}
		time.Sleep(11 * time.Second)
		if synctest.Wait(); len(p.ended) == 0 {
			t.Error("kept by a peer that does not read")
		}
	})
}

// Who takes something is alive: an answer to a ping would be behind what it has not
// read. Who has taken everything, and answers nothing, is not.
func TestSlowReaderIsNotSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		go io.Copy(io.Discard, far)
		var took atomic.Int64
		cfg := (&ConnOptions{Limits: Limits{IdleTimeout: 30 * time.Second}}).config()
		held := holding{transport.NewFramed(near, transport.Lines, cfg.byteStreamOptions(nil)), &took}
		c := session.New(context.Background(), &cfg.Settings, wire.JSON, held, session.ModeWirecall, nil)
		held.Bind(c)
		c.Start()
		for range 600 {
			time.Sleep(time.Second)
			took.Add(1)
		}
		if err := c.Err(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if err := c.Err(); err == nil || !strings.Contains(err.Error(), "silent") {
			t.Errorf("the peer takes nothing more: %v", err)
		}
		far.Close()
		connOf(c).Close()
	})
}
