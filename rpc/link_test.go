package rpc_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"

	"github.com/wirecall/wirecall/rpc"
)

// A meter is a TCP connection with a Write of its own.
type meter struct {
	*net.TCPConn
	written atomic.Int64
}

func (m *meter) Write(b []byte) (int, error) {
	m.written.Add(int64(len(b)))
	return m.TCPConn.Write(b)
}

// What wraps a socket sees all that is written to it.
func TestWrappedSocketIsNotBypassed(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go server(nil, method("Test.Nop", nil, nop)).Serve(context.Background(), ln)
	sock, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	m := &meter{TCPConn: sock.(*net.TCPConn)}
	conn, err := rpc.NewConn(t.Context(), m, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	before := m.written.Load()
	if err := conn.Call(t.Context(), &rpc.Call{Method: to("Test.Nop")}); err != nil || before == 0 || m.written.Load() == before {
		t.Errorf("%v; %d bytes were written through the wrapper for hello, %d for a call", err, before, m.written.Load()-before)
	}
}
