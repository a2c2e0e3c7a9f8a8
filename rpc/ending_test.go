package rpc

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/wirecall/wirecall/internal/wire"
)

// A session that is cut while a shutdown comes to it ends, whatever comes first: no
// client can take it up any more, and Shutdown would wait for its window.
func TestCutWhileShutdownBegins(t *testing.T) {
	ss := (&SessionOptions{}).registry()
	for i := range 20_000 {
		c, l := detachedSession(ss), &breaking{}
		c.state.handlers = 1 // that runs until its context ends
		if err := c.attach(l, &resumeParams{}, nil); err != nil {
			t.Fatal(err)
		}
		asked := meanwhile(i, func() { c.goaway(time.Time{}) })
		if !c.detach(l, errTaken) {
			c.gone(l, errTaken)
		}
		<-asked
		if c.stopReading(); c.err() == nil {
			t.Fatal("nobody ends the session")
		}
	}
}

// An older session that ends while the next one is adopted does not make the client
// leave that.
func TestEndWhileTheNextIsAdopted(t *testing.T) {
	d, err := newDialer("tcp://server", &DialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20_000 {
		conn := newConn(d.config)
		r := newRedialer(conn, d, context.Background())
		r.dialing = true
		old, next := dialedSession(conn), dialedSession(conn)
		conn.session.Store(old)
		ended := meanwhile(i, func() { old.end(errors.New("over")) })
		r.adopt(next)
		<-ended
		if st := conn.State(); st.Phase != Connected || len(r.leaving) > 0 || !r.settled(nil) {
			t.Fatalf("%+v beside %d older sessions", st, len(r.leaving))
		}
		r.end(ErrClosed)
	}
}

func dialedSession(conn *Conn) *session {
	s := newSession(context.Background(), &conn.settings, wire.JSON, noTransport{}, modeWirecall, (*connEvents)(conn))
	return s
}

// meanwhile runs f beside its caller, which goes on up to 5 µs after f has begun, as i
// says, so that each order of what the two do comes. What it returns is closed when f
// has returned.
func meanwhile(i int, f func()) (done chan struct{}) {
	done = make(chan struct{})
	begun := make(chan struct{})
	go func() {
		defer close(done)
		close(begun)
		f()
	}()
	<-begun
	for start := time.Now(); time.Since(start) < time.Duration(i%100)*50*time.Nanosecond; {
	}
	return done
}
