package stress

import (
	"context"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/gen1"
)

// far is a connection over which everything takes its time, in a bubble.
func far(t *testing.T, impl *load, oneWay time.Duration) *pair {
	t.Helper()
	srv := rpc.NewServer(nil)
	srv.Register(LoadService(impl))
	near, a := net.Pipe()
	b, end := net.Pipe()
	var wg sync.WaitGroup
	wg.Go(func() { carry(a, b, oneWay) })
	wg.Go(func() { carry(b, a, oneWay) })
	wg.Go(func() { srv.ServeConn(context.Background(), end) })
	conn, err := rpc.NewConn(t.Context(), near, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		wg.Wait()
	})
	return &pair{NewLoadClient(conn), conn, srv, ""}
}

// carry moves what is read from one side to the other, later.
func carry(from, to net.Conn, delay time.Duration) {
	type parcel struct {
		due  time.Time
		data []byte
	}
	road := make(chan parcel, 100_000)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		defer to.Close()
		for p := range road {
			time.Sleep(time.Until(p.due))
			if _, err := to.Write(p.data); err != nil {
				return
			}
		}
	})
	defer close(road)
	for {
		data := make([]byte, 32<<10)
		n, err := from.Read(data)
		if err != nil {
			return
		}
		road <- parcel{time.Now().Add(delay), data[:n]}
	}
}

// A window grows where a round trip could carry more than it holds, for small
// items and for large ones, and a stream then takes a few round trips where a
// window of constant size would take a hundred.
func TestWindowGrowsWithLatency(t *testing.T) {
	const roundTrip = 50 * time.Millisecond
	for name, stream := range map[string]struct{ items, size, atFirst int }{
		"small items": {6400, 10, 64},
		"large items": {300, 20_000, 3},
		"items that are larger than the first window": {100, 80_000, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := far(t, &load{}, roundTrip/2)
				start := time.Now()
				items, err := p.Count(t.Context(), stream.items, stream.size)
				if err != nil {
					t.Fatal(err)
				}
				wantCount(t, stream.items)(inOrder(items))
				trips, constant := int(time.Since(start)/roundTrip), stream.items/stream.atFirst
				if trips > constant/4 {
					t.Errorf("%d round trips; a window that does not grow takes %d", trips, constant)
				}
			})
		})
	}
}

// A producer that is merely slow does not get a larger window.
func TestWindowStaysWhereProducerIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := far(t, &load{}, time.Millisecond)
		taken := 0
		srv := p.srv
		srv.Register(rpc.Service{Methods: []*rpc.Method{{Name: "Take", Params: loadSum.Params, New: func() (any, any) { return new(loadSumParams), nil },
			Serve: func(ctx context.Context, _ any, c *rpc.Call) error {
				for range gen1.Receive[Item](c.Params.(*loadSumParams).Items) {
					if taken++; taken == 1000 {
						<-ctx.Done() // from now on reads nothing
					}
				}
				return nil
			}}}})
		ctx, cancel := context.WithCancel(t.Context())
		sent := 0
		go p.conn.Call(ctx, &rpc.Call{Method: &rpc.Method{Name: "Take", Params: loadSum.Params}, Params: &loadSumParams{gen1.Send(func(yield func(Item, error) bool) {
			for yield(Item{Seq: sent}, nil) {
				if sent++; sent < 1000 {
					time.Sleep(time.Millisecond)
				}
			}
		})}})
		time.Sleep(time.Minute)
		synctest.Wait()
		if ahead := sent - taken; ahead > 64 {
			t.Errorf("%d items went out ahead of the reader, want no more than the 64 of the first window", ahead)
		}
		cancel()
		p.conn.Close()
	})
}
