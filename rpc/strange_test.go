package rpc_test

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/wirecall/wirecall/rpc"
)

// Strange is a service in the manner of JSON-RPC servers that are not wirecall's.
//
//wirecall:service name=Strange names=st_methodName
//wirecall:params position
//wirecall:error wound -32003
type Strange interface {
	// GetBlock returns what it is given.
	GetBlock(ctx context.Context, number string, full *bool, tags ...string) (string, error)

	// List returns what it is given.
	//
	//wirecall:params name omitempty=cursor,limit
	List(ctx context.Context, cursor *string, limit int, all bool) (string, error)

	// Progress is a notification under $/.
	//
	//wirecall:name $/progress
	//wirecall:notify
	Progress(ctx context.Context, token string) error

	// Heads streams the numbers from 1 to n.
	//
	//wirecall:subscription ethereum
	Heads(ctx context.Context, n int) (iter.Seq2[int, error], error)

	// Logs streams words.
	//
	//wirecall:subscription ethereum
	Logs(ctx context.Context) (iter.Seq2[string, error], error)

	// SubscribeBlock streams the numbers from 1 to n, one a second.
	//
	//wirecall:subscription substrate
	SubscribeBlock(ctx context.Context, n int) (iter.Seq2[int, error], error)

	// Sync streams the numbers from 1 to n, or to -n, one a second.
	//
	//wirecall:subscription go-jsonrpc
	Sync(ctx context.Context, n int) (iter.Seq2[int, error], error)

	// Feed streams the numbers from 1, one a second.
	//
	//wirecall:name feed
	//wirecall:subscription rpc-websockets
	Feed(ctx context.Context) (iter.Seq2[int, error], error)

	// After streams the numbers behind after, one a second.
	//
	//wirecall:cursor after=N
	//wirecall:subscription subscribe=st_watch unsubscribe=st_unwatch notify=st_item item=value
	After(ctx context.Context, after int) (iter.Seq2[Mark, error], error)

	// Rows streams the numbers from 1 to n, one a second.
	//
	//wirecall:subscription notify=st_row id=0 item=1
	Rows(ctx context.Context, n int) (iter.Seq2[int, error], error)

	// Tides streams the numbers from 1 to n, one a second.
	//
	//wirecall:subscription notify=st_tide end=st_over unsubscribe=st_leave
	Tides(ctx context.Context, n int) (iter.Seq2[int, error], error)

	// Winds streams the numbers from 1 to n, one a second.
	//
	//wirecall:subscription notify=st_wind end=st_over unsubscribe=st_leave
	Winds(ctx context.Context, n int) (iter.Seq2[int, error], error)

	// Alarms streams marks, one a second.
	//
	//wirecall:subscription notify=st_alarm unsubscribe=st_quiet id= item=
	Alarms(ctx context.Context) (iter.Seq2[Mark, error], error)
}

// strange serves Strange by a tester.
type strange struct{ *tester }

func (s strange) GetBlock(_ context.Context, number string, full *bool, tags ...string) (string, error) {
	if number == "wound" {
		return "", &wound{Depth: 3}
	}
	return fmt.Sprint(number, full != nil, tags), nil
}

func (s strange) List(_ context.Context, cursor *string, limit int, all bool) (string, error) {
	return fmt.Sprint(cursor != nil, limit, all), nil
}

func (s strange) Progress(_ context.Context, token string) error {
	s.note("progress %s", token)
	return nil
}

func (s strange) Heads(ctx context.Context, n int) (iter.Seq2[int, error], error) {
	return s.Count(ctx, n)
}

func (s strange) Logs(context.Context) (iter.Seq2[string, error], error) {
	return rpc.Of("a", "b"), nil
}

func (s strange) SubscribeBlock(ctx context.Context, n int) (iter.Seq2[int, error], error) {
	return s.Tick(ctx, n)
}

func (s strange) Sync(ctx context.Context, n int) (iter.Seq2[int, error], error) {
	if n < 0 {
		return s.Tick(ctx, -n)
	}
	return s.Count(ctx, n)
}

func (s strange) Feed(ctx context.Context) (iter.Seq2[int, error], error) { return s.Tick(ctx, 100) }

func (s strange) After(ctx context.Context, after int) (iter.Seq2[Mark, error], error) {
	return s.Follow(ctx, after, after+100)
}

func (s strange) Rows(ctx context.Context, n int) (iter.Seq2[int, error], error) {
	return s.Tick(ctx, n)
}

func (s strange) Tides(ctx context.Context, n int) (iter.Seq2[int, error], error) {
	return s.Tick(ctx, n)
}

func (s strange) Winds(ctx context.Context, n int) (iter.Seq2[int, error], error) {
	return s.Tick(ctx, n)
}

func (s strange) Alarms(ctx context.Context) (iter.Seq2[Mark, error], error) {
	return s.After(ctx, 0)
}

// strangeCalls are the calls of Strange that programs of transcripts make.
var strangeCalls = map[string]func(ctx context.Context, s *StrangeClient, args []string) (any, iter.Seq2[any, error], error){
	"block": func(ctx context.Context, s *StrangeClient, args []string) (any, iter.Seq2[any, error], error) {
		var full *bool
		if args[1] != "" {
			full = new(bool)
			*full = args[1] == "full"
		}
		v, err := s.GetBlock(ctx, args[0], full, strings.Fields(strings.Join(args[2:], " "))...)
		return v, nil, err
	},
	"list": func(ctx context.Context, s *StrangeClient, args []string) (any, iter.Seq2[any, error], error) {
		var cursor *string
		if args[0] != "-" {
			cursor = &args[0]
		}
		v, err := s.List(ctx, cursor, number(args[1]), args[2] == "all")
		return v, nil, err
	},
	"progress": func(ctx context.Context, s *StrangeClient, args []string) (any, iter.Seq2[any, error], error) {
		return "sent", nil, s.Progress(ctx, args[0])
	},
	"heads": func(ctx context.Context, s *StrangeClient, args []string) (any, iter.Seq2[any, error], error) {
		seq, err := s.Heads(ctx, number(args[0]))
		return "open", untyped(seq), err
	},
	"logs": func(ctx context.Context, s *StrangeClient, _ []string) (any, iter.Seq2[any, error], error) {
		seq, err := s.Logs(ctx)
		return "open", untyped(seq), err
	},
	"blocks": func(ctx context.Context, s *StrangeClient, args []string) (any, iter.Seq2[any, error], error) {
		seq, err := s.SubscribeBlock(ctx, number(args[0]))
		return "open", untyped(seq), err
	},
	"sync": func(ctx context.Context, s *StrangeClient, args []string) (any, iter.Seq2[any, error], error) {
		seq, err := s.Sync(ctx, number(args[0]))
		return "open", untyped(seq), err
	},
	"feed": func(ctx context.Context, s *StrangeClient, _ []string) (any, iter.Seq2[any, error], error) {
		seq, err := s.Feed(ctx)
		return "open", untyped(seq), err
	},
	"behind": func(ctx context.Context, s *StrangeClient, args []string) (any, iter.Seq2[any, error], error) {
		seq, err := s.After(ctx, number(args[0]))
		return "open", untyped(seq), err
	},
	"rows": func(ctx context.Context, s *StrangeClient, args []string) (any, iter.Seq2[any, error], error) {
		seq, err := s.Rows(ctx, number(args[0]))
		return "open", untyped(seq), err
	},
	"tides": func(ctx context.Context, s *StrangeClient, args []string) (any, iter.Seq2[any, error], error) {
		seq, err := s.Tides(ctx, number(args[0]))
		return "open", untyped(seq), err
	},
	"winds": func(ctx context.Context, s *StrangeClient, args []string) (any, iter.Seq2[any, error], error) {
		seq, err := s.Winds(ctx, number(args[0]))
		return "open", untyped(seq), err
	},
	"alarms": func(ctx context.Context, s *StrangeClient, _ []string) (any, iter.Seq2[any, error], error) {
		seq, err := s.Alarms(ctx)
		return "open", untyped(seq), err
	},
}

func init() {
	for name, call := range strangeCalls {
		calls[name] = func(ctx context.Context, s *SubjectClient, args []string) (any, iter.Seq2[any, error], error) {
			return call(ctx, NewStrangeClient(s.caller), args)
		}
	}
}
