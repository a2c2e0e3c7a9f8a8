package telemetry

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

func newServer() *rpc.Server {
	hub := NewHub()
	srv := rpc.NewServer(nil)
	srv.Register(IntakeService(hub), FleetService(hub))
	return srv
}

// connect connects a device.
func connect(t *testing.T, srv *rpc.Server, d Device) *rpc.Conn {
	return rpctest.Pair(t.Context(), t, srv, &rpc.ConnOptions{Services: []rpc.Service{DeviceService(d)}})
}

// run runs a sensor that counts, and returns how to cut its connection and what
// it ended with then.
func run(t *testing.T, srv *rpc.Server, name string, interval time.Duration) (conn *rpc.Conn, ended <-chan error) {
	count := 0.0
	s := NewSensor(name, interval, func(time.Time) float64 { count++; return count })
	conn = connect(t, srv, s)
	done := make(chan error, 1)
	go func() { done <- s.Run(t.Context(), conn) }()
	synctest.Wait()
	return conn, done
}

// watch returns what a dashboard finds, and what pulls from its changes.
func watch(t *testing.T, fleet Fleet) (now []Status, next func() Status) {
	t.Helper()
	now, changes, err := fleet.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pull, stop := iter.Pull2(changes)
	t.Cleanup(stop)
	return now, func() Status {
		t.Helper()
		s, err, ok := pull()
		if err != nil || !ok {
			t.Fatal("the changes have ended:", err)
		}
		return s
	}
}

func TestDashboard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		fleet := NewFleetClient(rpctest.Pair(t.Context(), t, srv, nil))
		run(t, srv, "cellar", time.Hour)
		conn, ended := run(t, srv, "attic", time.Second)

		now, next := watch(t, fleet)
		want := []Status{
			{Device: "attic", Online: true, Interval: time.Second},
			{Device: "cellar", Online: true, Interval: time.Hour},
		}
		if !slices.Equal(now, want) {
			t.Errorf("found %v", now)
		}
		start := time.Now()
		for i := range 3 {
			s := next()
			if s.Device != "attic" || s.Readings != i+1 || s.Last.Value != float64(i+1) || time.Since(start) != time.Duration(i+1)*time.Second {
				t.Errorf("after %v: %+v", time.Since(start), s)
			}
		}
		conn.Close()
		if s := next(); s.Device != "attic" || s.Online || s.Readings != 3 {
			t.Errorf("gone: %+v", s)
		}
		if err := <-ended; !errors.Is(err, rpc.ErrClosed) {
			t.Errorf("the device ended with %v", err)
		}
		run(t, srv, "attic", time.Minute)
		if s := next(); !s.Online || s.Interval != time.Minute || s.Readings != 3 {
			t.Errorf("back: %+v", s)
		}
	})
}

// What becomes of a device while nobody reads does not pile up.
func TestSlowDashboard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		_, next := watch(t, NewFleetClient(rpctest.Pair(t.Context(), t, srv, nil)))
		run(t, srv, "attic", time.Second)
		time.Sleep(2_000*time.Second + time.Millisecond)
		n := 0
		for s := next(); s.Readings < 2_000; s = next() {
			n++
		}
		if n > 100 {
			t.Errorf("%d changes came before the latest", n)
		}
	})
}

func TestSetInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		fleet := NewFleetClient(rpctest.Pair(t.Context(), t, srv, nil))
		conn, _ := run(t, srv, "attic", time.Hour)
		_, next := watch(t, fleet)

		if was, err := fleet.SetInterval(t.Context(), "attic", time.Second); was != time.Hour || err != nil {
			t.Errorf("was %v: %v", was, err)
		}
		if s := next(); s.Interval != time.Second {
			t.Errorf("told of %+v", s)
		}
		start := time.Now()
		if s := next(); s.Readings != 1 || time.Since(start) != time.Second {
			t.Errorf("after %v: %+v", time.Since(start), s)
		}

		_, err := fleet.SetInterval(t.Context(), "attic", 0)
		if e, ok := errors.AsType[*BadInterval](err); !ok || *e != (BadInterval{MinInterval, MaxInterval}) {
			t.Errorf("no interval: %v", err)
		}
		_, err = fleet.SetInterval(t.Context(), "roof", time.Second)
		if e, ok := errors.AsType[*UnknownDevice](err); !ok || e.Device != "roof" {
			t.Errorf("an unknown device: %v", err)
		}
		conn.Close()
		synctest.Wait()
		_, err = fleet.SetInterval(t.Context(), "attic", time.Second)
		if e, ok := errors.AsType[*OfflineDevice](err); !ok || e.Device != "attic" {
			t.Errorf("an offline device: %v", err)
		}
	})
}

// A deaf device takes calls and does not answer.
type deaf struct{}

func (deaf) SetInterval(ctx context.Context, _ time.Duration) (time.Duration, error) {
	<-ctx.Done()
	return 0, context.Cause(ctx)
}

// silence is a stream of readings that never come.
func silence(ctx context.Context) iter.Seq2[Reading, error] {
	return func(func(Reading, error) bool) { <-ctx.Done() }
}

func TestDeafDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		fleet := NewFleetClient(rpctest.Pair(t.Context(), t, srv, nil))
		conn := connect(t, srv, deaf{})
		go NewIntakeClient(conn).Report(t.Context(), "wall", time.Second, silence(t.Context()))
		synctest.Wait()

		start := time.Now()
		_, err := fleet.SetInterval(t.Context(), "wall", time.Second)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != answerTime {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		// One that goes away instead of answering is offline.
		time.AfterFunc(time.Second, func() { conn.Close() })
		_, err = fleet.SetInterval(t.Context(), "wall", time.Second)
		if _, ok := errors.AsType[*OfflineDevice](err); !ok {
			t.Errorf("gone meanwhile: %v", err)
		}
	})
}

// A device whose old connection nobody has found dead yet comes back: the new
// one counts, and the end of the old one takes nothing away.
func TestComeback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer()
		fleet := NewFleetClient(rpctest.Pair(t.Context(), t, srv, nil))
		_, ended := run(t, srv, "attic", time.Minute)
		run(t, srv, "attic", time.Hour)
		if _, ok := errors.AsType[*Replaced](<-ended); !ok {
			t.Error("the old report was not replaced")
		}
		now, _ := watch(t, fleet)
		if s := now[0]; !s.Online || s.Interval != time.Hour || s.Readings != 0 {
			t.Errorf("found %+v", s)
		}
		if was, err := fleet.SetInterval(t.Context(), "attic", time.Second); was != time.Hour || err != nil {
			t.Errorf("was %v: %v", was, err)
		}
	})
}

// Devices and dashboards over real WebSockets, all at once: every dashboard sees
// every device report at the interval that one of them sets, and leave.
func TestFleetOverWebSocket(t *testing.T) {
	const devices, dashboards, readings = 10, 5, 5
	srv := newServer()
	defer srv.Close()
	web := httptest.NewServer(srv)
	defer web.Close()
	dial := func(services ...rpc.Service) *rpc.Conn {
		conn, err := rpc.Dial(t.Context(), web.URL, &rpc.DialOptions{Services: services})
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}

	var all sync.WaitGroup
	defer all.Wait()
	watching := make([]*rpc.Conn, dashboards)
	for i := range watching {
		watching[i] = dial()
		defer watching[i].Close()
	}
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	var gone, satisfied sync.WaitGroup
	gone.Add(dashboards)
	satisfied.Add(dashboards)
	for i, conn := range watching {
		fleet := NewFleetClient(conn)
		_, changes, err := fleet.Watch(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			enough, left := make(map[string]bool), make(map[string]bool)
			for s, err := range changes {
				if err != nil {
					t.Error(err)
					break
				}
				if s.Interval > time.Millisecond && s.Online && i == 0 {
					if _, err := fleet.SetInterval(t.Context(), s.Device, time.Millisecond); err != nil {
						t.Error(err)
					}
				}
				if s.Readings >= readings && !enough[s.Device] {
					if enough[s.Device] = true; len(enough) == devices {
						satisfied.Done()
					}
				}
				if !s.Online {
					left[s.Device] = true
				}
				if len(left) == devices {
					break
				}
			}
			gone.Done()
		})
	}
	for i := range devices {
		s := NewSensor(fmt.Sprint("device ", i), time.Hour, func(time.Time) float64 { return 1 })
		conn := dial(DeviceService(s))
		all.Go(func() {
			defer conn.Close()
			if err := s.Run(ctx, conn); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
	satisfied.Wait()
	leave()
	gone.Wait()
}
