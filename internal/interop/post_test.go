package interop

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/creachadair/jrpc2/jhttp"
	geth "github.com/ethereum/go-ethereum/rpc"

	"github.com/wirecall/wirecall/rpc"
)

// httpCaller returns a caller of a server that takes parameters by position.
func httpCaller(t *testing.T, url string, opts rpc.HTTPOptions) rpc.Caller {
	t.Helper()
	opts.ByPosition = true
	caller, err := rpc.NewHTTPCaller(url, &opts)
	if err != nil {
		t.Fatal(err)
	}
	return caller
}

// post makes the calls that a POST can carry to a server with Calc, one by one and in
// batches.
func post(t *testing.T, url string, notes <-chan string) {
	t.Helper()
	ctx := strangely(t)
	for name, opts := range map[string]rpc.HTTPOptions{"alone": {}, "in batches": {BatchWindow: 10 * time.Millisecond}} {
		calc := NewCalcClient(httpCaller(t, url, opts))
		if sum, err := calc.Add(ctx, 20, 22); err != nil || sum != 42 {
			t.Error(name, sum, err)
		}
		if err := calc.Note(ctx, "noted"); err != nil {
			t.Error(name, err)
		} else if note := <-notes; note != "noted" {
			t.Error(name, note)
		}
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				if i%4 != 0 {
					if sum, err := calc.Add(ctx, i, 1); err != nil || sum != i+1 {
						t.Error(name, i, sum, err)
					}
					return
				}
				var data struct{ Detail string }
				err := calc.Fail(ctx, 77, strconv.Itoa(i))
				e, ok := errors.AsType[*rpc.Error](err)
				if !ok || e.Code != 77 || e.Message != "failed as asked" || e.Decode(&data) != nil || data.Detail != strconv.Itoa(i) {
					t.Errorf("%s: %#v, data %+v", name, err, data)
				}
			})
		}
		all.Wait()
	}
	err := httpCaller(t, url, rpc.HTTPOptions{}).Call(ctx, &rpc.Call{Method: &rpc.Method{Name: "calc_subtract"}})
	if !errors.Is(err, rpc.CodeMethodNotFound) {
		t.Error("an unknown method:", err)
	}
}

func TestPostGeth(t *testing.T) {
	srv := geth.NewServer()
	defer srv.Stop()
	service := gethCalc{make(chan string, 10)}
	if err := srv.RegisterName("calc", service); err != nil {
		t.Fatal(err)
	}
	ts := httptest.NewServer(srv)
	defer ts.Close()
	post(t, ts.URL, service.notes)

	// Its limit of a batch is an error for all.
	srv.SetBatchLimits(2, 1<<20)
	calc := NewCalcClient(httpCaller(t, ts.URL, rpc.HTTPOptions{BatchWindow: time.Hour, BatchMessages: 3}))
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			if _, err := calc.Add(t.Context(), 1, 2); err == nil {
				t.Error("a batch over the limit has succeeded")
			}
		})
	}
	all.Wait()
}

func TestPostJRPC2(t *testing.T) {
	notes := make(chan string, 10)
	bridge := jhttp.NewBridge(jrpc2Calc(notes), nil)
	defer bridge.Close()
	ts := httptest.NewServer(bridge)
	defer ts.Close()
	post(t, ts.URL, notes)
}

func TestPostWirecall(t *testing.T) {
	b, tp := serveHTTP(t)
	post(t, "http://"+tp.addr, b.notes)
	http.DefaultClient.CloseIdleConnections()
}
