package session

import (
	"bytes"
	"context"
	"io"
	"runtime"
	"testing"

	"github.com/wirecall/wirecall/internal/transport"
)

// A pingTransport brings pings, and tells which goroutine reads each.
type pingTransport struct {
	transport.Transport
	pings   int
	readers chan string
	before  func()
}

func (p *pingTransport) ReadFrame() ([]byte, error) {
	var stack [64]byte
	id, _, _ := bytes.Cut(stack[:runtime.Stack(stack[:], false)], []byte(" ["))
	p.readers <- string(id)
	if p.pings--; p.pings < 0 {
		return nil, io.EOF
	}
	p.before()
	return []byte(`{"jsonrpc":"2.0","method":"$/ping"}`), nil
}

func (*pingTransport) Wrote() bool                                     { return true }
func (*pingTransport) Pending() bool                                   { return false }
func (*pingTransport) WriteFrame([]byte) error                         { return nil }
func (*pingTransport) Flush(bool) (bool, error)                        { return true, nil }
func (*pingTransport) CloseHandshake(transport.CloseCode, string) bool { return true }
func (*pingTransport) CloseWrite() bool                                { return false }
func (*pingTransport) Close()                                          {}
func (*pingTransport) Err() error                                      { return io.EOF }

// The frame after a silence is followed by a reader with a stack that has not grown.
func TestReaderAfterSilence(t *testing.T) {
	s := idleSession(1)
	p := &pingTransport{pings: 3, readers: make(chan string, 4)}
	p.before = func() { s.reader.silent.Store(p.pings == 1) } // during the second
	go s.Read(p)
	first, second, third, fourth := <-p.readers, <-p.readers, <-p.readers, <-p.readers
	if first != second || second == third || third != fourth {
		t.Errorf("the readers are %s, %s, %s and %s", first, second, third, fourth)
	}
	<-s.Ctx.Done() // the last one has received the end
	if context.Cause(s.Ctx) == nil {
		t.Error("the session ended without a cause")
	}
}
