package rpc

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/internal/contract"
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
	l := newLineLink(near, 1<<20, p.server.config.limits.WriteTimeout)
	holdFor(l.wireConn, &p.took)
	c := newSession(context.Background(), p.server.config, p.server.codecs[0], l, modePlain)
	l.bind(c)
	p.server.admit(c)
	go c.read(l)
	t.Cleanup(func() {
		far.Close()
		p.server.Close()
	})
	io.WriteString(far, `{"jsonrpc":"2.0","id":1,"method":"Fill"}`+"\n")
	return p
}

// holdFor has the system hold what is written through w, and a megabyte before it,
// but for what the peer took.
func holdFor(w *wireConn, took *atomic.Int64) {
	w.unsent = func() int { return 1<<20 + int(w.written.Load()-took.Load()) }
}

// reads has the peer's system take a byte each second.
func (p *slowPeer) reads(seconds int) {
	for range seconds {
		time.Sleep(time.Second)
		p.took.Add(1)
	}
}

// A plain client keeps its subscription, and its connection, for as long as it takes
// something, however long it takes until another write fits; and for no longer.
func TestSlowReaderIsNoStalledOne(t *testing.T) {
	for name, test := range map[string]struct {
		limits Limits
		lost   func(*slowPeer) bool
	}{
		"subscription": {Limits{WriteTimeout: time.Hour, IdleTimeout: time.Hour}, func(p *slowPeer) bool { return len(p.ended) > 0 }},
		"write":        {Limits{WriteTimeout: 4 * time.Second, IdleTimeout: time.Hour}, (*slowPeer).cut},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newSlowPeer(t, test.limits)
				p.reads(300)
				if synctest.Wait(); test.lost(p) {
					t.Fatal("lost by a peer that reads")
				}
				time.Sleep(11 * time.Second)
				if synctest.Wait(); !test.lost(p) {
					t.Error("kept by a peer that does not read")
				}
			})
		})
	}
}

// cut reports whether the connection has ended.
func (p *slowPeer) cut() bool {
	p.server.mu.Lock()
	defer p.server.mu.Unlock()
	return len(p.server.conns) == 0
}

// Who takes something is alive: an answer to a ping would be behind what it has not
// read. Who has taken everything, and answers nothing, is not.
func TestSlowReaderIsNotSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		go io.Copy(io.Discard, far)
		var took atomic.Int64
		l := newLineLink(near, 1<<20, time.Minute)
		holdFor(l.wireConn, &took)
		cfg := (&ConnOptions{Limits: Limits{IdleTimeout: 30 * time.Second}}).config()
		c := newSession(context.Background(), cfg, NewServer(nil).codecs[0], l, modeWirecall)
		l.bind(c)
		c.start()
		for range 600 {
			time.Sleep(time.Second)
			took.Add(1)
		}
		if err := c.err(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if err := c.err(); !errors.Is(err, errSilent) {
			t.Errorf("the peer takes nothing more: %v", err)
		}
		far.Close()
		c.conn.Close()
	})
}
