package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/centrifugal/centrifuge"
	client "github.com/centrifugal/centrifuge-go"
)

// centrifugePeer has channels in place of streams: what is published on the board is
// published to as many of them as a connection has streams, since a connection can
// subscribe to a channel once. An event is encoded once for each channel.
var centrifugePeer = Peer{
	Name:     "centrifuge",
	About:    "centrifugal/centrifuge, the library of Centrifugo, and centrifuge-go over WebSocket, JSON, its defaults; streams are subscriptions",
	Serve:    serveCentrifuge,
	Dial:     dialCentrifuge,
	LiveOnly: true,
}

// channels is how many there are: the most streams that a work has on a connection.
const channels = 10

func serveCentrifuge(ln net.Listener, o Options) (func(), error) {
	node, err := centrifuge.New(centrifuge.Config{})
	if err != nil {
		return nil, err
	}
	node.OnConnecting(func(context.Context, centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		return centrifuge.ConnectReply{Credentials: &centrifuge.Credentials{}}, nil
	})
	node.OnConnect(func(c *centrifuge.Client) {
		c.OnSubscribe(func(_ centrifuge.SubscribeEvent, cb centrifuge.SubscribeCallback) {
			cb(centrifuge.SubscribeReply{}, nil)
		})
		c.OnRPC(func(e centrifuge.RPCEvent, cb centrifuge.RPCCallback) { cb(centrifugeCall(e)) })
	})
	if err := node.Run(); err != nil {
		return nil, err
	}
	go publishTo(node)
	pings := centrifuge.PingPongConfig{PingInterval: o.Ping, PongTimeout: o.Ping / 2}
	h := centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{MessageSizeLimit: 4 << 20, PingPongConfig: pings})
	return serveHTTP(ln, h, func() { node.Shutdown(context.Background()) })
}

func centrifugeCall(e centrifuge.RPCEvent) (reply centrifuge.RPCReply, err error) {
	switch e.Method {
	case "echo":
		var v Value
		if err = json.Unmarshal(e.Data, &v); err == nil {
			reply.Data, err = json.Marshal(v)
		}
	case "text":
		var s string
		if err = json.Unmarshal(e.Data, &s); err == nil {
			reply.Data, err = json.Marshal(s)
		}
	default:
		err = centrifuge.ErrorMethodNotFound
	}
	return reply, err
}

// publishTo publishes each event of the board to every channel, until the process ends.
func publishTo(node *centrifuge.Node) {
	for at := news.last(); ; at = at.next {
		<-at.ready
		body, err := at.shared.MarshalJSON()
		for i := 0; i < channels && err == nil; i++ {
			_, err = node.Publish(strconv.Itoa(i), body)
		}
		if err != nil {
			return
		}
	}
}

func dialCentrifuge(ctx context.Context, addr string) (Client, error) {
	c := client.NewJsonClient("ws://"+addr, client.Config{ReadTimeout: 10 * time.Second})
	connected := make(chan error, 1)
	c.OnConnected(func(client.ConnectedEvent) { connected <- nil })
	c.OnError(func(e client.ErrorEvent) {
		select {
		case connected <- e.Error:
		default:
		}
	})
	if err := c.Connect(); err != nil {
		return nil, err
	}
	select {
	case err := <-connected:
		return &centrifugeClient{conn: c}, err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

type centrifugeClient struct {
	conn    *client.Client
	streams atomic.Int64
}

func (c *centrifugeClient) call(ctx context.Context, method string, v, r any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	got, err := c.conn.RPC(ctx, method, b)
	if err != nil {
		return err
	}
	return json.Unmarshal(got.Data, r)
}

func (c *centrifugeClient) Echo(ctx context.Context, id int64) error {
	var r Value
	if err := c.call(ctx, "echo", newValue(id), &r); err != nil {
		return err
	}
	return checkValue(id, r.ID, r.Name, r.Tags)
}

func (c *centrifugeClient) Text(ctx context.Context) error {
	var s string
	if err := c.call(ctx, "text", text, &s); err != nil {
		return err
	}
	return checkText(s)
}

var errLiveOnly = errors.New("it has subscriptions to what is published, and no other streams")

// Items subscribes. The first item is made here, when the subscription has begun.
func (c *centrifugeClient) Items(ctx context.Context, f Feed, each func(Item) error) error {
	if f.N != live && !f.Hold {
		return errLiveOnly
	}
	sub, err := c.conn.NewSubscription(strconv.FormatInt(c.streams.Add(1)-1, 10))
	if err != nil {
		return err
	}
	fails := make(chan error, 1)
	fail := func(err error) {
		select {
		case fails <- err:
		default:
		}
	}
	take := func(it Item, err error) {
		if err = cmp.Or(err, each(it)); err != nil {
			fail(err)
		}
	}
	sub.OnSubscribed(func(client.SubscribedEvent) { take(f.item(0), nil) })
	sub.OnError(func(e client.SubscriptionErrorEvent) { fail(e.Error) })
	sub.OnUnsubscribed(func(e client.UnsubscribedEvent) { fail(fmt.Errorf("unsubscribed: %s", e.Reason)) })
	sub.OnPublication(func(e client.PublicationEvent) {
		var it Item
		err := json.Unmarshal(e.Data, &it)
		take(it, err)
	})
	if err := sub.Subscribe(); err != nil {
		return err
	}
	select {
	case err := <-fails:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (c *centrifugeClient) Close() error {
	c.conn.Close()
	return nil
}
