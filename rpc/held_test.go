package rpc

import (
	"context"
	"fmt"
	"iter"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wirecall/wirecall/internal/contract"
	"github.com/wirecall/wirecall/internal/session"
)

// pumps are how large the buffers are of the streams that the only connection of srv
// produces.
func pumps(srv *Server) (sizes []int) {
	for c := range srv.conns {
		sizes = append(sizes, session.ProducerBuffers(c)...)
	}
	return sizes
}

// streamsOf is a server of a method whose result is a stream of items of the given
// sizes, which then stays open.
func streamsOf(sizes ...int) *Server {
	srv := NewServer(nil)
	srv.Register(Service{Name: "Test", Methods: []*Method{{Name: "Test.Stream", New: func() (any, any) { return nil, new(contract.Stream) }, Serve: func(ctx context.Context, _ any, c *Call) error {
		var seq iter.Seq2[string, error] = func(yield func(string, error) bool) {
			for _, n := range sizes {
				if !yield(strings.Repeat("x", n), nil) {
					return
				}
			}
			<-ctx.Done()
		}
		*c.Result.(*contract.Stream) = produced(seq)
		return nil
	}}}})
	return srv
}

// An open stream that has nothing to send holds no buffer of what it has sent.
func TestOpenStreamHoldsNoBuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := streamsOf(300_000, 300_000, 10)
		near, far := net.Pipe()
		go srv.ServeConn(context.Background(), far)
		conn, err := NewConn(t.Context(), near, nil)
		if err != nil {
			t.Fatal(err)
		}
		var s contract.Stream
		if err := conn.Call(t.Context(), &Call{Method: &Method{Name: "Test.Stream"}, Result: &s}); err != nil {
			t.Fatal(err)
		}
		n := 0
		err = s.Each(func(item contract.Item) bool {
			var v string
			if err := item.Decode(&v); err != nil {
				t.Error(err)
			}
			if n++; n < 3 {
				return true
			}
			synctest.Wait()
			if len(v) != 10 || len(pumps(srv)) != 1 || pumps(srv)[0] > 16<<10 {
				t.Errorf("the third item has %d bytes, its producer a buffer of %d", len(v), pumps(srv)[0])
			}
			return false
		})
		if err != nil {
			t.Error(err)
		}
		conn.Close()
		srv.Close()
	})
}

// A stream that waits for credit does not hold a large item encoded meanwhile, and
// goes on with it when there is some.
func TestStreamWithoutCreditHoldsNoItem(t *testing.T) {
	for name, sizes := range map[string][]int{"all large": {300_000, 300_000}, "the second large": {40_000, 300_000}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := streamsOf(sizes...)
				near, far := net.Pipe()
				go srv.ServeConn(context.Background(), far)
				got := make(chan int, 100)
				go func() {
					buf := make([]byte, 1<<20)
					for {
						n, err := near.Read(buf)
						if err != nil {
							close(got)
							return
						}
						got <- n
					}
				}()
				received := func() (n int) {
					synctest.Wait()
					for len(got) > 0 {
						n += <-got
					}
					return n
				}
				fmt.Fprintln(near, `{"jsonrpc":"2.0","id":1,"method":"rpc.hello","params":{"v":1,"calls":32,"streams":32,"message":1048576}}`)
				fmt.Fprintln(near, `{"jsonrpc":"2.0","id":2,"method":"Test.Stream"}`)
				if n := received(); n < sizes[0] || n > sizes[0]+1000 {
					t.Errorf("%d bytes came first", n)
				}
				if held := pumps(srv)[0]; held > 16<<10 {
					t.Errorf("%d bytes are held", held)
				}
				fmt.Fprintln(near, `{"jsonrpc":"2.0","method":"$/credit","params":[1,1,64,65536]}`)
				if n := received(); n < sizes[1] || n > sizes[1]+1000 {
					t.Errorf("%d bytes came behind the credit", n)
				}
				near.Close()
				srv.Close()
			})
		})
	}
}
