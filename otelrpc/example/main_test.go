package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/example/telemetry"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
	"go.opentelemetry.io/otel/trace/noop"
)

// series are the labels of each sample on the page, by its name.
type series map[string]map[string]bool

var sample = regexp.MustCompile(`(?m)^(\w+)(?:\{(.*)\})? \S+$`)

// scrape adds what a page has.
func (s series) scrape(t *testing.T, page http.Handler) {
	t.Helper()
	w := httptest.NewRecorder()
	page.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, m := range sample.FindAllStringSubmatch(w.Body.String(), -1) {
		if s[m[1]] == nil {
			s[m[1]] = make(map[string]bool)
		}
		for _, l := range regexp.MustCompile(`(\w+)="`).FindAllStringSubmatch(m[2], -1) {
			s[m[1]][l[1]] = true
		}
	}
}

// A session in which everything happens: streams both ways, a call that fails, a call
// of the server to its client, a cut, a resume, and an end.
func exercise(t *testing.T, handler http.Handler, check func()) {
	var refuse atomic.Bool
	network := &rpctest.Network{Plan: func(int) rpctest.Plan { return rpctest.Plan{Refuse: refuse.Load()} }}
	web := &http.Server{Handler: handler}
	go web.Serve(network.Listen())
	defer web.Close()
	sensor := telemetry.NewSensor("attic", time.Second, func(time.Time) float64 { return 20 })
	conn, err := rpc.Dial(t.Context(), "ws://hub", &rpc.DialOptions{NetDial: network.Dial, Resume: true, Services: []rpc.Service{telemetry.DeviceService(sensor)}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	other, err := rpc.Dial(t.Context(), "ws://hub", &rpc.DialOptions{NetDial: network.Dial}) // whose session ends with the cut
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	go sensor.Run(t.Context(), conn)
	synctest.Wait()
	fleet := telemetry.NewFleetClient(conn)
	ctx, leave := context.WithCancel(t.Context())
	if _, _, err := fleet.Watch(ctx); err != nil {
		t.Fatal(err)
	}
	fleet.SetInterval(t.Context(), "roof", time.Second)
	fleet.SetInterval(t.Context(), "attic", time.Second)
	time.Sleep(5 * time.Second)
	refuse.Store(true)
	network.Cut()
	time.Sleep(time.Second)
	refuse.Store(false)
	time.Sleep(20 * time.Second)
	leave()
	synctest.Wait()
	check()
}

var (
	selector = regexp.MustCompile(`\b((?:rpc|wirecall)_\w+)(?:\{([^}]*)\})?`)
	by       = regexp.MustCompile(`by \(([^)]*)\)`)
	name     = regexp.MustCompile(`\w+`)
)

// Each query of the dashboard is over metrics and labels that the server has, and each
// metric is on it.
func TestDashboard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		metrics, page, err := forPrometheus()
		if err != nil {
			t.Fatal(err)
		}
		srv := newServer(metrics, noop.NewTracerProvider(), slog.New(slog.DiscardHandler))
		have := make(series)
		exercise(t, newHandler(srv, page), func() { have.scrape(t, page) })
		srv.Close()
		synctest.Wait()
		have.scrape(t, page)

		shown := make(map[string]bool)
		for _, query := range queries(t) {
			labels := name.FindAllString(strings.Join(submatches(by, query), " "), -1)
			for _, m := range selector.FindAllStringSubmatch(by.ReplaceAllString(query, ""), -1) {
				shown[family(m[1])] = true
				of := have[m[1]]
				if of == nil {
					t.Errorf("%s: there is no %s", query, m[1])
				}
				for _, label := range append(labels, submatches(regexp.MustCompile(`(\w+)\s*[!=]`), m[2])...) {
					if !of[label] {
						t.Errorf("%s: %s has no label %s", query, m[1], label)
					}
				}
			}
		}
		for _, each := range slices.Sorted(maps.Keys(have)) {
			if strings.HasPrefix(each, "rpc_") || strings.HasPrefix(each, "wirecall_") {
				if !shown[family(each)] {
					t.Errorf("%s is not on the dashboard", each)
				}
			}
		}
	})
}

// family returns the name of a metric without what a histogram adds to it.
func family(name string) string {
	for _, end := range []string{"_bucket", "_count", "_sum"} {
		name = strings.TrimSuffix(name, end)
	}
	return name
}

func submatches(r *regexp.Regexp, text string) (all []string) {
	for _, m := range r.FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return all
}

// queries returns those of the dashboard.
func queries(t *testing.T) (all []string) {
	t.Helper()
	b, err := os.ReadFile("dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(b, &dashboard); err != nil {
		t.Fatal(err)
	}
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			all = append(all, target.Expr)
		}
	}
	if len(all) == 0 {
		t.Fatal("no query was found")
	}
	return all
}
