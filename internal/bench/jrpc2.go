package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"

	"github.com/coder/websocket"
	"github.com/creachadair/jrpc2"
	"github.com/creachadair/jrpc2/handler"
)

// jrpc2Peer has no streams: they are made here of what it has, as its users
// would. A call names a subscription, notifications carry its items, and the
// client's callback puts them on a channel, waiting where that is full.
var jrpc2Peer = Peer{
	Name:  "jrpc2",
	About: "creachadair/jrpc2 over WebSocket (coder), JSON-RPC 2.0, its defaults with AllowPush; streams by hand, of notifications",
	Serve: serveJRPC2,
	Dial:  dialJRPC2,
}

type jrpc2Feed struct {
	Sub  int64 `json:"sub"`
	Feed Feed  `json:"feed"`
}

type jrpc2Item struct {
	Sub  int64 `json:"sub"`
	Item Item  `json:"item"`
}

// A wsChannel is a jrpc2 channel over a WebSocket.
type wsChannel struct {
	conn *websocket.Conn
}

func (c wsChannel) Send(msg []byte) error {
	return c.conn.Write(context.Background(), websocket.MessageText, msg)
}

func (c wsChannel) Recv() ([]byte, error) {
	_, msg, err := c.conn.Read(context.Background())
	if err != nil {
		return nil, io.EOF
	}
	return msg, nil
}

func (c wsChannel) Close() error { return c.conn.CloseNow() }

var jrpc2Methods = handler.Map{
	"echo": handler.New(func(_ context.Context, v Value) (Value, error) { return v, nil }),
	"text": handler.New(func(_ context.Context, b Blob) (Blob, error) { return b, nil }),
	"items": handler.New(func(ctx context.Context, r jrpc2Feed) (bool, error) {
		srv := jrpc2.ServerFromContext(ctx)
		bg := context.Background() // the handler's context ends with its answer
		go r.Feed.produce(bg, func(it Item) error { return srv.Notify(bg, "item", jrpc2Item{r.Sub, it}) })
		return true, nil
	}),
}

func serveJRPC2(ln net.Listener, _ Options) (func(), error) {
	return serveHTTP(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		conn.SetReadLimit(4 << 20)
		jrpc2.NewServer(jrpc2Methods, &jrpc2.ServerOptions{AllowPush: true}).Start(wsChannel{conn}).Wait()
	}), func() {})
}

func dialJRPC2(ctx context.Context, addr string) (Client, error) {
	conn, _, err := websocket.Dial(ctx, "ws://"+addr, nil)
	if err != nil {
		return nil, err
	}
	conn.SetReadLimit(4 << 20)
	c := &jrpc2Client{subs: map[int64]*subscription{}, down: make(chan error)}
	c.rpc = jrpc2.NewClient(wsChannel{conn}, &jrpc2.ClientOptions{
		OnNotify: c.notified,
		OnStop:   func(*jrpc2.Client, error) { close(c.down) },
	})
	return c, nil
}

type jrpc2Client struct {
	rpc  *jrpc2.Client
	down chan error // closed when the connection has ended

	mu   sync.Mutex
	last int64
	subs map[int64]*subscription
}

type subscription struct {
	items chan Item
	left  chan struct{} // closed when nobody wants more
}

func (c *jrpc2Client) notified(r *jrpc2.Request) {
	var it jrpc2Item
	if r.UnmarshalParams(&it) != nil {
		return
	}
	c.mu.Lock()
	s := c.subs[it.Sub]
	c.mu.Unlock()
	if s == nil {
		return
	}
	select {
	case s.items <- it.Item:
	case <-s.left:
	case <-c.down:
	}
}

func (c *jrpc2Client) Echo(ctx context.Context, id int64) error {
	var v Value
	if err := c.rpc.CallResult(ctx, "echo", newValue(id), &v); err != nil {
		return err
	}
	return checkValue(id, v.ID, v.Name, v.Tags)
}

func (c *jrpc2Client) Text(ctx context.Context) error {
	var b Blob
	if err := c.rpc.CallResult(ctx, "text", Blob{text}, &b); err != nil {
		return err
	}
	return checkText(b.Text)
}

func (c *jrpc2Client) subscribe() (int64, *subscription) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	s := &subscription{make(chan Item, 64), make(chan struct{})}
	c.subs[c.last] = s
	return c.last, s
}

func (c *jrpc2Client) Items(ctx context.Context, f Feed, each func(Item) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	id, s := c.subscribe()
	defer func() {
		close(s.left)
		c.mu.Lock()
		delete(c.subs, id)
		c.mu.Unlock()
	}()
	// The answer may come behind the first items, and then waits until they have
	// been taken: the library hands over both under one lock.
	go func() {
		var ok bool
		if err := c.rpc.CallResult(ctx, "items", jrpc2Feed{id, f}, &ok); err != nil {
			cancel(err)
		}
	}()
	return drain(ctx, f, s.items, c.down, each)
}

func (c *jrpc2Client) Close() error { return c.rpc.Close() }
