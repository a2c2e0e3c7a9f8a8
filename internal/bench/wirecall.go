package main

import (
	"context"
	"iter"
	"net"
	"net/http"
	"sync"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/codec/cbor"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/topic"
)

//go:generate go tool wirecall gen

// Bench is the work as a wirecall service.
//
//wirecall:service
type Bench interface {
	Echo(ctx context.Context, v Value) (Value, error)
	Text(ctx context.Context, s string) (string, error)
	Items(ctx context.Context, f Feed) (iter.Seq2[Item, error], error)
	Upload(ctx context.Context, chunks iter.Seq2[[]byte, error]) (int64, error)

	// Watch is Items of a live feed, encoded once for all who watch.
	Watch(ctx context.Context, f Feed) (iter.Seq2[rpc.Shared[Item], error], error)

	// Follow is Watch of a topic, whose first event is item 0.
	Follow(ctx context.Context) (iter.Seq2[topic.Event[Item], error], error)
}

var wirecallJSON = Peer{
	Name:  "wirecall",
	About: "wirecall over WebSocket, JSON; at most 20,000 calls and streams at once and 4 MiB a message, otherwise its defaults",
	Serve: serveWirecall,
	Dial:  dialWirecall(rpc.DialOptions{}),
}

var wirecallCBOR = Peer{
	Name:  "wirecall-cbor",
	About: "the same with CBOR",
	Serve: serveWirecall,
	Dial:  dialWirecall(rpc.DialOptions{Codec: cbor.Codec}),
}

var wirecallResume = Peer{
	Name:  "wirecall-resume",
	About: "wirecall with JSON and sessions that survive a cut, DialOptions.Resume",
	Serve: serveWirecall,
	Dial:  dialWirecall(rpc.DialOptions{Resume: true}),
}

var wirecallShared = Peer{
	Name:  "wirecall-shared",
	About: "wirecall with JSON, whose streams of a fan-out yield rpc.Shared; wirecall itself encodes for each",
	Serve: serveWirecall,
	Dial: func(ctx context.Context, addr string) (Client, error) {
		c, err := wirecallJSON.Dial(ctx, addr)
		if err != nil {
			return nil, err
		}
		return sharedClient{c.(*wirecallClient)}, nil
	},
}

var wirecallTopic = Peer{
	Name:  "wirecall-topic",
	About: "wirecall with JSON, whose streams of a fan-out are subscriptions of a topic, each event with its place and time",
	Serve: serveWirecall,
	Dial: func(ctx context.Context, addr string) (Client, error) {
		c, err := wirecallJSON.Dial(ctx, addr)
		if err != nil {
			return nil, err
		}
		return topicClient{c.(*wirecallClient)}, nil
	},
}

type bench struct{}

func (bench) Echo(_ context.Context, v Value) (Value, error)   { return v, nil }
func (bench) Text(_ context.Context, s string) (string, error) { return s, nil }

func (bench) Items(ctx context.Context, f Feed) (iter.Seq2[Item, error], error) {
	return func(yield func(Item, error) bool) {
		f.produce(ctx, func(it Item) error {
			if !yield(it, nil) {
				return context.Canceled
			}
			return nil
		})
	}, nil
}

func (bench) Upload(_ context.Context, chunks iter.Seq2[[]byte, error]) (n int64, err error) {
	for c, err := range chunks {
		if err != nil {
			return n, err
		}
		n += int64(len(c))
	}
	return n, nil
}

func (bench) Watch(ctx context.Context, f Feed) (iter.Seq2[rpc.Shared[Item], error], error) {
	return func(yield func(rpc.Shared[Item], error) bool) {
		f.follow(ctx, func(p *post) error {
			if !yield(p.shared, nil) {
				return context.Canceled
			}
			return nil
		})
	}, nil
}

// newsTopic has what is published on the board of this process.
var newsTopic = sync.OnceValue(func() *topic.Topic[Item] {
	to, ctx, at := topic.New[Item](&topic.Memory{}, "news"), context.Background(), news.last()
	to.Publish(ctx, Feed{Size: eventSize}.item(0))
	go func() {
		for ; ; at = at.next {
			<-at.ready
			to.Publish(ctx, at.item)
		}
	}()
	return to
})

func (bench) Follow(ctx context.Context) (iter.Seq2[topic.Event[Item], error], error) {
	return newsTopic().Subscribe(ctx, ""), nil
}

func serveWirecall(ln net.Listener, o Options) (func(), error) {
	srv := newWirecall(wirecallOptions(o))
	return serveHTTP(ln, srv, func() { srv.Close() })
}

func newWirecall(o *rpc.ServerOptions) *rpc.Server {
	srv := rpc.NewServer(o)
	srv.Register(BenchService(bench{}))
	return srv
}

func wirecallOptions(o Options) *rpc.ServerOptions {
	// A server looks at a connection three times in Idle, and pings when nothing
	// has come since the last time: that is each other time, as the pong comes.
	return &rpc.ServerOptions{
		Codecs:   []codec.Codec{cbor.Codec},
		Sessions: &rpc.SessionOptions{},
		Limits:   rpc.Limits{Calls: 20_000, Streams: 20_000, MessageBytes: 4 << 20, IdleTimeout: o.Ping * 3 / 2},
	}
}

// serveHTTP is Serve for a peer that is an http.Handler.
func serveHTTP(ln net.Listener, h http.Handler, also func()) (func(), error) {
	hs := &http.Server{Handler: h}
	go hs.Serve(ln)
	return func() {
		hs.Close()
		also()
	}, nil
}

func dialWirecall(o rpc.DialOptions) func(context.Context, string) (Client, error) {
	o.Limits.MessageBytes, o.Limits.Streams = 4<<20, 20_000
	return func(ctx context.Context, addr string) (Client, error) {
		conn, err := rpc.Dial(ctx, "ws://"+addr, &o)
		if err != nil {
			return nil, err
		}
		return &wirecallClient{conn, NewBenchClient(conn)}, nil
	}
}

type wirecallClient struct {
	conn  *rpc.Conn
	bench *BenchClient
}

func (c *wirecallClient) Echo(ctx context.Context, id int64) error {
	v, err := c.bench.Echo(ctx, newValue(id))
	if err != nil {
		return err
	}
	return checkValue(id, v.ID, v.Name, v.Tags)
}

func (c *wirecallClient) Text(ctx context.Context) error {
	s, err := c.bench.Text(ctx, text)
	if err != nil {
		return err
	}
	return checkText(s)
}

func (c *wirecallClient) Items(ctx context.Context, f Feed, each func(Item) error) error {
	items, err := c.bench.Items(ctx, f)
	if err != nil {
		return err
	}
	for it, err := range items {
		if err != nil {
			return err
		}
		if err := each(it); err != nil {
			return err
		}
	}
	return nil
}

// A sharedClient watches.
type sharedClient struct{ *wirecallClient }

func (c sharedClient) Items(ctx context.Context, f Feed, each func(Item) error) error {
	items, err := c.bench.Watch(ctx, f)
	if err != nil {
		return err
	}
	for it, err := range items {
		if err != nil {
			return err
		}
		if err := each(it.Value()); err != nil {
			return err
		}
	}
	return nil
}

// A topicClient subscribes.
type topicClient struct{ *wirecallClient }

func (c topicClient) Items(ctx context.Context, f Feed, each func(Item) error) error {
	events, err := c.bench.Follow(ctx)
	if err != nil {
		return err
	}
	for e, err := range events {
		if err != nil {
			return err
		}
		if err := each(e.Value); err != nil {
			return err
		}
	}
	return nil
}

func (c *wirecallClient) Upload(ctx context.Context, chunks iter.Seq[[]byte]) (int64, error) {
	return c.bench.Upload(ctx, func(yield func([]byte, error) bool) {
		for b := range chunks {
			if !yield(b, nil) {
				return
			}
		}
	})
}

func (c *wirecallClient) Close() error { return c.conn.Close() }
