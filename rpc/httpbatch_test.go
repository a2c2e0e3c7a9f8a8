package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/rpc"
)

// batching makes batches of what is made within a second.
var batching = &rpc.HTTPOptions{BatchWindow: time.Second, BatchMessages: 3}

// batched is a call that runs in a goroutine of its own.
type batched struct {
	n      int
	err    error
	cancel context.CancelCauseFunc
	done   chan struct{}
}

// askNow makes a call that joins the batch before the next one does.
func askNow(t *testing.T, c rpc.Caller, m *rpc.Method) *batched {
	ctx, cancel := context.WithCancelCause(t.Context())
	a := &batched{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(a.done)
		if m.Notify {
			a.err = c.Call(ctx, &rpc.Call{Method: m})
		} else {
			a.n, a.err = ask(ctx, c, m)
		}
	}()
	synctest.Wait()
	return a
}

// is fails unless the call has ended with this result or error.
func (a *batched) is(t *testing.T, want string) {
	t.Helper()
	<-a.done
	got := fmt.Sprint(a.n)
	if a.err != nil {
		got = strings.TrimPrefix(a.err.Error(), "rpc: POST http://server/rpc: ")
	}
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

const (
	once1  = `{"jsonrpc":"2.0","id":1,"method":"once"}`
	once2  = `{"jsonrpc":"2.0","id":2,"method":"once"}`
	again3 = `{"jsonrpc":"2.0","id":3,"method":"again"}`
	noted  = `{"jsonrpc":"2.0","method":"note"}`
)

var noting = &rpc.Method{Name: "note", Notify: true}

// Calls of one window are one request, and get their own answers in any order.
func TestBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := httpCaller(t, replies("200\n\n"+`[{"jsonrpc":"2.0","id":2,"result":20},{"jsonrpc":"2.0","id":1,"error":{"code":5,"message":"no"}}]`), batching)
		begin := time.Now()
		a, n, b := askNow(t, o, once), askNow(t, o, noting), askNow(t, o, once)
		b.is(t, "20")
		a.is(t, "no")
		n.is(t, "0")
		if took := time.Since(begin); took != 0 {
			t.Errorf("a full batch has waited for %v", took)
		}
		o.sentWere(t, "["+once1+","+noted+","+once2+"]")

		o = httpCaller(t, replies("200\n\n"+`{"jsonrpc":"2.0","id":1,"result":10}`), batching)
		askNow(t, o, once).is(t, "10")
		if took := time.Since(begin); took != time.Second {
			t.Errorf("a batch that is not full has waited for %v", took)
		}
		o.sentWere(t, once1)

		o = httpCaller(t, replies("204\n\n"), batching)
		n, m := askNow(t, o, noting), askNow(t, o, noting)
		n.is(t, "0")
		m.is(t, "0")
		o.sentWere(t, "["+noted+","+noted+"]")
	})
}

// A server may answer a batch in many ways.
func TestBatchAnswers(t *testing.T) {
	for name, test := range map[string]struct{ answer, first, second string }{
		"one is missing":  {`[{"jsonrpc":"2.0","id":2,"result":20}]`, "the response has no answer to the call", "20"},
		"none":            {"", "the response has no answer to the call", "the response has no answer to the call"},
		"twice":           {`[{"jsonrpc":"2.0","id":2,"result":20},{"jsonrpc":"2.0","id":1,"result":10},{"jsonrpc":"2.0","id":1,"result":11}]`, "10", "20"},
		"unknown ids":     {`[{"jsonrpc":"2.0","id":9,"result":90},{"jsonrpc":"2.0","id":1,"result":10},7,{"jsonrpc":"2.0","id":"2","result":20}]`, "10", "20"},
		"one is invalid":  {`[{"jsonrpc":"2.0","id":1,"result":1,"error":7},{"jsonrpc":"2.0","id":2,"result":20}]`, "the answer is not one of JSON-RPC 2.0: invalid request: error is not an object", "20"},
		"an echo":         {`[{"jsonrpc":"2.0","id":1,"method":"once"},{"jsonrpc":"2.0","id":2,"method":"once","result":20}]`, "the response has no answer to the call", "the answer is not one of JSON-RPC 2.0: invalid request: both a method and an answer"},
		"refused":         {`{"jsonrpc":"2.0","id":null,"error":{"code":-32005,"message":"too many"}}`, "too many", "too many"},
		"the first only":  {`{"jsonrpc":"2.0","id":1,"result":10}`, "10", "the response has no answer to the call"},
		"no batch at all": {`nope`, "the server answered 200 OK, and no JSON-RPC: is the path of the URL right?: nope", "the server answered 200 OK, and no JSON-RPC: is the path of the URL right?: nope"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := httpCaller(t, replies("200\n\n"+test.answer), batching)
				a, b := askNow(t, o, once), askNow(t, o, once)
				a.is(t, test.first)
				b.is(t, test.second)
			})
		})
	}
}

// A batch is sent again only if all of its calls are idempotent.
func TestBatchRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const answers = `[{"jsonrpc":"2.0","id":1,"result":10},{"jsonrpc":"2.0","id":2,"result":20}]`
		o := httpCaller(t, replies("503\n\n", "200\n\n"+answers), batching)
		a, b := askNow(t, o, again), askNow(t, o, once)
		a.is(t, "the server answered 503 Service Unavailable")
		b.is(t, "the server answered 503 Service Unavailable")
		o = httpCaller(t, replies("503\n\n", "200\n\n"+answers), batching)
		a, b = askNow(t, o, again), askNow(t, o, again)
		a.is(t, "10")
		b.is(t, "20")
	})
}

// A caller that leaves before its batch is sent has not called; one that leaves later
// ends the request if it is the last.
func TestBatchCancels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan struct{}, 1)
		o := httpCaller(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			ended <- struct{}{}
		}), batching)
		why := errors.New("no longer wanted")
		a, b, c := askNow(t, o, once), askNow(t, o, once), askNow(t, o, again)
		synctest.Wait()
		o.sentWere(t, "["+once1+","+once2+","+again3+"]")
		for _, left := range []*batched{a, b, c} {
			synctest.Wait()
			select {
			case <-ended:
				t.Error("the request has ended, though a caller waits")
			default:
			}
			left.cancel(why)
			left.is(t, why.Error())
		}
		<-ended

		a, b = askNow(t, o, once), askNow(t, o, noting)
		a.cancel(why)
		a.is(t, why.Error())
		b.cancel(why)
		b.is(t, why.Error())
		time.Sleep(time.Minute)
		o.sentWere(t)
	})
}

// Many goroutines share batches of the project's own server.
func TestBatchesOfManyCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := rpc.NewServer(nil)
		srv.Register(services()...)
		o := httpCaller(t, srv, &rpc.HTTPOptions{BatchWindow: time.Millisecond, BatchMessages: 64})
		client := NewSubjectClient(o)
		var all sync.WaitGroup
		for i := range 1000 {
			all.Go(func() {
				if sum, err := client.Add(t.Context(), i, 1); sum != i+1 || err != nil {
					t.Errorf("%d + 1 is %d, %v", i, sum, err)
				}
			})
		}
		all.Wait()
		if sent := o.sent(); len(sent) > 20 || slices.ContainsFunc(sent, func(body string) bool { return strings.Count(body, `"id"`) > 64 }) {
			t.Errorf("%d requests for 1,000 calls", len(sent))
		}
	})
}
