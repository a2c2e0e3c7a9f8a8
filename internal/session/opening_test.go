package session

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"

	"github.com/wirecall/wirecall/internal/relay"
	"github.com/wirecall/wirecall/internal/transport"
	"github.com/wirecall/wirecall/internal/wire"
)

// A firstFrame is a transport that has one frame to read, and whose flushes block
// until it is released.
type firstFrame struct {
	NoTransport
	frame   []byte
	release chan struct{}
	closed  chan struct{}
}

func (f *firstFrame) ReadFrame() ([]byte, error) {
	if frame := f.frame; frame != nil {
		f.frame = nil
		return frame, nil
	}
	<-f.closed
	return nil, io.EOF
}

func (f *firstFrame) Flush(bool) (bool, error) {
	<-f.release
	return true, nil
}

func (f *firstFrame) Close() {
	select {
	case <-f.closed:
	default:
		close(f.closed)
	}
}

// aHost takes everything on.
type aHost struct{ took chan *Session }

func (h aHost) AddOpening(*Opening) bool { return true }
func (h aHost) RemoveOpening(*Opening)   {}
func (h aHost) Accept(s *Session)        { h.took <- s }

func (h aHost) DialLink(context.Context, *Opening, string) (transport.Transport, error) {
	return nil, relay.ErrGone
}

// An opening that is ended while a session is about to take its transport, and a flush
// still holds that up, ends that session: the transport is closed.
func TestEndWhileASessionTakesTheTransport(t *testing.T) {
	for name, frame := range map[string]string{
		"hello": `{"jsonrpc":"2.0","id":1,"method":"rpc.hello","params":{"v":1,"calls":1,"streams":1,"message":65536}}`,
		"plain": `{"jsonrpc":"2.0","id":1,"method":"Any"}`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := &firstFrame{frame: []byte(frame), release: make(chan struct{}), closed: make(chan struct{})}
				set := testSettings()
				set.Identify = func(context.Context) string { return "" }
				host := aHost{make(chan *Session, 1)}
				o := NewOpening(t.Context(), set, host, tr, wire.JSON, true)
				o.Kick()
				synctest.Wait() // until the flush blocks the others
				go func() {
					if s, _ := o.Run(); s != nil {
						s.Read(tr)
					}
				}()
				synctest.Wait()
				enough := errors.New("enough")
				o.End(enough, transport.CloseShutdown)
				synctest.Wait()
				close(tr.release)
				<-tr.closed
				if s := <-host.took; !errors.Is(s.Err(), enough) {
					t.Errorf("the session has ended with %v", s.Err())
				}
			})
		})
	}
}
