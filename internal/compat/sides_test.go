package compat_test

import (
	"context"
	"fmt"
	"iter"

	newapi "github.com/wirecall/wirecall/internal/compat/testdata/new"
	oldapi "github.com/wirecall/wirecall/internal/compat/testdata/old"
	"github.com/wirecall/wirecall/rpc"
)

// A server has what servers of both contracts do in the same way.
type server struct {
	f    facts
	log  log
	runs int
}

// run counts the runs of a method, whose first answer is lost.
func (s *server) run() (int, error) {
	s.runs++
	s.f.note("served runs", s.runs, nil)
	if s.runs == 1 {
		s.log.cut()
	}
	return s.runs, nil
}

func (s *server) Kind(context.Context, int) error                          { return nil }
func (s *server) Repeated(context.Context) (int, error)                    { return s.run() }
func (s *server) Once(context.Context) (int, error)                        { return s.run() }
func (s *server) Forgotten(_ context.Context, kept string) (string, error) { return kept, nil }

func (s *server) ForgottenResult(context.Context) (kept, other string, err error) {
	return "kept", "other", nil
}

func (s *server) Alias(_ context.Context, was string, both int) (string, error) {
	s.f.note("Alias(was)", was, nil)
	s.f.note("Alias(both)", both, nil)
	return "", nil
}

func (s *server) AliasResult(context.Context) (both, later string, err error) {
	return "both", "later", nil
}

// A client has the methods whose types are the same in both contracts.
type client interface {
	Kind(ctx context.Context, x int) error
	Repeated(ctx context.Context) (int, error)
	Once(ctx context.Context) (int, error)
	Order(ctx context.Context, first, second string) (string, error)
	Alias(ctx context.Context, was string, both int) (string, error)
	AliasResult(ctx context.Context) (both, later string, err error)
	Forgotten(ctx context.Context, kept string) (string, error)
	ForgottenResult(ctx context.Context) (kept, other string, err error)
}

// olderStill is a server that sends a result by the name that it had before.
func olderStill() *rpc.Server {
	srv := rpc.NewServer(nil)
	srv.Register(rpc.Service{Methods: []*rpc.Method{{
		Name: oldapi.CallsForgottenResultMethod,
		New:  func() (params, result any) { return nil, new(map[string]string) },
		Serve: func(_ context.Context, _ any, c *rpc.Call) error {
			*c.Result.(*map[string]string) = map[string]string{"past": "kept", "other": "other"}
			return nil
		},
	}}})
	return srv
}

// common are the calls of a client of either contract.
func common[C client](of func(rpc.Caller) C) map[string]call {
	return map[string]call{
		"Kind": func(ctx context.Context, conn *rpc.Conn, f facts) { f.note("done", true, of(conn).Kind(ctx, 1)) },
		"Repeated": func(ctx context.Context, conn *rpc.Conn, f facts) {
			_, err := of(conn).Repeated(ctx)
			f.note("answered", true, err)
		},
		"Once": func(ctx context.Context, conn *rpc.Conn, f facts) {
			_, err := of(conn).Once(ctx)
			f.note("answered", true, err)
		},
		"Alias(was)": func(ctx context.Context, conn *rpc.Conn, f facts) {
			_, err := of(conn).Alias(ctx, "a", 7)
			f.only("Alias(was)", err)
		},
		"Alias(both)": func(ctx context.Context, conn *rpc.Conn, f facts) {
			_, err := of(conn).Alias(ctx, "a", 7)
			f.only("Alias(both)", err)
		},
		"result both": func(ctx context.Context, conn *rpc.Conn, f facts) {
			both, _, err := of(conn).AliasResult(ctx)
			f.note("result", both, err)
		},
		"result later": func(ctx context.Context, conn *rpc.Conn, f facts) {
			_, later, err := of(conn).AliasResult(ctx)
			f.note("result", later, err)
		},
		"Forgotten": func(ctx context.Context, conn *rpc.Conn, f facts) {
			s, err := of(conn).Forgotten(ctx, "kept")
			f.note("echo", s, err)
			older, err := raw(ctx, conn, oldapi.CallsForgottenMethod, map[string]string{"past": "kept"})
			f.note("perhaps from a client that is older still", older, err)
		},
		"ForgottenResult": func(ctx context.Context, conn *rpc.Conn, f facts) {
			kept, _, err := of(conn).ForgottenResult(ctx)
			f.note("result", kept, err)
			past, _, err := of(olderStill().Caller(ctx)).ForgottenResult(ctx)
			f.note("perhaps from a server that is older still", past, err)
		},
	}
}

type oldGone struct{}

func (oldGone) Do(context.Context) error { return nil }

// An oldServer is a server of the older contract.
type oldServer struct{ server }

func oldItem(n int64) oldapi.Item { return oldapi.Item{ID: n, Ref: 10 * n} }

func (s *oldServer) Removed(context.Context) error                    { return nil }
func (s *oldServer) Old(context.Context) error                        { return nil }
func (s *oldServer) Code(context.Context) error                       { return &oldapi.Full{} }
func (s *oldServer) Undeclared(context.Context) error                 { return &oldapi.Late{} }
func (s *oldServer) Arity(context.Context) (int, error)               { return 7, nil }
func (s *oldServer) Less(context.Context) (a, b, c string, err error) { return "a", "b", "c", nil }
func (s *oldServer) Results(context.Context) (a, b string, err error) { return "a", "b", nil }

func (s *oldServer) StreamIn(_ context.Context, up iter.Seq2[int, error]) (int, error) {
	return sum(up)
}

func (s *oldServer) StreamOut(context.Context) (iter.Seq2[int, error], error) {
	return rpc.Of(1, 2), nil
}

func (s *oldServer) Follow(_ context.Context, after int64) (iter.Seq2[oldapi.Item, error], error) {
	return items(&s.log, after, oldItem), nil
}

func (s *oldServer) Changed(_ context.Context, after int64) (iter.Seq2[oldapi.Item, error], error) {
	return items(&s.log, after, oldItem), nil
}

// Begins makes no promise about after.
func (s *oldServer) Begins(context.Context, int64) (iter.Seq2[oldapi.Item, error], error) {
	return items(&s.log, 0, oldItem), nil
}

func (s *oldServer) Params(_ context.Context, kept string, renamed oldapi.Color) (string, error) {
	return fmt.Sprint(kept, " ", renamed), nil
}

func (s *oldServer) More(_ context.Context, kept string) (string, error)   { return kept, nil }
func (s *oldServer) Upload(_ context.Context, kept string) (string, error) { return kept, nil }
func (s *oldServer) Order(_ context.Context, a, b string) (string, error)  { return "a is " + a, nil }

func oldSide() *side {
	of := oldapi.NewCallsClient
	id := func(i oldapi.Item) int64 { return i.ID }
	s := &side{call: common(of), serve: func(f facts, cut func()) []rpc.Service {
		return []rpc.Service{oldapi.GoneService(oldGone{}), oldapi.CallsService(&oldServer{server{f: f, log: log{cut: cut}}})}
	}}
	s.add(map[string]call{
		"Gone.Do": func(ctx context.Context, conn *rpc.Conn, f facts) {
			f.note("done", true, oldapi.NewGoneClient(conn).Do(ctx))
		},
		"Removed": func(ctx context.Context, conn *rpc.Conn, f facts) { f.note("done", true, of(conn).Removed(ctx)) },
		"Old": func(ctx context.Context, conn *rpc.Conn, f facts) {
			_, err := raw(ctx, conn, oldapi.CallsOldMethod, nil)
			f.note("done", true, err)
		},
		"Follow": func(ctx context.Context, conn *rpc.Conn, f facts) {
			seq, err := of(conn).Follow(ctx, 0)
			f.note("items", ids(seq, id), err)
		},
		"Changed": func(ctx context.Context, conn *rpc.Conn, f facts) {
			seq, err := of(conn).Changed(ctx, 0)
			f.note("items", ids(seq, id), err)
		},
		"Begins": func(ctx context.Context, conn *rpc.Conn, f facts) {
			seq, err := of(conn).Begins(ctx, 0)
			f.note("items", ids(seq, id), err)
		},
		"Params": func(ctx context.Context, conn *rpc.Conn, f facts) {
			s, err := of(conn).Params(ctx, "kept", "red")
			f.note("echo", s, err)
		},
		"More": func(ctx context.Context, conn *rpc.Conn, f facts) {
			s, err := of(conn).More(ctx, "kept")
			f.note("echo", s, err)
		},
		"Upload": func(ctx context.Context, conn *rpc.Conn, f facts) {
			s, err := of(conn).Upload(ctx, "kept")
			f.note("echo", s, err)
		},
		"Order": func(ctx context.Context, conn *rpc.Conn, f facts) {
			s, err := of(conn).Order(ctx, "1", "2")
			f.note("echo", s, err)
			r, err := raw(ctx, conn, oldapi.CallsOrderMethod, []string{"1", "2"})
			f.note("perhaps by position", r, err)
		},
		"Arity": func(ctx context.Context, conn *rpc.Conn, f facts) {
			n, err := of(conn).Arity(ctx)
			f.note("n", n, err)
		},
		"Less": func(ctx context.Context, conn *rpc.Conn, f facts) {
			a, b, c, err := of(conn).Less(ctx)
			f.note("results", []string{a, b, c}, err)
		},
		"Results": func(ctx context.Context, conn *rpc.Conn, f facts) {
			a, b, err := of(conn).Results(ctx)
			f.note("results", []string{a, b}, err)
		},
		"StreamIn": func(ctx context.Context, conn *rpc.Conn, f facts) {
			n, err := of(conn).StreamIn(ctx, rpc.Of(1, 2))
			f.note("sum", n, err)
		},
		"StreamOut": func(ctx context.Context, conn *rpc.Conn, f facts) {
			seq, _ := of(conn).StreamOut(ctx)
			n, err := sum(seq)
			f.note("sum", n, err)
		},
		"Code": func(ctx context.Context, conn *rpc.Conn, f facts) {
			f["error"] = recognized[*oldapi.Full](of(conn).Code(ctx))
			_, err := raw(ctx, conn, oldapi.CallsCodeMethod, nil)
			f["perhaps the code"] = fmt.Sprint(rpc.CodeOf(err))
		},
		"Undeclared": func(ctx context.Context, conn *rpc.Conn, f facts) {
			f["perhaps the error"] = recognized[*oldapi.Late](of(conn).Undeclared(ctx))
		},
	})
	return s
}

// A newServer is a server of the newer contract.
type newServer struct{ server }

func newItem(n int64) newapi.Item { return newapi.Item{ID: n, Ref: 10 * n} }

func (s *newServer) Added(context.Context) error                         { return nil }
func (s *newServer) Code(context.Context) error                          { return &newapi.Full{} }
func (s *newServer) Undeclared(context.Context) error                    { return &newapi.Late{} }
func (s *newServer) Arity(context.Context) (int, string, error)          { return 7, "", nil }
func (s *newServer) Less(context.Context) (b, c string, err error)       { return "b", "c", nil }
func (s *newServer) Results(context.Context) (a, b, c string, err error) { return "a", "b", "c", nil }
func (s *newServer) StreamIn(_ context.Context, up []int) (int, error)   { return len(up), nil }
func (s *newServer) StreamOut(context.Context) ([]int, error)            { return []int{1, 2}, nil }

// Follow makes no promise about after.
func (s *newServer) Follow(context.Context, int64) (iter.Seq2[newapi.Item, error], error) {
	return items(&s.log, 0, newItem), nil
}

func (s *newServer) Changed(_ context.Context, after int64) (iter.Seq2[newapi.Item, error], error) {
	return items(&s.log, after/10, newItem), nil
}

func (s *newServer) Begins(_ context.Context, after int64) (iter.Seq2[newapi.Item, error], error) {
	return items(&s.log, after, newItem), nil
}

func (s *newServer) Params(_ context.Context, kept string, colour newapi.Color) (string, error) {
	return fmt.Sprint(kept, " ", colour), nil
}

func (s *newServer) More(_ context.Context, kept, added string) (string, error) { return kept, nil }

func (s *newServer) Upload(_ context.Context, kept string, more iter.Seq2[int, error]) (string, error) {
	_, err := sum(more)
	return kept, err
}

func (s *newServer) Order(_ context.Context, b, a string) (string, error) { return "a is " + a, nil }

func newSide() *side {
	of := newapi.NewCallsClient
	id := func(i newapi.Item) int64 { return i.ID }
	s := &side{call: common(of), serve: func(f facts, cut func()) []rpc.Service {
		return []rpc.Service{newapi.CallsService(&newServer{server{f: f, log: log{cut: cut}}})}
	}}
	s.add(map[string]call{
		"Added": func(ctx context.Context, conn *rpc.Conn, f facts) { f.note("done", true, of(conn).Added(ctx)) },
		"Follow": func(ctx context.Context, conn *rpc.Conn, f facts) {
			seq, err := of(conn).Follow(ctx, 0)
			f.note("items", ids(seq, id), err)
		},
		"Changed": func(ctx context.Context, conn *rpc.Conn, f facts) {
			seq, err := of(conn).Changed(ctx, 0)
			f.note("items", ids(seq, id), err)
		},
		"Begins": func(ctx context.Context, conn *rpc.Conn, f facts) {
			seq, err := of(conn).Begins(ctx, 0)
			f.note("items", ids(seq, id), err)
		},
		"Params": func(ctx context.Context, conn *rpc.Conn, f facts) {
			s, err := of(conn).Params(ctx, "kept", "red")
			f.note("echo", s, err)
		},
		"More": func(ctx context.Context, conn *rpc.Conn, f facts) {
			s, err := of(conn).More(ctx, "kept", "added")
			f.note("echo", s, err)
		},
		"Upload": func(ctx context.Context, conn *rpc.Conn, f facts) {
			s, err := of(conn).Upload(ctx, "kept", rpc.Of(1, 2))
			f.note("echo", s, err)
		},
		"Order": func(ctx context.Context, conn *rpc.Conn, f facts) {
			s, err := of(conn).Order(ctx, "2", "1")
			f.note("echo", s, err)
		},
		"Arity": func(ctx context.Context, conn *rpc.Conn, f facts) {
			n, _, err := of(conn).Arity(ctx)
			f.note("n", n, err)
		},
		"Less": func(ctx context.Context, conn *rpc.Conn, f facts) {
			b, c, err := of(conn).Less(ctx)
			f.note("results", []string{"a", b, c}, err)
		},
		"Results": func(ctx context.Context, conn *rpc.Conn, f facts) {
			a, b, _, err := of(conn).Results(ctx)
			f.note("results", []string{a, b}, err)
		},
		"StreamIn": func(ctx context.Context, conn *rpc.Conn, f facts) {
			n, err := of(conn).StreamIn(ctx, []int{1, 2})
			f.note("sum", n, err)
		},
		"StreamOut": func(ctx context.Context, conn *rpc.Conn, f facts) {
			all, err := of(conn).StreamOut(ctx)
			f.note("sum", len(all), err)
		},
		"Code": func(ctx context.Context, conn *rpc.Conn, f facts) {
			f["error"] = recognized[*newapi.Full](of(conn).Code(ctx))
		},
	})
	return s
}
