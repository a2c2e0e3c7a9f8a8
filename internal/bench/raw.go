package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// rawPeer is what a WebSocket and encoding/json cost with the least between them that
// still matches answers to calls. A message is a byte of
// kind, eight of id, and JSON. Whoever has something to say writes it. Streams
// have a channel each and no flow control: when one is full, the reader waits.
var rawPeer = Peer{
	Name:  "raw",
	About: "no library: coder/websocket and encoding/json, a header of nine bytes; streams without flow control",
	Serve: serveRaw(nil),
	Dial:  dialRaw,
}

const (
	rawEcho = 'e'
	rawText = 't'
	rawFeed = 'f' // asks for items
	rawItem = 'i'
	rawUp   = 'u' // a chunk of an upload; an empty one ends it and is answered
	rawHead = 9
)

var errBroken = errors.New("raw: broken message")

// A frame is a message in the making. They are pooled.
type frame struct {
	bytes.Buffer
	enc *json.Encoder
}

var frames = sync.Pool{New: func() any {
	f := new(frame)
	f.enc = json.NewEncoder(&f.Buffer)
	return f
}}

func newFrame(kind byte, id uint64) *frame {
	f := frames.Get().(*frame)
	f.begin(kind, id)
	return f
}

func (f *frame) begin(kind byte, id uint64) {
	f.Reset()
	f.WriteByte(kind)
	f.Write(binary.BigEndian.AppendUint64(f.AvailableBuffer(), id))
}

func (f *frame) kind() byte   { return f.Bytes()[0] }
func (f *frame) id() uint64   { return binary.BigEndian.Uint64(f.Bytes()[1:]) }
func (f *frame) body() []byte { return f.Bytes()[rawHead:] }

// read replaces the frame with what the connection brings.
func (f *frame) read(c *websocket.Conn) error {
	_, r, err := c.Reader(context.Background())
	if err != nil {
		return err
	}
	f.Reset()
	if _, err := f.ReadFrom(r); err != nil {
		return err
	}
	if f.Len() < rawHead {
		return errBroken
	}
	return nil
}

func (f *frame) write(c *websocket.Conn) error {
	return c.Write(context.Background(), websocket.MessageBinary, f.Bytes())
}

// serveRaw serves; live streams get what m mails, or follow the board each.
func serveRaw(m *mailing) func(net.Listener, Options) (func(), error) {
	return func(ln net.Listener, o Options) (func(), error) {
		return serveHTTP(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, err := websocket.Accept(w, r, nil)
			if err != nil {
				return
			}
			c.SetReadLimit(4 << 20)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			ping(ctx, c, o.Ping)
			s := &rawServer{conn: c, ctx: ctx, mail: m, uploads: map[uint64]int64{}}
			s.serve()
		}), func() {})
	}
}

// ping pings c every so often until ctx ends.
func ping(ctx context.Context, c *websocket.Conn, every time.Duration) {
	if every == 0 {
		return
	}
	time.AfterFunc(every, func() {
		if c.Ping(ctx) == nil {
			ping(ctx, c, every)
		}
	})
}

type rawServer struct {
	conn    *websocket.Conn
	ctx     context.Context // ends with the connection
	uploads map[uint64]int64
	mail    *mailing // or nil
	live    []uint64 // streams that get mail; of the mailing
}

func (s *rawServer) serve() {
	defer s.conn.CloseNow()
	in, out := newFrame(0, 0), newFrame(0, 0)
	for in.read(s.conn) == nil && s.answer(in, out) == nil {
	}
}

func (s *rawServer) answer(in, out *frame) error {
	out.begin(in.kind(), in.id())
	var err error
	switch in.kind() {
	case rawEcho:
		err = again[Value](in, out)
	case rawText:
		err = again[string](in, out)
	case rawUp:
		s.uploads[in.id()] += int64(len(in.body()))
		if len(in.body()) > 0 {
			return nil
		}
		err = out.enc.Encode(s.uploads[in.id()])
	case rawFeed:
		var f Feed
		if err := jsonOf(in, &f); err != nil {
			return err
		}
		if f.N == live && s.mail != nil {
			return s.mail.add(s, f, in.id())
		}
		go s.feed(f, in.id())
		return nil
	default:
		err = errBroken
	}
	if err != nil {
		return err
	}
	return out.write(s.conn)
}

func jsonOf(in *frame, v any) error { return json.Unmarshal(in.body(), v) }

// again decodes what came and encodes it again.
func again[T any](in, out *frame) error {
	var v T
	if err := jsonOf(in, &v); err != nil {
		return err
	}
	return out.enc.Encode(&v)
}

func (s *rawServer) feed(f Feed, id uint64) {
	out := newFrame(0, 0)
	f.produce(s.ctx, func(it Item) error {
		out.begin(rawItem, id)
		if err := out.enc.Encode(&it); err != nil {
			return err
		}
		return out.write(s.conn)
	})
}

func dialRaw(ctx context.Context, addr string) (Client, error) {
	conn, _, err := websocket.Dial(ctx, "ws://"+addr, nil)
	if err != nil {
		return nil, err
	}
	conn.SetReadLimit(4 << 20)
	c := &rawClient{conn: conn, waiting: map[uint64]*rawCall{}, streams: map[uint64]chan Item{}, down: make(chan error)}
	go c.read()
	return c, nil
}

type rawClient struct {
	conn *websocket.Conn
	down chan error // closed when the connection has ended

	mu      sync.Mutex
	last    uint64
	waiting map[uint64]*rawCall
	streams map[uint64]chan Item
}

// A rawCall is a caller that waits. They are pooled.
type rawCall struct {
	answer *frame
	done   chan struct{}
}

var rawCalls = sync.Pool{New: func() any {
	return &rawCall{newFrame(0, 0), make(chan struct{}, 1)}
}}

func (c *rawClient) read() {
	defer close(c.down)
	in := newFrame(0, 0)
	for in.read(c.conn) == nil {
		if kind := in.kind(); kind == rawItem || kind == rawPack {
			if c.deliver(in) != nil {
				return
			}
			continue
		}
		c.mu.Lock()
		call := c.waiting[in.id()]
		delete(c.waiting, in.id())
		c.mu.Unlock()
		if call != nil {
			call.answer, in = in, call.answer
			call.done <- struct{}{}
		}
	}
}

// deliver hands over one item, or those of a pack.
func (c *rawClient) deliver(in *frame) error {
	if in.kind() == rawItem {
		return c.item(in.id(), in.body())
	}
	for rest := in.body(); len(rest) > 8; {
		body, after, _ := bytes.Cut(rest[8:], []byte("\n"))
		if err := c.item(binary.BigEndian.Uint64(rest), body); err != nil {
			return err
		}
		rest = after
	}
	return nil
}

func (c *rawClient) item(id uint64, body []byte) error {
	var it Item
	if err := json.Unmarshal(body, &it); err != nil {
		return err
	}
	c.mu.Lock()
	items := c.streams[id]
	c.mu.Unlock()
	if items != nil {
		items <- it
	}
	return nil
}

// call sends v and stores the answer in r.
func (c *rawClient) call(ctx context.Context, kind byte, v, r any) error {
	call := rawCalls.Get().(*rawCall)
	c.mu.Lock()
	c.last++
	id := c.last
	c.waiting[id] = call
	c.mu.Unlock()

	f := newFrame(kind, id)
	defer frames.Put(f)
	if err := f.enc.Encode(v); err != nil {
		return err
	}
	if err := f.write(c.conn); err != nil {
		return err
	}
	return c.wait(ctx, call, r)
}

// wait waits for the answer to call. One that was given up is not pooled, as its
// answer may still come.
func (c *rawClient) wait(ctx context.Context, call *rawCall, r any) error {
	select {
	case <-call.done:
		defer rawCalls.Put(call)
		return json.Unmarshal(call.answer.body(), r)
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-c.down:
		return net.ErrClosed
	}
}

func (c *rawClient) Echo(ctx context.Context, id int64) error {
	v, r := newValue(id), Value{}
	if err := c.call(ctx, rawEcho, &v, &r); err != nil {
		return err
	}
	return checkValue(id, r.ID, r.Name, r.Tags)
}

func (c *rawClient) Text(ctx context.Context) error {
	var s string
	if err := c.call(ctx, rawText, text, &s); err != nil {
		return err
	}
	return checkText(s)
}

func (c *rawClient) Items(ctx context.Context, f Feed, each func(Item) error) error {
	items := make(chan Item, 64)
	c.mu.Lock()
	c.last++
	id := c.last
	c.streams[id] = items
	c.mu.Unlock()

	ask := newFrame(rawFeed, id)
	defer frames.Put(ask)
	if err := ask.enc.Encode(f); err != nil {
		return err
	}
	if err := ask.write(c.conn); err != nil {
		return err
	}
	return drain(ctx, f, items, c.down, each)
}

func (c *rawClient) Upload(ctx context.Context, chunks iter.Seq[[]byte]) (n int64, err error) {
	call := rawCalls.Get().(*rawCall)
	c.mu.Lock()
	c.last++
	id := c.last
	c.waiting[id] = call
	c.mu.Unlock()

	f := newFrame(rawUp, id)
	defer frames.Put(f)
	for b := range chunks {
		f.begin(rawUp, id)
		f.Write(b)
		if err := f.write(c.conn); err != nil {
			return 0, fmt.Errorf("chunk: %w", err)
		}
	}
	f.begin(rawUp, id)
	if err := f.write(c.conn); err != nil {
		return 0, err
	}
	return n, c.wait(ctx, call, &n)
}

func (c *rawClient) Close() error { return c.conn.CloseNow() }
