package rpc_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/gen1"
)

// endless is a service of one method, whose stream ends only when it must.
func endless(name string) rpc.Service {
	return streamMethod(name, func(ctx context.Context) gen1.Stream {
		return gen1.Send(func(yield func(int, error) bool) {
			<-ctx.Done()
			yield(0, nil)
		})
	})
}

// The id of a subscription can be guessed. Who ends one that has only just come
// to be does no harm.
func TestUnsubscribeOfGuessedID(t *testing.T) {
	srv := server(nil, endless("Test.Ints"))
	p := lineClient(t, srv)
	go func() {
		for range p.lines {
		}
	}()
	for i := range 2000 {
		p.send(`{"jsonrpc":"2.0","id":1%d,"method":"Test.Ints"}`, i)
		p.send(`{"jsonrpc":"2.0","id":2%d,"method":"rpc.unsubscribe","params":["0x%x"]}`, i, i+1)
		p.send(`{"jsonrpc":"2.0","id":3%d,"method":"rpc.unsubscribe","params":["0x%x"]}`, i, i+1)
	}
	p.conn.Close()
	if err := srv.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// A peer cannot have more streams produced for it than our own limit, whatever
// limit it has told; and the refusal says that the call may have run.
func TestProducedStreamsAreBounded(t *testing.T) {
	for name, connect := range map[string]func(testing.TB, *rpc.Server) *linePeer{"plain": lineClient, "wirecall": greetedLineClient} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := server(&rpc.ServerOptions{Limits: rpc.Limits{Streams: 5}}, endless("Test.Ints"))
				p := connect(t, srv)
				for i := range 5 {
					p.send(`{"jsonrpc":"2.0","id":%d,"method":"Test.Ints"}`, i+2)
					p.receive(`"result"`)
				}
				p.send(`{"jsonrpc":"2.0","id":10,"method":"Test.Ints"}`)
				if line := p.receive("-32005"); strings.Contains(line, `"ran":"no"`) {
					t.Errorf("a call whose handler has run is answered %s", line)
				}
				p.conn.Close()
			})
		})
	}
}
