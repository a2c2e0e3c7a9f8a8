package main

import (
	"context"
	"net"

	"github.com/ethereum/go-ethereum/rpc"
)

var gethPeer = Peer{
	Name:  "geth",
	About: "go-ethereum/rpc over WebSocket (gorilla), JSON-RPC 2.0, its defaults; streams are its subscriptions",
	Serve: serveGeth,
	Dial:  dialGeth,
}

// GethBench is exported because the library calls it by reflection.
type GethBench struct{}

func (GethBench) Echo(v Value) Value   { return v }
func (GethBench) Text(s string) string { return s }

func (GethBench) Items(ctx context.Context, f Feed) (*rpc.Subscription, error) {
	n, ok := rpc.NotifierFromContext(ctx)
	if !ok {
		return nil, rpc.ErrNotificationsUnsupported
	}
	sub := n.CreateSubscription()
	ctx, cancel := context.WithCancelCause(context.Background())
	go func() { cancel(<-sub.Err()) }() // unsubscribed, or the connection has gone
	go f.produce(ctx, func(it Item) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return n.Notify(sub.ID, it)
	})
	return sub, nil
}

func serveGeth(ln net.Listener, _ Options) (func(), error) {
	srv := rpc.NewServer()
	if err := srv.RegisterName("bench", GethBench{}); err != nil {
		return nil, err
	}
	return serveHTTP(ln, srv.WebsocketHandler([]string{"*"}), srv.Stop)
}

func dialGeth(ctx context.Context, addr string) (Client, error) {
	c, err := rpc.DialWebsocket(ctx, "ws://"+addr, "")
	if err != nil {
		return nil, err
	}
	return &gethClient{c}, nil
}

type gethClient struct {
	rpc *rpc.Client
}

func (c *gethClient) Echo(ctx context.Context, id int64) error {
	var v Value
	if err := c.rpc.CallContext(ctx, &v, "bench_echo", newValue(id)); err != nil {
		return err
	}
	return checkValue(id, v.ID, v.Name, v.Tags)
}

func (c *gethClient) Text(ctx context.Context) error {
	var s string
	if err := c.rpc.CallContext(ctx, &s, "bench_text", text); err != nil {
		return err
	}
	return checkText(s)
}

func (c *gethClient) Items(ctx context.Context, f Feed, each func(Item) error) error {
	items := make(chan Item, 64)
	sub, err := c.rpc.Subscribe(ctx, "bench", items, "items", f)
	if err != nil {
		return err
	}
	defer sub.Unsubscribe()
	return drain(ctx, f, items, sub.Err(), each)
}

// drain is the client's end of a stream that comes over a channel, for peers
// whose streams have no end of their own.
func drain(ctx context.Context, f Feed, items <-chan Item, failed <-chan error, each func(Item) error) error {
	for n := int64(0); f.endless() || n < f.N; n++ {
		select {
		case it := <-items:
			if err := each(it); err != nil {
				return err
			}
		case err := <-failed:
			if err == nil {
				err = net.ErrClosed
			}
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

func (c *gethClient) Close() error {
	c.rpc.Close()
	return nil
}
