package compat_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/wirecall/wirecall/internal/compat"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

// facts are what the two sides of a call have seen, by name. Those of the server begin with
// "served", and are counts, of which a server must not see more than from its own clients. Those that begin with "perhaps" do not concern all programs: they need a call by
// position, a client that is older still, or a case that the service may no longer have.
type facts map[string]string

func (f facts) note(name string, value any, err error) {
	if err != nil {
		value = "error"
	}
	f[name] = fmt.Sprint(value)
}

// only leaves one fact.
func (f facts) only(name string, err error) {
	maps.DeleteFunc(f, func(other, _ string) bool { return other != name })
	if err != nil {
		f.note(name, nil, err)
	}
}

// A call notes what a client sees of a method.
type call = func(ctx context.Context, conn *rpc.Conn, f facts)

// A side is a client and a server of one contract. The server notes what it sees, and cut
// loses the answer of a call that it is running.
type side struct {
	serve func(f facts, cut func()) []rpc.Service
	call  map[string]call
}

func (s *side) add(calls map[string]call) { maps.Copy(s.call, calls) }

// observe runs a case with the client of one side and the server of another.
func observe(t *testing.T, name string, client, server *side) facts {
	f := facts{}
	call := client.call[name]
	if call == nil {
		return f
	}
	synctest.Test(t, func(t *testing.T) {
		network := &rpctest.Network{}
		srv := rpc.NewServer(nil)
		srv.Register(server.serve(f, func() { network.Cut() })...)
		ln := network.Listen()
		web := &http.Server{Handler: srv}
		go web.Serve(ln)
		conn, err := rpc.Dial(t.Context(), "ws://server", &rpc.DialOptions{HTTPClient: &http.Client{Transport: &http.Transport{DialContext: network.Dial}}})
		if err != nil {
			t.Fatal(err)
		}
		call(t.Context(), conn, f)
		conn.Close()
		srv.Close()
		web.Close()
		synctest.Wait()
	})
	return f
}

// calls are the methods of Calls, and the worst that Compare says of each. The test sees
// whether it happens.
var calls = map[string]compat.Severity{
	"Gone.Do":         compat.Error,
	"Removed":         compat.Error,
	"Old":             compat.Error,
	"Added":           compat.Info,
	"Kind":            compat.Info,
	"Repeated":        compat.Error,
	"Once":            compat.Warning,
	"Follow":          compat.Error,
	"Changed":         compat.Error,
	"Begins":          compat.Warning,
	"Params":          compat.Error,
	"More":            compat.Info,
	"Upload":          compat.Info,
	"Order":           compat.Warning,
	"Alias(was)":      compat.Warning,
	"Alias(both)":     compat.Info,
	"Forgotten":       compat.Warning,
	"ForgottenResult": compat.Warning,
	"Arity":           compat.Error,
	"Less":            compat.Error,
	"Results":         compat.Info,
	"result both":     compat.Info,
	"result later":    compat.Warning,
	"StreamIn":        compat.Error,
	"StreamOut":       compat.Error,
	"Code":            compat.Warning,
	"Undeclared":      compat.Warning,
}

// TestCalls runs older clients against newer servers, and the reverse, and sees whether the
// worst that Compare says of a method is what happens: an error if an older client misses
// something, or a newer server; a warning if that is so only perhaps, or if a newer client
// silently loses something with an older server, and otherwise an info.
func TestCalls(t *testing.T) {
	old, new := oldSide(), newSide()
	for name, said := range calls {
		t.Run(name, func(t *testing.T) {
			oldOld, oldNew := observe(t, name, old, old), observe(t, name, old, new)
			newOld, newNew := observe(t, name, new, old), observe(t, name, new, new)
			if got := severity(oldOld, oldNew, newOld, newNew); got != said {
				t.Errorf("it is %s, want %s:\nolder client, older server: %v\nolder client, newer server: %v\nnewer client, older server: %v\nnewer client, newer server: %v",
					got, said, oldOld, oldNew, newOld, newNew)
			}
			if worst := worstOf(findings(t), name); worst != said {
				t.Errorf("Compare says %s, want %s", worst, said)
			}
		})
	}
}

func severity(oldOld, oldNew, newOld, newNew facts) compat.Severity {
	worst := compat.Info
	for _, name := range slices.Sorted(maps.Keys(oldOld)) {
		lost := oldNew[name] != oldOld[name]
		switch {
		case strings.HasPrefix(name, "served"):
			lost = oldNew[name] > newNew[name]
		case strings.HasPrefix(name, "perhaps"):
			lost = lost || newNew[name] != oldOld[name]
		}
		switch {
		case lost && strings.HasPrefix(name, "perhaps"):
			worst = max(worst, compat.Warning)
		case lost:
			worst = compat.Error
		}
	}
	for name, value := range newNew {
		before, known := oldOld[name]
		lost := newOld[name] != value && newOld[name] != "error"
		if strings.HasPrefix(name, "served") {
			lost = newOld[name] > before
		}
		if known && lost {
			worst = max(worst, compat.Warning)
		}
	}
	return worst
}

// worstOf returns the worst that is said of a method, a parameter or a result.
func worstOf(found []compat.Finding, name string) compat.Severity {
	worst := compat.None
	for _, f := range found {
		if about(f.Path) == name {
			worst = max(worst, f.Severity)
		}
	}
	return worst
}

// about is the name in calls that a path belongs to.
func about(path string) string {
	if name, ok := map[string]string{"Gone": "Gone.Do", "error api.Full": "Code", "Calls error api.Late": "Undeclared"}[path]; ok {
		return name
	}
	path = strings.TrimPrefix(path, "Calls.")
	if strings.HasPrefix(path, "Alias") {
		return strings.TrimPrefix(path, "AliasResult ")
	}
	name, _, _ := strings.Cut(path, "(")
	name, _, _ = strings.Cut(name, " ")
	return name
}

// TestAllFindingsAreRun holds that nothing is said of a method that TestCalls and TestValues do
// not run.
func TestAllFindingsAreRun(t *testing.T) {
	for _, f := range findings(t) {
		_, ok := calls[about(f.Path)]
		if !ok && !strings.HasPrefix(f.Path, "Values.") && !strings.HasPrefix(f.Path, "api.Value") {
			t.Errorf("no program runs into %s", f)
		}
	}
}

// raw calls a method with parameters of any form, as programs in other languages may.
func raw(ctx context.Context, conn *rpc.Conn, method string, params any) (result any, err error) {
	err = conn.Call(ctx, &rpc.Call{Method: &rpc.Method{Name: method}, Params: params, Result: &result})
	return result, err
}

// sum adds what a stream yields.
func sum(seq iter.Seq2[int, error]) (n int, err error) {
	for v, e := range seq {
		if e != nil {
			return n, e
		}
		n += v
	}
	return n, nil
}

// maxItems ends a stream that begins again and again.
const maxItems = 6

// ids are those of the items of a stream up to its end.
func ids[T any](seq iter.Seq2[T, error], id func(T) int64) string {
	var all []int64
	for v, err := range seq {
		if err != nil {
			return fmt.Sprint(all, " and an error")
		}
		if all = append(all, id(v)); len(all) == maxItems {
			break
		}
	}
	return fmt.Sprint(all)
}

// A log is a service of four items. It loses its connection behind the first two of the
// first call.
type log struct {
	cut  func()
	lost bool
}

// items yields the items behind one, by their number, and loses the connection once.
func items[T any](l *log, after int64, item func(n int64) T) iter.Seq2[T, error] {
	first := !l.lost
	return func(yield func(T, error) bool) {
		for n := after + 1; n <= 4; n++ {
			if n == 3 && first {
				synctest.Wait() // the items before have arrived
				l.lost = true
				l.cut()
				return
			}
			if !yield(item(n), nil) {
				return
			}
		}
	}
}

// recognized says whether an error is of type E, and its code.
func recognized[E error](err error) string {
	_, ok := errors.AsType[E](err)
	return fmt.Sprintf("recognized: %t", ok)
}
