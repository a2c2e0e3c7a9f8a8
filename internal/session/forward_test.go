package session

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/wirecall/wirecall/internal/transport"
	"github.com/wirecall/wirecall/internal/wire"
)

// An asking is a client's socket that has one frame to read, and keeps what is written.
type asking struct {
	firstFrame
	written []string
}

func (a *asking) WriteFrame(frame []byte) error {
	a.written = append(a.written, string(frame))
	return nil
}

// A lateLink is a link that has an answer only after it was closed.
type lateLink struct {
	NoTransport
	asked  func()
	ended  sync.Once
	closed chan struct{}
}

func (l *lateLink) ReadFrame() ([]byte, error) {
	l.asked()
	<-l.closed
	return []byte(`{"jsonrpc":"2.0","id":1,"result":{"received":7}}`), nil
}

func (l *lateLink) Close() { l.ended.Do(func() { close(l.closed) }) }

// A linkedHost has one link.
type linkedHost struct {
	aHost
	link *lateLink
}

func (h linkedHost) DialLink(context.Context, *Opening, string) (transport.Transport, error) {
	return h.link, nil
}

// A client does not get the answer of an owner to which there is no link any more: it
// would take the session for resumed.
func TestAnswerBehindTheEndOfTheLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := &asking{firstFrame: firstFrame{
			frame:   []byte(`{"jsonrpc":"2.0","id":1,"method":"rpc.resume","params":{"session":"n2.a.b","attempt":1,"received":0}}`),
			release: make(chan struct{}), closed: make(chan struct{})}}
		close(client.release)
		set := testSettings()
		set.Identify = func(context.Context) string { return "" }
		set.Registry = NewRegistry(RegistryBounds{}, oneNode{})
		link := &lateLink{closed: make(chan struct{})}
		o := NewOpening(t.Context(), set, linkedHost{link: link}, client, wire.JSON, false)
		link.asked = o.Drain
		go o.Run()
		synctest.Wait()
		if len(client.written) != 1 || !strings.Contains(client.written[0], `"code":-32013`) {
			t.Errorf("the client got %q", client.written)
		}
		client.Close()
	})
}
