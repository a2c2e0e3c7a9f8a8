package stress

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/codec/cbor"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// Where one side no longer keeps what the other has not got, the session ends on
// both sides at once, and the connection goes on with a new one.
func TestGap(t *testing.T) {
	const oneWay = 100 * time.Millisecond
	for name, gap := range map[string]struct {
		client, server int           // how many bytes each keeps
		cut            time.Duration // when
	}{
		"of the client": {100, 1 << 20, oneWay / 2},     // the call is on its way
		"of the server": {1 << 20, 100, oneWay * 3 / 2}, // its answer is
	} {
		t.Run(name, func(t *testing.T) {
			overEach(t, func(t *testing.T, tr transport) {
				synctest.Test(t, func(t *testing.T) {
					path := rpctest.Path{Latency: oneWay}
					network := &rpctest.Network{Plan: func(int) rpctest.Plan { return rpctest.Plan{Up: path, Down: path} }}
					impl := &load{waiting: make(chan struct{}, 1), ended: make(chan error, 1)}
					p := keeping(t, tr, network, impl, gap.client, gap.server)
					var wg sync.WaitGroup
					lost := func(f func(ctx context.Context) error) {
						wg.Go(func() {
							err := f(context.Background())
							if !errors.Is(err, rpc.CodeSessionLost) {
								t.Errorf("what was in flight: %v", err)
							}
						})
					}
					lost(p.Wait)
					<-impl.waiting
					lost(func(ctx context.Context) error {
						_, err := p.Echo(ctx, strings.Repeat("x", 1000))
						return err
					})
					time.Sleep(gap.cut)
					network.Cut()
					start := time.Now()
					wg.Wait()
					<-impl.ended
					if _, err := p.Echo(t.Context(), "hi"); err != nil || p.conn.State().Session != 2 || time.Since(start) > 3*time.Second {
						t.Errorf("after %v: %v, %+v", time.Since(start), err, p.conn.State())
					}
					p.conn.Close()
					time.Sleep(2 * time.Second) // the goodbye
				})
			})
		})
	}
}

// keeping connects a client and a server that keep so many bytes each for a
// session.
func keeping(t *testing.T, tr transport, network *rpctest.Network, impl *load, client, server int) *pair {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	srv := rpc.NewServer(&rpc.ServerOptions{Sessions: &rpc.SessionOptions{}, Codecs: []codec.Codec{cbor.Codec}, Limits: rpc.Limits{ReplayBytes: server}, Logger: quiet})
	srv.Register(LoadService(impl))
	stop := serve(srv, tr, network.Listen())
	conn, err := rpc.Dial(t.Context(), tr.scheme+"://server", &rpc.DialOptions{
		Codec: tr.codec, NetDial: network.Dial, Resume: true, Limits: rpc.Limits{ReplayBytes: client}, Logger: quiet,
	})
	if err != nil {
		stop()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		stop()
	})
	return &pair{NewLoadClient(conn), conn, srv, ""}
}
