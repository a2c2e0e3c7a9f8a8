package stress

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/rpc"
)

// FuzzProgram reads its input as a program of calls, streams, cancels and pauses
// on one connection. Whatever it is: what succeeds has the right result, all of
// it ends, and nothing is left behind (a goroutine that is would fail the
// bubble).
func FuzzProgram(f *testing.F) {
	f.Add([]byte{0, 5, 1, 100, 2, 200, 3, 50, 4, 10, 5, 0, 6, 1, 7, 9, 8, 200, 1, 255})
	f.Add([]byte{1, 255, 1, 254, 1, 253, 8, 10, 9, 0, 0, 1, 2, 255})
	f.Add([]byte{10, 0, 10, 0, 10, 0, 10, 0, 0, 100, 8, 255, 8, 255, 7, 0, 3, 255, 3, 254, 3, 253})
	f.Add(bytes.Repeat([]byte{2, 250, 3, 249, 1, 248, 4, 247}, 30))
	f.Fuzz(func(t *testing.T, program []byte) {
		if len(program) > 400 {
			return
		}
		synctest.Test(t, func(t *testing.T) { runProgram(t, program) })
	})
}

func runProgram(t *testing.T, program []byte) {
	impl := &load{release: make(chan struct{})}
	limits := rpc.Limits{Calls: 8, Streams: 8, SendQueueBytes: 4096}
	p := inMemory(t, impl, &rpc.ServerOptions{Limits: limits}, &rpc.ConnOptions{
		Limits: limits, Services: []rpc.Service{LoadService(&load{})},
	})
	var wg sync.WaitGroup
	for i := 0; i+1 < len(program); i += 2 {
		op, arg := program[i]%11, int(program[i+1])
		if op == 8 {
			time.Sleep(time.Duration(arg) * 100 * time.Microsecond)
			continue
		}
		wg.Go(func() { step(t, p, op, arg) })
	}
	time.Sleep(time.Second)
	close(impl.release)
	wg.Wait()
	if err := p.srv.Shutdown(t.Context()); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	synctest.Wait() // where the connection was cut, its producers may not have heard yet
	if n := impl.counting.Load(); n != 0 {
		t.Errorf("%d producers still run", n)
	}
}

// step is one instruction. Odd arguments end its context at some time.
func step(t *testing.T, p *pair, op byte, arg int) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if arg%2 == 1 {
		ctx, cancel = context.WithTimeout(ctx, time.Duration(arg)*50*time.Microsecond)
		defer cancel()
	}
	switch op {
	case 0:
		if s, err := p.Echo(ctx, "mine"); err == nil && s != "mine" {
			t.Errorf("Echo: %q", s)
		}
	case 1:
		if items, err := p.Count(ctx, arg*3, arg); err == nil {
			takeSome(t, items, arg/2, arg*3)
		}
	case 2:
		if n, err := p.Sum(ctx, counted(arg*2)); err == nil && n != arg*2 {
			t.Errorf("Sum: %d, want %d", n, arg*2)
		}
	case 3:
		if items, err := p.Double(ctx, counted(arg)); err == nil {
			takeSome(t, items, arg, arg*2)
		}
	case 4:
		p.Drop(ctx, counted(arg))
	case 5:
		p.Tell(ctx, int64(arg))
	case 6:
		if s, err := p.Back(ctx, "back"); err == nil && s != "back" {
			t.Errorf("Back: %q", s)
		}
	case 7:
		p.Wait(ctx)
	case 9:
		if s, err := p.Blob(ctx, arg*300); err == nil && len(s) != arg*300 {
			t.Errorf("Blob: %d bytes, want %d", len(s), arg*300)
		}
	case 10:
		p.Ignore(ctx)
	}
}

// takeSome takes up to n of all items; a stream that ends without an error
// before has lost some.
func takeSome(t *testing.T, items func(func(Item, error) bool), n, all int) {
	got := 0
	for it, err := range items {
		if err != nil {
			return
		}
		if it.Seq != got {
			t.Errorf("item %d comes where %d is due", it.Seq, got)
			return
		}
		if got++; got == n+1 {
			return
		}
	}
	if got != all {
		t.Errorf("a stream of %d items ended after %d", all, got)
	}
}

// FuzzServer sends anything at all to a server, in either mode: it stays up, and
// lets go of the connection when the peer has gone.
func FuzzServer(f *testing.F) {
	hello := `{"jsonrpc":"2.0","id":1,"method":"rpc.hello","params":{"v":1,"calls":4,"streams":4,"message":65536}}` + "\n"
	f.Add([]byte(hello + `{"jsonrpc":"2.0","id":2,"method":"Load.Echo","params":{"text":"hi"}}` + "\n"))
	f.Add([]byte(hello + `{"jsonrpc":"2.0","id":2,"method":"Load.Count","params":{"n":-1,"size":1}}` + "\n" +
		`{"jsonrpc":"2.0","method":"$/credit","params":[1,64,1000,65536]}` + "\n" + `{"jsonrpc":"2.0","method":"$/cancel","params":[1]}` + "\n"))
	f.Add([]byte(hello + `{"jsonrpc":"2.0","id":2,"method":"Load.Sum","streams":[1],"params":[1]}` + "\n" +
		`{"jsonrpc":"2.0","method":"$/items","params":[1,[{"seq":0},{"seq":1}]]}` + "\n" + `{"jsonrpc":"2.0","method":"$/end","params":[1]}` + "\n"))
	f.Add([]byte(hello + `{"jsonrpc":"2.0","id":2,"method":"Load.Wait"}` + "\n" + `{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":2}}` + "\n" + `{"jsonrpc":"2.0","id":2,"method":"$/x"}` + "\n"))
	f.Add([]byte(`[{"jsonrpc":"2.0","id":1,"method":"Load.Echo","params":["a"]},1,{"id":2}]` + "\n" + `{"jsonrpc":"2.0","id":"s","method":"Load.Count","params":[3,1]}` + "\n" + `{"jsonrpc":"2.0","id":3,"method":"rpc.unsubscribe","params":["0x1"]}` + "\n"))
	f.Add([]byte("nonsense\n\n[]\n{\n"))
	f.Fuzz(func(t *testing.T, sent []byte) {
		synctest.Test(t, func(t *testing.T) {
			impl := &load{release: make(chan struct{}), endless: 300}
			close(impl.release)
			srv := rpc.NewServer(&rpc.ServerOptions{Limits: rpc.Limits{Calls: 8, Streams: 8, BufferedBytes: 1 << 16, MessageBytes: 1 << 16}})
			srv.Register(LoadService(impl))
			near, far := net.Pipe()
			var wg sync.WaitGroup
			wg.Go(func() { srv.ServeConn(context.Background(), far) })
			wg.Go(func() { io.Copy(io.Discard, bufio.NewReader(near)) })
			near.Write(sent)
			synctest.Wait()
			near.Close()
			wg.Wait()
			if err := srv.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
		})
	})
}
