package rpc

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/wirecall/wirecall/codec"
)

// A cuttable is a link that knows whether it has been cut.
type cuttable struct {
	noLink
	dead bool
}

func (l *cuttable) cut() { l.dead = true }

// detachedSession is a server's that waits for its client.
func detachedSession(ss *sessions) *session {
	cfg := (&DialOptions{}).config()
	cfg.sessions = ss
	cfg.onEnd = ss.ended
	c := newSession(context.Background(), cfg, codec.JSON, noLink{}, modeWirecall)
	ss.open(c, 1<<20, &hello{})
	c.out.detach()
	return c
}

// Where a session's time is over while a new socket takes it up, it has either
// ended before, or lives.
func TestExpiryDuringTakeover(t *testing.T) {
	ss := newSessions(&SessionOptions{})
	for range 5_000 {
		c, l, done := detachedSession(ss), &cuttable{}, make(chan struct{})
		go func() {
			defer close(done)
			c.expire(errSessionLost)
		}()
		err := c.attach(l, 0, 0, nil)
		<-done
		if ended := c.err() != nil; ended != (err != nil) {
			t.Fatalf("attach: %v, and the session: %v", err, c.err())
		}
		c.end(ErrClosed)
	}
}

// A session that ends while it is being detached does not wait for its client.
func TestEndDuringDetach(t *testing.T) {
	ss := newSessions(&SessionOptions{})
	c := detachedSession(ss)
	c.end(errors.New("over"))
	ss.detached(c)
	if ss.waiting.Len() != 0 || ss.bytes != 0 {
		t.Errorf("%d sessions wait, with %d bytes", ss.waiting.Len(), ss.bytes)
	}
}

// A socket that we have cut has failed, whoever hears of it first: coder/websocket,
// which is closed beside it, may know before anybody has read or written in vain.
func TestCutLinkIsBroken(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	l := newLineLink(near, 1<<20, time.Second)
	if l.broken() != nil {
		t.Fatal(l.broken())
	}
	l.cut()
	if !isCut(l, net.ErrClosed) {
		t.Error("the end of a link that was cut is not taken for a cut")
	}
}
