package people

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/wirecall/wirecall/internal/passthrough"
	"github.com/wirecall/wirecall/rpc"
)

// Peer returns a Caller whose calls go to the device that was bound to a name last when
// they are made.
func (p *People) Peer(name string) rpc.Caller { return &peer{p, name} }

// Peers returns a Caller for each device of a name, that which was bound last first.
func (p *People) Peers(ctx context.Context, name string) ([]rpc.Caller, error) {
	entries, err := p.list(ctx, name)
	callers := make([]rpc.Caller, len(entries))
	for i, e := range entries {
		callers[i] = &single{p, e}
	}
	return callers, err
}

// list returns the devices of a name, that which was bound last first. Those of this node
// can be called while the directory cannot be read.
func (p *People) list(ctx context.Context, name string) ([]Entry, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	entries, err := p.opts.Directory.List(ctx, name)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		if entries = p.own(name); len(entries) == 0 {
			return nil, unavailable(fmt.Errorf("look up %q: %w", name, err))
		}
	}
	slices.Reverse(entries)
	return entries, nil
}

// own returns the devices of a name on this node.
func (p *People) own(name string) (entries []Entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range p.named[name] {
		entries = append(entries, Entry{Node: p.opts.Node, Device: d.id})
	}
	return entries
}

// single is a Caller for one device.
type single struct {
	people *People
	entry  Entry
}

// Call implements rpc.Caller.
func (s *single) Call(ctx context.Context, call *rpc.Call) error {
	_, err := s.people.call(ctx, s.entry, call)
	return passthrough.Failed(call, err)
}

// call makes a call to a device. begun is false if nothing of it has been sent.
func (p *People) call(ctx context.Context, e Entry, call *rpc.Call) (begun bool, err error) {
	attempt := *call // which interceptors may change
	if e.Node == p.opts.Node {
		d, err := p.find(e.Device)
		if err != nil {
			return false, err
		}
		return true, d.Call(ctx, &attempt)
	}
	l, err := p.links.get(ctx, linkTo{e.Node, strings.Trim(string(e.Value), `"`)})
	if err != nil {
		return false, err
	}
	defer p.links.put(l)
	return true, lost(passthrough.To(l.conn, e.Device).Call(ctx, &attempt))
}

// lost returns the error of a call over a link, whose session is no user's: that it was
// lost is said as of a connection.
func lost(err error) error {
	e, ok := err.(*rpc.Error)
	if !ok || e.Code != rpc.CodeSessionLost {
		return err
	}
	own := *e
	own.Code = rpc.CodeUnavailable
	return &own
}

// A peer is a Caller for who is bound to a name.
type peer struct {
	people *People
	name   string
}

// Call implements rpc.Caller.
func (p *peer) Call(ctx context.Context, call *rpc.Call) error {
	return passthrough.Failed(call, p.call(ctx, call))
}

// mostTries is how many devices are tried for a call.
const mostTries = 8

// call makes a call to the device that was bound last, and if that could not be reached
// to the next.
func (p *peer) call(ctx context.Context, call *rpc.Call) error {
	err := unavailable(fmt.Errorf("nobody is bound to %q", p.name))
	var tried []string
	for range mostTries {
		entries, looked := p.people.list(ctx, p.name)
		if looked != nil {
			return looked
		}
		i := slices.IndexFunc(entries, func(e Entry) bool { return !slices.Contains(tried, e.Device) })
		if i < 0 {
			return err
		}
		tried = append(tried, entries[i].Device)
		begun, failed := p.people.call(ctx, entries[i], call)
		if begun && !repeats(call, failed) {
			return failed
		}
		if !rpc.NotRun(failed) || !rpc.NotRun(err) { // it may have run somewhere
			err = failed
		}
	}
	return err
}

// repeats reports whether a call that was sent to a device and failed must be made to
// another: that device could not be reached, and the call has not run or may run twice.
func repeats(call *rpc.Call, err error) bool {
	return rpc.CodeOf(err) == rpc.CodeUnavailable && !passthrough.Sends(call) && (rpc.NotRun(err) || call.Method.Idempotent)
}
