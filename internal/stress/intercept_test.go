package stress

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/wirecall/wirecall/rpc"
)

// noted is an interceptor that writes down when it is entered and left.
func noted(notes *[]string, mu *sync.Mutex, name string) rpc.Interceptor {
	note := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		*notes = append(*notes, fmt.Sprintf(format, args...))
	}
	return func(ctx context.Context, c *rpc.Call, next rpc.Handler) error {
		note("%s > %s", name, c.Method.Name)
		err := next(ctx, c)
		note("%s < %v", name, err)
		return err
	}
}

// Interceptors are wrapped around calls on both ends, the first outermost, for
// calls with streams as for others.
func TestInterceptorsNest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var notes []string
		var mu sync.Mutex
		p := inMemory(t, &load{},
			&rpc.ServerOptions{ServeInterceptors: []rpc.Interceptor{noted(&notes, &mu, "outer server"), noted(&notes, &mu, "inner server")}},
			&rpc.ConnOptions{CallInterceptors: []rpc.Interceptor{noted(&notes, &mu, "outer client"), noted(&notes, &mu, "inner client")}})
		items, err := p.Count(t.Context(), 3, 1)
		if err != nil {
			t.Fatal(err)
		}
		wantCount(t, 3)(inOrder(items))
		want := []string{
			"outer client > Load.Count", "inner client > Load.Count", "outer server > Load.Count", "inner server > Load.Count",
			"inner server < <nil>", "outer server < <nil>", "inner client < <nil>", "outer client < <nil>",
		}
		if !slices.Equal(notes, want) {
			t.Errorf("%q\nwant %q", notes, want)
		}
	})
}

// An interceptor refuses a call by returning an error, and its result streams
// yield that; the other side does not hear of the call.
func TestInterceptorRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		impl := &load{}
		refused := &rpc.Error{Code: rpc.CodePermissionDenied, Message: "not you"}
		deny := func(context.Context, *rpc.Call, rpc.Handler) error { return refused }
		for name, p := range map[string]*pair{
			"at the client": inMemory(t, impl, nil, &rpc.ConnOptions{CallInterceptors: []rpc.Interceptor{deny}}),
			"at the server": inMemory(t, impl, &rpc.ServerOptions{ServeInterceptors: []rpc.Interceptor{deny}}, nil),
		} {
			items, err := p.Count(t.Context(), 3, 1)
			if e, ok := errors.AsType[*rpc.Error](err); !ok || e.Code != rpc.CodePermissionDenied || e.Message != "not you" {
				t.Errorf("%s: %v", name, err)
			}
			if n, err2 := inOrder(items); n != 0 || err2 == nil || err2.Error() != err.Error() {
				t.Errorf("%s: the stream yields %d items and %v", name, n, err2)
			}
			if err := p.Drop(t.Context(), counted(1000)); err == nil {
				t.Errorf("%s: an upload was not refused", name)
			}
		}
		if n := impl.produced.Load(); n != 0 {
			t.Errorf("the service produced %d items for refused calls", n)
		}
	})
}

// An interceptor can change what is sent and make a call again.
func TestInterceptorRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		flaky := func(ctx context.Context, c *rpc.Call, next rpc.Handler) error {
			if tries++; tries < 3 {
				return errors.New("try again")
			}
			return next(ctx, c)
		}
		retry := func(ctx context.Context, c *rpc.Call, next rpc.Handler) error {
			for {
				if err := next(ctx, c); err == nil || err.Error() != "try again" {
					return err
				}
			}
		}
		p := inMemory(t, &load{}, &rpc.ServerOptions{ServeInterceptors: []rpc.Interceptor{flaky}},
			&rpc.ConnOptions{CallInterceptors: []rpc.Interceptor{retry}})
		if s, err := p.Echo(t.Context(), "hi"); s != "hi" || err != nil || tries != 3 {
			t.Errorf("%q, %v after %d tries", s, err, tries)
		}
	})
}

// Items of any size up to the limit cross, and one over it ends its stream with
// an error that says so; calls likewise. The connection stays.
func TestSizes(t *testing.T) {
	everywhere(t, func(t *testing.T, p *pair, _ *load) {
		for _, n := range []int{0, 1, 4000, 32 << 10, 100_000, 1<<20 - 1000} {
			if s, err := p.Blob(t.Context(), n); len(s) != n || err != nil {
				t.Errorf("a result of %d bytes: %d, %v", n, len(s), err)
			}
			if s, err := p.Echo(t.Context(), blank(n)); len(s) != n || err != nil {
				t.Errorf("a parameter of %d bytes: %d, %v", n, len(s), err)
			}
			items, err := p.Count(t.Context(), 3, n)
			if err != nil {
				t.Fatal(err)
			}
			wantCount(t, 3)(inOrder(items))
		}
		wantTooLarge := func(what string, err error) {
			t.Helper()
			if !errors.Is(err, rpc.CodeTooLarge) {
				t.Errorf("%s over the limit: %v", what, err)
			}
		}
		_, err := p.Blob(t.Context(), 1<<20)
		wantTooLarge("a result", err)
		_, err = p.Echo(t.Context(), blank(1<<20))
		wantTooLarge("a parameter", err)
		items, err := p.Count(t.Context(), 3, 1<<20)
		if err == nil {
			_, err = inOrder(items)
		}
		wantTooLarge("an item", err)
		if s, err := p.Echo(t.Context(), "still there"); s != "still there" || err != nil {
			t.Error(s, err)
		}
	})
}

func blank(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = ' '
	}
	return string(b)
}
