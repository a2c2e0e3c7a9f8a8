package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"strconv"
	"sync"

	"github.com/wirecall/wirecall/codec/jsongen"
	"github.com/wirecall/wirecall/internal/workers"
)

// floorPeer is the least that does wirecall's work: its JSON-RPC text in masked
// frames that are packed while others are written, the same generated code for the
// values, handlers on workers that may block, each with a context, and callers that
// heed theirs. It knows the form of each message to the byte. What it has not is what
// wirecall's distance to it pays for: limits, sessions that survive a cut, a clean end,
// cancellation, metadata, errors, other peers, and checks of what comes in.
var floorPeer = Peer{
	Name:  "floor",
	About: "no library: the least that does the same over WebSocket frames, JSON-RPC and generated JSON; no limits, sessions, cancellation, errors or checks",
	Serve: serveFloor,
	Dial:  dialFloor,
}

// What messages begin with, and end with.
const (
	floorID     = `{"jsonrpc":"2.0","id":`
	floorEcho   = `,"method":"Bench.Echo","params":{"v":`
	floorText   = `,"method":"Bench.Text","params":{"s":`
	floorFeed   = `,"method":"Bench.Items","params":{"f":`
	floorUp     = `,"method":"Bench.Upload","params":{"n":` // the bytes sent, behind the last chunk
	floorResult = `,"result":`
	floorItems  = `{"jsonrpc":"2.0","method":"$/items","params":[`
	floorCredit = `{"jsonrpc":"2.0","method":"$/credit","params":[`
	floorChunk  = `{"jsonrpc":"2.0","method":"$/chunk","params":[`
)

// A stream may have so many items in flight; half of them are granted at a time.
const floorWindow = 4096

var errFloor = errors.New("floor: not what was expected")

// after returns what follows the number that s begins with.
func after(s []byte) (n uint64, rest []byte) {
	for i, c := range s {
		if c < '0' || c > '9' {
			return n, s[i:]
		}
		n = 10*n + uint64(c-'0')
	}
	return n, nil
}

// A floorServer serves one connection.
type floorServer struct {
	*floorConn
	ctx     context.Context
	workers workers.Pool[*floorCall]

	mu      sync.Mutex
	streams map[uint64]*floorSource
}

func serveFloor(ln net.Listener, _ Options) (func(), error) {
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			ctx, cancel := context.WithCancel(context.Background())
			s := &floorServer{floorConn: newFloorConn(nc, false), ctx: ctx, streams: map[uint64]*floorSource{}}
			s.workers.Init((*floorCall).serve)
			go func() {
				defer cancel()
				defer nc.Close()
				s.read(s.receive)
				s.workers.End()
			}()
		}
	}()
	return func() { ln.Close() }, nil
}

// A floorCall is a call that is served, and its own context.
type floorCall struct {
	context.Context
	server *floorServer
	id     uint64
	echo   bool
	params []byte
}

var floorParams = sync.Pool{New: func() any { return new([]byte) }}

// receive takes in one message; its parameters are copied.
func (s *floorServer) receive(m []byte) error {
	if rest, ok := bytes.CutPrefix(m, []byte(floorCredit)); ok {
		id, rest := after(rest)
		n, _ := after(rest[1:])
		s.stream(id).grant(int(n))
		return nil
	}
	if rest, ok := bytes.CutPrefix(m, []byte(floorChunk)); ok {
		var b []byte
		_, rest = after(rest)
		if jsongen.Bytes(rest, 1, &b) < 0 {
			return errFloor
		}
		return nil
	}
	rest, _ := bytes.CutPrefix(m, []byte(floorID))
	call := &floorCall{Context: s.ctx, server: s}
	call.id, rest = after(rest)
	if params, ok := bytes.CutPrefix(rest, []byte(floorFeed)); ok {
		var f Feed
		if decodeFeedJSON(params, 0, &f) < 0 {
			return errFloor
		}
		go s.stream(call.id).run(f)
		return nil
	}
	if params, ok := bytes.CutPrefix(rest, []byte(floorUp)); ok {
		n, _ := after(params)
		s.answer(call.id, func(dst []byte) []byte { return strconv.AppendUint(dst, n, 10) })
		return nil
	}
	params, ok := bytes.CutPrefix(rest, []byte(floorEcho))
	if call.echo = ok; !ok {
		params, _ = bytes.CutPrefix(rest, []byte(floorText))
	}
	buf := floorParams.Get().(*[]byte)
	call.params = append((*buf)[:0], params...)
	s.workers.Go(call)
	return nil
}

func (c *floorCall) serve() {
	if c.echo {
		var v Value
		if decodeValueJSON(shared(c.params), 0, &v) < 0 {
			panic(errFloor)
		}
		v, _ = bench{}.Echo(c, v)
		c.server.answer(c.id, func(dst []byte) []byte { return appendValueJSON(dst, &v) })
	} else {
		var t string
		if jsongen.String(exact(c.params), 0, &t) < 0 {
			panic(errFloor)
		}
		t, _ = bench{}.Text(c, t)
		c.server.answer(c.id, func(dst []byte) []byte { return jsongen.AppendString(dst, &t) })
	}
	floorParams.Put(&c.params)
}

// shared copies JSON for a decoder, whose strings then stay in the copy, as capacity
// behind its end says: one allocation for all of them.
func shared(s []byte) []byte {
	own := make([]byte, len(s)+1)
	return own[:copy(own, s)]
}

// exact has no such capacity: the strings are copies.
func exact(s []byte) []byte { return s[:len(s):len(s)] }

func (s *floorServer) answer(id uint64, result func([]byte) []byte) {
	s.put(func(dst []byte) []byte {
		dst = strconv.AppendUint(append(dst, floorID...), id, 10)
		return append(result(append(dst, floorResult...)), '}')
	})
}

// A floorSource is a stream's producer, which waits where it has no credit.
type floorSource struct {
	server *floorServer
	id     uint64
	grants chan int
	credit int
	items  []byte // encoded, with commas between them
	count  int
}

func (s *floorServer) stream(id uint64) *floorSource {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.streams[id] == nil {
		s.streams[id] = &floorSource{server: s, id: id, grants: make(chan int, 4), credit: floorWindow}
	}
	return s.streams[id]
}

func (f *floorSource) grant(n int) {
	select {
	case f.grants <- n:
	case <-f.server.ctx.Done():
	}
}

// floorBatch is how many bytes of items are put as one message.
const floorBatch = 16 << 10

func (f *floorSource) run(feed Feed) {
	feed.produce(f.server.ctx, func(it Item) error {
		if f.credit == 0 {
			f.put()
			select {
			case n := <-f.grants:
				f.credit += n
			case <-f.server.ctx.Done():
				return context.Cause(f.server.ctx)
			}
		}
		if f.count > 0 {
			f.items = append(f.items, ',')
		}
		f.items = appendItemJSON(f.items, &it)
		f.count++
		f.credit--
		if len(f.items) >= floorBatch || feed.endless() {
			f.put()
		}
		return nil
	})
	f.put()
}

func (f *floorSource) put() {
	if f.count == 0 {
		return
	}
	f.server.put(func(dst []byte) []byte {
		dst = strconv.AppendUint(append(dst, floorItems...), f.id, 10)
		return append(append(append(dst, ",["...), f.items...), "]]}"...)
	})
	f.items, f.count = f.items[:0], 0
}

// A floorClient is a connection.
type floorClient struct {
	*floorConn
	down chan struct{} // closed when it has ended

	mu      sync.Mutex
	last    uint64
	waiting []*floorWait // by id modulo the length
	open    int
	streams map[uint64]chan []byte
}

// A floorWait is a caller that waits. They are pooled.
type floorWait struct {
	id     uint64
	result []byte
	done   chan struct{}
}

var floorWaits = sync.Pool{New: func() any { return &floorWait{done: make(chan struct{}, 1)} }}

func dialFloor(ctx context.Context, addr string) (Client, error) {
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	c := &floorClient{floorConn: newFloorConn(nc, true), down: make(chan struct{}),
		waiting: make([]*floorWait, 64), streams: map[uint64]chan []byte{}}
	go func() {
		defer close(c.down)
		c.read(c.receive)
	}()
	return c, nil
}

func (c *floorClient) receive(m []byte) error {
	if rest, ok := bytes.CutPrefix(m, []byte(floorItems)); ok {
		id, rest := after(rest)
		c.mu.Lock()
		items := c.streams[id]
		c.mu.Unlock()
		if items != nil {
			items <- exact(bytes.Clone(rest[1:]))
		}
		return nil
	}
	id, rest := after(m[len(floorID):])
	result, ok := bytes.CutPrefix(rest, []byte(floorResult))
	if !ok {
		return errFloor
	}
	c.mu.Lock()
	at := &c.waiting[id%uint64(len(c.waiting))]
	w := *at
	*at = nil
	c.open--
	c.mu.Unlock()
	if w == nil || w.id != id {
		return errFloor
	}
	w.result = append(w.result[:0], result...)
	w.done <- struct{}{}
	return nil
}

// begin returns a place to wait for the answer to a call.
func (c *floorClient) begin() *floorWait {
	w := floorWaits.Get().(*floorWait)
	c.mu.Lock()
	defer c.mu.Unlock()
	if 2*c.open >= len(c.waiting) {
		old := c.waiting
		c.waiting = make([]*floorWait, 2*len(old))
		for _, w := range old {
			if w != nil {
				c.waiting[w.id%uint64(len(c.waiting))] = w
			}
		}
	}
	for c.last++; c.waiting[c.last%uint64(len(c.waiting))] != nil; c.last++ {
	}
	w.id = c.last
	c.waiting[w.id%uint64(len(c.waiting))] = w
	c.open++
	return w
}

// call sends a request and decodes its result. If ctx ends, the entry
// of the call stays until the answer removes it.
func (c *floorClient) call(ctx context.Context, method string, params func([]byte) []byte, result func([]byte) bool) error {
	w := c.begin()
	c.put(func(dst []byte) []byte {
		dst = strconv.AppendUint(append(dst, floorID...), w.id, 10)
		return append(params(append(dst, method...)), "}}"...)
	})
	select {
	case <-w.done:
		defer floorWaits.Put(w)
		if !result(w.result) {
			return errFloor
		}
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-c.down:
		return net.ErrClosed
	}
}

func (c *floorClient) Echo(ctx context.Context, id int64) error {
	v, r := newValue(id), Value{}
	err := c.call(ctx, floorEcho,
		func(dst []byte) []byte { return appendValueJSON(dst, &v) },
		func(s []byte) bool { return decodeValueJSON(shared(s), 0, &r) >= 0 })
	if err != nil {
		return err
	}
	return checkValue(id, r.ID, r.Name, r.Tags)
}

func (c *floorClient) Text(ctx context.Context) error {
	var r string
	err := c.call(ctx, floorText,
		func(dst []byte) []byte { return jsongen.AppendString(dst, &text) },
		func(s []byte) bool { return jsongen.String(exact(s), 0, &r) >= 0 })
	if err != nil {
		return err
	}
	return checkText(r)
}

func (c *floorClient) Items(ctx context.Context, f Feed, each func(Item) error) error {
	items := make(chan []byte, floorWindow) // as many as the window, or the reader would wait
	c.mu.Lock()
	c.last++
	id := c.last | 1<<40 // no call's
	c.streams[id] = items
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.streams, id)
		c.mu.Unlock()
	}()
	c.put(func(dst []byte) []byte {
		dst = strconv.AppendUint(append(dst, floorID...), id, 10)
		return append(appendFeedJSON(append(dst, floorFeed...), &f), "}}"...)
	})
	for n := int64(0); f.endless() || n < f.N; {
		select {
		case some := <-items:
			got, err := c.take(id, some, n, each)
			if err != nil {
				return err
			}
			n += got
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-c.down:
			return net.ErrClosed
		}
	}
	return nil
}

// take decodes an array of items, behind n others, and grants half of a window
// whenever that many more have been taken.
func (c *floorClient) take(id uint64, s []byte, n int64, each func(Item) error) (got int64, err error) {
	for i := 1; ; i++ {
		var it Item
		if i = decodeItemJSON(s, i, &it); i < 0 {
			return got, errFloor
		}
		if err := each(it); err != nil {
			return got, err
		}
		if got++; (n+got)%(floorWindow/2) == 0 {
			c.put(func(dst []byte) []byte {
				dst = strconv.AppendUint(append(dst, floorCredit...), id, 10)
				return append(dst, fmt.Sprintf(",%d]}", floorWindow/2)...)
			})
		}
		if s[i] == ']' {
			return got, nil
		}
	}
}

// Upload sends chunks without a window: TCP's own is what holds it back.
func (c *floorClient) Upload(ctx context.Context, chunks iter.Seq[[]byte]) (n int64, err error) {
	for b := range chunks {
		n += int64(len(b))
		c.put(func(dst []byte) []byte {
			dst = append(append(dst, floorChunk...), "0,"...)
			return append(jsongen.AppendBytes(dst, &b), "]}"...)
		})
	}
	sum := n
	err = c.call(ctx, floorUp,
		func(dst []byte) []byte { return strconv.AppendInt(dst, sum, 10) },
		func(s []byte) bool { got, _ := after(s); n = int64(got); return true })
	return n, err
}
