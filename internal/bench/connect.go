package main

import (
	"context"
	"io"
	"iter"
	"net"
	"net/http"

	"connectrpc.com/connect"

	"github.com/wirecall/wirecall/internal/bench/pb"
)

// connectPeer has two settings that are not its defaults: answers are not
// compressed, as nobody else's are, and a connection takes more than net/http's
// 250 requests at once, so that 1,024 calls need only one.
var connectPeer = Peer{
	Name:  "connect",
	About: "connect-go over net/http's HTTP/2, plaintext, protobuf; without gzip, 20,000 requests at once on a connection",
	Serve: serveConnect,
	Dial:  dialConnect,
}

const (
	connectEcho   = "/bench.Bench/Echo"
	connectText   = "/bench.Bench/Text"
	connectItems  = "/bench.Bench/Items"
	connectUpload = "/bench.Bench/Upload"
)

func serveConnect(ln net.Listener, _ Options) (func(), error) {
	mux := http.NewServeMux()
	mux.Handle(connectEcho, connect.NewUnaryHandler(connectEcho, same[pb.Value]))
	mux.Handle(connectText, connect.NewUnaryHandler(connectText, same[pb.Blob]))
	mux.Handle(connectItems, connect.NewServerStreamHandler(connectItems,
		func(ctx context.Context, r *connect.Request[pb.Feed], s *connect.ServerStream[pb.Item]) error {
			return feedOf(r.Msg).produce(ctx, func(it Item) error { return s.Send(pbItem(it)) })
		}))
	mux.Handle(connectUpload, connect.NewClientStreamHandler(connectUpload,
		func(_ context.Context, s *connect.ClientStream[pb.Chunk]) (*connect.Response[pb.Total], error) {
			n, err := total(next(s.Receive, s.Msg, s.Err))
			return connect.NewResponse(n), err
		}))
	hs := &http.Server{Handler: mux, Protocols: new(http.Protocols),
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: 20_000}}
	hs.Protocols.SetUnencryptedHTTP2(true)
	go hs.Serve(ln)
	return func() { hs.Close() }, nil
}

// same answers with what was asked.
func same[T any](_ context.Context, r *connect.Request[T]) (*connect.Response[T], error) {
	return connect.NewResponse(r.Msg), nil
}

// next is Recv as gRPC has it, of a stream as Connect has it.
func next[T any](receive func() bool, msg func() *T, fail func() error) func() (*T, error) {
	return func() (*T, error) {
		switch {
		case receive():
			return msg(), nil
		case fail() != nil:
			return nil, fail()
		}
		return nil, io.EOF
	}
}

func dialConnect(_ context.Context, addr string) (Client, error) {
	t := &http.Transport{Protocols: new(http.Protocols)}
	t.Protocols.SetUnencryptedHTTP2(true)
	var (
		hc  = &http.Client{Transport: t}
		url = "http://" + addr
		raw = connect.WithAcceptCompression("gzip", nil, nil)
	)
	return &connectClient{
		transport: t,
		echo:      connect.NewClient[pb.Value, pb.Value](hc, url+connectEcho, raw),
		text:      connect.NewClient[pb.Blob, pb.Blob](hc, url+connectText, raw),
		items:     connect.NewClient[pb.Feed, pb.Item](hc, url+connectItems, raw),
		upload:    connect.NewClient[pb.Chunk, pb.Total](hc, url+connectUpload, raw),
	}, nil
}

type connectClient struct {
	transport *http.Transport
	echo      *connect.Client[pb.Value, pb.Value]
	text      *connect.Client[pb.Blob, pb.Blob]
	items     *connect.Client[pb.Feed, pb.Item]
	upload    *connect.Client[pb.Chunk, pb.Total]
}

func (c *connectClient) Echo(ctx context.Context, id int64) error {
	r, err := c.echo.CallUnary(ctx, connect.NewRequest(pbValue(newValue(id))))
	if err != nil {
		return err
	}
	return checkValue(id, r.Msg.Id, r.Msg.Name, r.Msg.Tags)
}

func (c *connectClient) Text(ctx context.Context) error {
	r, err := c.text.CallUnary(ctx, connect.NewRequest(&pb.Blob{Text: text}))
	if err != nil {
		return err
	}
	return checkText(r.Msg.Text)
}

func (c *connectClient) Items(ctx context.Context, f Feed, each func(Item) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := c.items.CallServerStream(ctx, connect.NewRequest(pbFeed(f)))
	if err != nil {
		return err
	}
	defer s.Close()
	return receive(next(s.Receive, s.Msg, s.Err), each)
}

func (c *connectClient) Upload(ctx context.Context, chunks iter.Seq[[]byte]) (int64, error) {
	s := c.upload.CallClientStream(ctx)
	for b := range chunks {
		if err := s.Send(&pb.Chunk{Data: b}); err != nil {
			return 0, err
		}
	}
	r, err := s.CloseAndReceive()
	if err != nil {
		return 0, err
	}
	return r.Msg.Bytes, nil
}

func (c *connectClient) Close() error {
	c.transport.CloseIdleConnections()
	return nil
}
