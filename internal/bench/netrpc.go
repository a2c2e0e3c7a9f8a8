package main

import (
	"context"
	"errors"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
)

var netrpcPeer = Peer{
	Name:      "netrpc",
	About:     "net/rpc/jsonrpc of the standard library over TCP, JSON-RPC 1.0; no streams, no contexts",
	Serve:     serveNetRPC,
	Dial:      dialNetRPC,
	NoStreams: true,
}

// NetBench is exported because the library calls it by reflection.
type NetBench struct{}

func (NetBench) Echo(v Value, r *Value) error {
	*r = v
	return nil
}

func (NetBench) Text(s string, r *string) error {
	*r = s
	return nil
}

func serveNetRPC(ln net.Listener, _ Options) (func(), error) {
	srv := rpc.NewServer()
	if err := srv.RegisterName("Bench", NetBench{}); err != nil {
		return nil, err
	}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go srv.ServeCodec(jsonrpc.NewServerCodec(c))
		}
	}()
	return func() { ln.Close() }, nil
}

func dialNetRPC(ctx context.Context, addr string) (Client, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &netrpcClient{jsonrpc.NewClient(c)}, nil
}

type netrpcClient struct {
	rpc *rpc.Client
}

func (c *netrpcClient) Echo(_ context.Context, id int64) error {
	var v Value
	if err := c.rpc.Call("Bench.Echo", newValue(id), &v); err != nil {
		return err
	}
	return checkValue(id, v.ID, v.Name, v.Tags)
}

func (c *netrpcClient) Text(context.Context) error {
	var s string
	if err := c.rpc.Call("Bench.Text", text, &s); err != nil {
		return err
	}
	return checkText(s)
}

func (c *netrpcClient) Items(context.Context, Feed, func(Item) error) error {
	return errors.ErrUnsupported
}

func (c *netrpcClient) Close() error { return c.rpc.Close() }
