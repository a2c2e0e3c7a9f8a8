package docs_test

import (
	"context"
	"log/slog"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/example/telemetry"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// setUp tells each device that connects its interval.
func setUp(interval time.Duration, log *slog.Logger) *rpc.Observer {
	return &rpc.Observer{Conn: func(ctx context.Context, conn *rpc.Conn, _ *http.Request) func(error) {
		go func() { // an observer returns at once
			if _, err := telemetry.NewDeviceClient(conn).SetInterval(ctx, interval); err != nil {
				log.WarnContext(ctx, "device not set up", "error", err)
			}
		}()
		return nil
	}}
}

// A probe is a device that tells of the intervals it is given.
type probe chan time.Duration

func (p probe) SetInterval(_ context.Context, interval time.Duration) (was time.Duration, err error) {
	p <- interval
	return 0, nil
}

// A device is set up by the server that it dials, and by the one in its place, with
// no call of its own; but not again when only its socket is lost.
func TestSetUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := &rpctest.Network{}
		start := func(interval time.Duration) (stop func()) {
			srv := rpc.NewServer(&rpc.ServerOptions{
				Sessions:  &rpc.SessionOptions{},
				Observers: []*rpc.Observer{setUp(interval, slog.New(slog.DiscardHandler))},
			})
			web := &http.Server{Handler: srv}
			go web.Serve(network.Listen())
			return func() { web.Close(); srv.Close() }
		}
		stop := start(time.Second)
		device := make(probe, 10)
		conn, err := rpc.Dial(t.Context(), "ws://any", &rpc.DialOptions{
			NetDial: network.Dial, Resume: true, Services: []rpc.Service{telemetry.DeviceService(device)},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if got := <-device; got != time.Second {
			t.Errorf("the first server set %v", got)
		}
		network.Cut()
		synctest.Wait() // the cut is known
		for state := range conn.States(t.Context()) {
			if state.Phase == rpc.Connected {
				break
			}
		}
		synctest.Wait()
		if s := conn.State(); s.Session != 1 || network.Stats().Cuts == 0 {
			t.Errorf("after the cut: %+v", s)
		}
		if n := len(device); n != 0 {
			t.Errorf("set up %d times more after a cut", n)
		}
		stop()
		stop = start(time.Minute)
		defer func() { stop() }()
		if got := <-device; got != time.Minute {
			t.Errorf("the second server set %v", got)
		}
	})
}
