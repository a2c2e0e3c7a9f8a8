package main

import (
	"context"
	"net"
	"net/http"

	"github.com/nats-io/nats.go"

	"github.com/wirecall/wirecall/cluster"
	"github.com/wirecall/wirecall/internal/embedded"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/topic"
)

// runNATS is a server of NATS, with its streams in a folder.
func runNATS(args []string) (string, func(string, *usage) error, error) {
	s, _, err := embedded.Start(embedded.Options{Folder: args[0], Share: "127.0.0.1:0"})
	if err != nil {
		return "", nil, err
	}
	return s.ClientURL(), func(_ string, u *usage) error {
		v, err := s.Varz(nil)
		if err == nil {
			u.In, u.Out = v.InMsgs, v.OutMsgs
		}
		return err
	}, nil
}

// runNode is a node of the service, on the server of NATS at a URL.
func runNode(args []string) (string, func(string, *usage) error, error) {
	nc, err := nats.Connect(args[0], nats.MaxReconnects(-1))
	if err != nil {
		return "", nil, err
	}
	bus, err := cluster.NewBus(context.Background(), nc, &cluster.BusOptions{Classes: map[string]topic.Retention{class: {Events: 1000}}})
	if err != nil {
		return "", nil, err
	}
	srv := rpc.NewServer(&rpc.ServerOptions{Sessions: &rpc.SessionOptions{}})
	srv.Register(FeedService(feed{bus}))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	go http.Serve(ln, srv)
	return "ws://" + ln.Addr().String(), func(string, *usage) error { return nil }, nil
}
