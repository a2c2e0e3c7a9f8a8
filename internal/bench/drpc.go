package main

import (
	"context"
	"net"

	"storj.io/drpc/drpcconn"
	"storj.io/drpc/drpcmux"
	"storj.io/drpc/drpcserver"

	"github.com/wirecall/wirecall/internal/bench/pb"
)

var drpcPeer = Peer{
	Name:  "drpc",
	About: "storj.io/drpc over TCP, protobuf, its defaults; a connection carries one call at a time, the others wait",
	Serve: serveDRPC,
	Dial:  dialDRPC,
}

type drpcBench struct {
	pb.DRPCBenchUnimplementedServer
}

func (drpcBench) Echo(_ context.Context, v *pb.Value) (*pb.Value, error) { return v, nil }
func (drpcBench) Text(_ context.Context, b *pb.Blob) (*pb.Blob, error)   { return b, nil }

func (drpcBench) Items(f *pb.Feed, s pb.DRPCBench_ItemsStream) error {
	return feedOf(f).produce(s.Context(), func(it Item) error { return s.Send(pbItem(it)) })
}

func serveDRPC(ln net.Listener, _ Options) (func(), error) {
	mux := drpcmux.New()
	if err := pb.DRPCRegisterBench(mux, &drpcBench{}); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	go drpcserver.New(mux).Serve(ctx, ln)
	return cancel, nil
}

func dialDRPC(ctx context.Context, addr string) (Client, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	conn := drpcconn.New(c)
	return &drpcClient{conn, pb.NewDRPCBenchClient(conn)}, nil
}

type drpcClient struct {
	conn  *drpcconn.Conn
	bench pb.DRPCBenchClient
}

func (c *drpcClient) Echo(ctx context.Context, id int64) error {
	v, err := c.bench.Echo(ctx, pbValue(newValue(id)))
	if err != nil {
		return err
	}
	return checkValue(id, v.Id, v.Name, v.Tags)
}

func (c *drpcClient) Text(ctx context.Context) error {
	b, err := c.bench.Text(ctx, &pb.Blob{Text: text})
	if err != nil {
		return err
	}
	return checkText(b.Text)
}

func (c *drpcClient) Items(ctx context.Context, f Feed, each func(Item) error) error {
	s, err := c.bench.Items(ctx, pbFeed(f))
	if err != nil {
		return err
	}
	defer s.Close()
	return receive(s.Recv, each)
}

func (c *drpcClient) Close() error { return c.conn.Close() }
