package stress

import (
	"context"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// A breaker dials real sockets and breaks them under whoever uses them.
type breaker struct {
	mu   sync.Mutex
	open map[*net.TCPConn]struct{}
	cuts int
}

func (b *breaker) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	sock, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open == nil {
		b.open = make(map[*net.TCPConn]struct{})
	}
	b.open[sock.(*net.TCPConn)] = struct{}{}
	return sock, nil
}

// cut breaks the sockets that are open, each in one of the ways in which sockets
// break.
func (b *breaker) cut(r *rand.Rand) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for sock := range b.open {
		switch r.IntN(4) {
		case 0:
			sock.SetLinger(0) // a reset
			sock.Close()
		case 1:
			sock.CloseWrite()
		case 2:
			sock.CloseRead()
		default:
			sock.Close()
		}
		b.cuts++
	}
	clear(b.open)
}

// count is how many sockets have been broken.
func (b *breaker) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cuts
}

// keepCutting calls cut every so often, until what it returns is called.
func keepCutting(cut func(r *rand.Rand), most time.Duration) (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		r := rand.New(rand.NewPCG(1, 2))
		for {
			select {
			case <-time.After(upTo(r, most)):
				cut(r)
			case <-done:
				return
			}
		}
	})
	return func() {
		close(done)
		wg.Wait()
	}
}

// listenLoopback listens on a real socket.
func listenLoopback(t testing.TB) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// Over real sockets that are closed, reset and half closed under both sides all
// is done once, and nothing is left behind.
func TestOnceOverSockets(t *testing.T) {
	overEach(t, func(t *testing.T, tr transport) {
		before := runtime.NumGoroutine()
		b := &breaker{}
		l := last(t, tr, listenLoopback(t), b.dial, 0, rpc.Limits{IdleTimeout: 5 * time.Second})
		stop := keepCutting(b.cut, 10*time.Millisecond)
		l.together(t, 1, 16, func() bool { return l.done() > scale(500, 200) && b.count() > scale(10, 100) })
		stop()
		l.settle(t)
		t.Logf("%d cuts, %v", b.count(), l)
		noneLeft(t, before)
	})
}

// So it is where relays between the sockets lose what is on its way, and delay it.
func TestOnceOverRelays(t *testing.T) {
	for side := range scale(1, 2) {
		t.Run([]string{"dialer", "listener"}[side], func(t *testing.T) {
			overEach(t, func(t *testing.T, tr transport) {
				before := runtime.NumGoroutine()
				f := rpctest.Faults{Seed: 7, Cut: 1, Hangup: 0.4, HalfClose: 0.4, Stall: 0.1, Refuse: 0.1,
					Within: 100_000, StallFor: 50 * time.Millisecond, Latency: time.Millisecond}
				network := &rpctest.Network{Plan: f.Plan}
				ln, dial := listenLoopback(t), new(net.Dialer).DialContext
				if side == 0 {
					dial = network.Dialer(dial)
				} else {
					ln = network.Listener(ln)
				}
				l := last(t, tr, ln, dial, 0, rpc.Limits{IdleTimeout: 5 * time.Second})
				broken := func() int { s := network.Stats(); return s.Cuts + s.Hangups + s.HalfCloses }
				l.together(t, 2, 16, func() bool { return l.done() > scale(500, 100) && broken() > scale(10, 50) })
				stats := network.Stats()
				l.settle(t)
				t.Logf("%+v, %v", stats, l)
				noneLeft(t, before)
			})
		})
	}
}

// noneLeft holds that there are no more goroutines than before.
func noneLeft(t *testing.T, before int) {
	t.Helper()
	by := time.Now().Add(time.Minute)
	for runtime.NumGoroutine() > before && time.Now().Before(by) {
		time.Sleep(10 * time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > before {
		buf := make([]byte, 1<<16)
		t.Errorf("%d goroutines are left:\n%s", n-before, buf[:runtime.Stack(buf, true)])
	}
}
