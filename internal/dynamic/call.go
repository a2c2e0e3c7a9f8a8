package dynamic

import (
	"cmp"
	"context"
	"encoding/json"
	"iter"
	"slices"
	"sync"

	"github.com/wirecall/wirecall/internal/openrpc"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/gen1"
)

// A Handler receives what a call brings. Its functions are called by one goroutine at a
// time. An error of theirs ends the call.
type Handler struct {
	// Result is called with a result. name is empty unless there are several.
	Result func(name string, value JSON) error

	// Item is called with each item of a stream. name is empty unless there are several
	// results.
	Item func(name string, item JSON) error
}

// A Call is a call that is to be made.
type Call struct {
	Method *openrpc.Method
	Params any             // a *Params, or a JSON array or object; nil for none
	Notify bool            // send it as a notification, which has no answer
	Stream bool            // the result is a stream, though there is no description
	Cursor *openrpc.Cursor // in place of the described one; nil for that

	// Subscription is what the stream is if the server speaks plain JSON-RPC.
	Subscription *rpc.Subscription
}

// Make makes the call, and returns when it and its streams have ended.
func (c *Call) Make(ctx context.Context, caller rpc.Caller, h *Handler) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	m := c.Method
	method := &rpc.Method{Name: m.Name, Service: m.Extension.Service, Notify: c.Notify || m.Extension.Notify, Idempotent: m.Extension.Idempotent}
	call := &rpc.Call{Method: method}
	switch p, ok := c.Params.(*Params); {
	case !ok:
		call.Params = c.Params
	case len(p.names) == 0:
	case m.Structure == "by-position" && (c.Subscription == nil || c.Subscription.Kind == ""): // which is sent by position in any case
		call.Params = positions(m, p)
	default:
		method.Params, call.Params = p.names, p
	}
	switch names := m.Extension.Results; {
	case method.Notify:
		return caller.Call(ctx, call)
	case c.Stream || m.Streams():
		return c.stream(ctx, caller, call, h)
	case len(names) > 0:
		return several(ctx, cancel, m, caller, call, h)
	}
	var result JSON
	call.Result = &result
	if err := caller.Call(ctx, call); err != nil {
		return err
	}
	return h.Result("", result)
}

// positions are the parameters as an array, up to the last one that is given.
func positions(m *openrpc.Method, p *Params) []any {
	var all []any
	last := 0
	for _, v := range m.Params {
		if i := slices.Index(p.names, v.Name); i >= 0 {
			all = append(all, p.values[i])
			last = len(all)
		} else {
			all = append(all, nil)
		}
	}
	return all[:last]
}

// stream makes a call whose one result is a stream.
func (c *Call) stream(ctx context.Context, caller rpc.Caller, call *rpc.Call, h *Handler) error {
	var s gen1.Stream
	call.Result = &s
	if c.Subscription != nil {
		call.Method.Plain = &rpc.Plain{Subscription: c.Subscription}
	}
	cursor := cmp.Or(c.Cursor, c.Method.Extension.Cursor)
	if cursor != nil {
		call.Method.Cursor = cursor.Param
	}
	if err := caller.Call(ctx, call); err != nil {
		return err
	}
	seq := gen1.Receive[JSON](s)
	if params, ok := c.Params.(*Params); ok && cursor != nil {
		if i := slices.Index(params.names, cursor.Param); i >= 0 {
			seq = gen1.Cursor(ctx, caller, call, func(item JSON) {
				if after, ok := After(cursor, item); ok {
					*params.values[i].(*JSON) = after
				}
			})
		}
	}
	return each(seq, func(item JSON) error { return h.Item("", item) })
}

// After returns the value of a cursor behind an item: what its path leads to. ok is false
// if there is nothing.
func After(c *openrpc.Cursor, item JSON) (after JSON, ok bool) {
	for _, name := range c.Path {
		var object map[string]JSON
		if json.Unmarshal(item, &object) != nil || object[name] == nil {
			return nil, false
		}
		item = object[name]
	}
	return item, true
}

func each(seq iter.Seq2[JSON, error], f func(JSON) error) error {
	for item, err := range seq {
		if err != nil {
			return err
		}
		if err := f(item); err != nil {
			return err
		}
	}
	return nil
}

// results is a gen1.Record of results: *JSON, or *gen1.Stream.
type results []any

// Field implements gen1.Record.
func (r results) Field(i int) any { return r[i] }

// several makes a call that has several results. Their streams are read at once, as each
// may wait for the others.
func several(ctx context.Context, cancel context.CancelCauseFunc, m *openrpc.Method, caller rpc.Caller, call *rpc.Call, h *Handler) error {
	names := m.Extension.Results
	var r results
	for _, name := range names {
		if m.Receives(name) {
			r = append(r, new(gen1.Stream))
		} else {
			r = append(r, new(JSON))
		}
	}
	call.Method.Results, call.Result = names, r
	if err := caller.Call(ctx, call); err != nil {
		return err
	}
	for i, name := range names {
		if v, ok := r[i].(*JSON); ok {
			if err := h.Result(name, *v); err != nil {
				return err
			}
		}
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	for i, name := range names {
		s, ok := r[i].(*gen1.Stream)
		if !ok {
			continue
		}
		wg.Go(func() {
			err := each(gen1.Receive[JSON](*s), func(item JSON) error {
				mu.Lock()
				defer mu.Unlock()
				return h.Item(name, item)
			})
			if err != nil {
				cancel(err) // the first is the cause
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}
