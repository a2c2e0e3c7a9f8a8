package stress

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/rpc"
)

// A consumer that takes its time holds up its own producer, within the window,
// and no one else.
func TestSlowConsumerStopsProducer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		impl := &load{}
		p := inMemory(t, impl, nil, nil)
		items, err := p.Count(t.Context(), -1, 10)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // until the producer can do no more
		if n := impl.produced.Load(); n != 64 {
			t.Errorf("%d items went out before anyone read, want the window of 64", n)
		}
		n := 0
		for range items {
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
			if n++; n > 500 {
				break
			}
			if ahead := impl.produced.Load() - int64(n); ahead > 64 {
				t.Fatalf("%d items are on their way to a reader that does not starve, want 64 at most", ahead)
			}
			start := time.Now()
			if _, err := p.Echo(t.Context(), "hi"); err != nil || time.Since(start) != 0 {
				t.Fatalf("a call beside the stream: %v after %v", err, time.Since(start))
			}
		}
	})
}

// Large items are held back by their bytes.
func TestWindowCountsBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		impl := &load{}
		p := inMemory(t, impl, nil, nil)
		items, err := p.Count(t.Context(), -1, 20_000)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := impl.produced.Load(); n != 3 {
			t.Errorf("%d items of 20,000 bytes went out, want the 3 that 64 KiB hold", n)
		}
		for range items {
			break
		}
		items, err = p.Count(t.Context(), 5, 500_000) // each larger than the window
		if err != nil {
			t.Fatal(err)
		}
		wantCount(t, 5)(inOrder(items))
	})
}

// A peer that reads nothing holds up those who call it no longer than their own
// contexts, takes no more memory than the bound, and is cut in the end.
func TestPeerThatReadsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		go func() {
			r := bufio.NewReader(far)
			if _, err := r.ReadString('\n'); err != nil {
				return
			}
			far.Write([]byte(`{"jsonrpc":"2.0","id":1,"result":{"v":1,"calls":1000,"streams":100,"message":1000000}}` + "\n"))
		}()
		defer far.Close()
		conn, err := rpc.NewConn(t.Context(), near, &rpc.ConnOptions{Limits: rpc.Limits{SendQueueBytes: 100_000, WriteTimeout: 30 * time.Second, IdleTimeout: -1}})
		if err != nil {
			t.Fatal(err)
		}
		p := NewLoadClient(conn)
		start := time.Now()
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				_, err := p.Echo(ctx, strings.Repeat("x", 10_000))
				if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
					t.Errorf("a call at a peer that does not read: %v after %v", err, time.Since(start))
				}
			})
		}
		wg.Wait()
		var pumped atomic.Int64
		if _, err := p.Sum(t.Context(), func(yield func(Item, error) bool) {
			for yield(Item{Text: strings.Repeat("x", 1000)}, nil) {
				pumped.Add(1)
			}
		}); err == nil {
			t.Error("a call at a peer that does not read has succeeded")
		}
		if n := pumped.Load(); n > 64 {
			t.Errorf("%d items were taken in for a peer that does not read", n)
		}
		<-conn.Done()
		if d := time.Since(start); d > 31*time.Second || conn.Err() == nil {
			t.Errorf("the connection ended after %v with %v", d, conn.Err())
		}
	})
}

// A client that floods with calls and reads no answer is cut, and the server's
// other connections feel nothing of it.
func TestClientThatReadsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := inMemory(t, &load{}, &rpc.ServerOptions{Limits: rpc.Limits{WriteTimeout: 10 * time.Second, IdleTimeout: -1}}, nil)
		near, far := net.Pipe()
		var ended error
		var wg sync.WaitGroup
		start := time.Now()
		wg.Go(func() { ended = p.srv.ServeConn(t.Context(), far) })
		wg.Go(func() {
			r := bufio.NewReader(near)
			near.Write([]byte(`{"jsonrpc":"2.0","id":1,"method":"rpc.hello","params":{"v":1,"calls":1000,"streams":100,"message":1000000}}` + "\n"))
			r.ReadString('\n')
			for id := 2; ; id++ {
				call := fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%d,"method":"Load.Nope"}`+"\n", id)
				if _, err := near.Write(call); err != nil {
					return
				}
				if id == 900 {
					return
				}
			}
		})
		if s, err := p.Echo(t.Context(), "hi"); s != "hi" || err != nil || time.Since(start) != 0 {
			t.Errorf("Echo on another connection: %q, %v after %v", s, err, time.Since(start))
		}
		wg.Wait()
		near.Close()
		if ended == nil || time.Since(start) > 11*time.Second {
			t.Errorf("the connection ended with %v after %v", ended, time.Since(start))
		}
	})
}

// Two ends that have nothing to say keep their connection by pings.
func TestIdleConnectionLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := inMemory(t, &load{}, nil, nil)
		time.Sleep(10 * time.Minute)
		if s, err := p.Echo(t.Context(), "hi"); s != "hi" || err != nil {
			t.Errorf("after ten idle minutes: %q, %v", s, err)
		}
	})
}

// A peer that reads but never says anything, not even pong, is cut.
func TestSilentPeerIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := rpc.NewServer(nil)
		near, far := net.Pipe()
		var ended error
		var wg sync.WaitGroup
		start := time.Now()
		wg.Go(func() { ended = srv.ServeConn(t.Context(), far) })
		near.Write([]byte(`{"jsonrpc":"2.0","id":1,"method":"rpc.hello","params":{"v":1,"calls":1,"streams":1,"message":65536}}` + "\n"))
		heard := bufio.NewScanner(near)
		pings := 0
		for heard.Scan() {
			if strings.Contains(heard.Text(), "$/ping") {
				pings++
			}
		}
		wg.Wait()
		if d := time.Since(start); pings == 0 || ended == nil || d < time.Minute || d > 81*time.Second {
			t.Errorf("after %d pings and %v the connection ended with %v", pings, d, ended)
		}
	})
}
