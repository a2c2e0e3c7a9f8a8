package rpc

import (
	"context"
	"errors"
	"testing"

	"github.com/wirecall/wirecall/internal/racing"
	"github.com/wirecall/wirecall/internal/session"
	"github.com/wirecall/wirecall/internal/wire"
)

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
		ended := racing.Meanwhile(i, func() { old.End(errors.New("over")) })
		r.adopt(next)
		<-ended
		if st := conn.State(); st.Phase != Connected || len(r.leaving) > 0 || !r.settled(nil) {
			t.Fatalf("%+v beside %d older sessions", st, len(r.leaving))
		}
		r.end(ErrClosed)
	}
}

func dialedSession(conn *Conn) *session.Session {
	s := session.New(context.Background(), &conn.Settings, wire.JSON, session.NoTransport{}, session.ModeWirecall, (*connEvents)(conn))
	return s
}
