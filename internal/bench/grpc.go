package main

import (
	"context"
	"errors"
	"io"
	"iter"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"github.com/wirecall/wirecall/internal/bench/pb"
)

var grpcPeer = Peer{
	Name:  "grpc",
	About: "grpc-go over its own HTTP/2, plaintext, protobuf, its defaults",
	Serve: serveGRPC,
	Dial:  dialGRPC,
}

type grpcBench struct {
	pb.UnimplementedBenchServer
}

func (grpcBench) Echo(_ context.Context, v *pb.Value) (*pb.Value, error) { return v, nil }
func (grpcBench) Text(_ context.Context, b *pb.Blob) (*pb.Blob, error)   { return b, nil }

func (grpcBench) Items(f *pb.Feed, s grpc.ServerStreamingServer[pb.Item]) error {
	return feedOf(f).produce(s.Context(), func(it Item) error { return s.Send(pbItem(it)) })
}

func (grpcBench) Upload(s grpc.ClientStreamingServer[pb.Chunk, pb.Total]) error {
	n, err := total(s.Recv)
	if err != nil {
		return err
	}
	return s.SendAndClose(n)
}

// total is how many bytes recv brings until the end.
func total(recv func() (*pb.Chunk, error)) (*pb.Total, error) {
	n := new(pb.Total)
	for {
		c, err := recv()
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return nil, err
		}
		n.Bytes += int64(len(c.Data))
	}
}

func pbItem(it Item) *pb.Item   { return &pb.Item{Seq: it.Seq, Price: it.Price, Symbol: it.Symbol} }
func pbFeed(f Feed) *pb.Feed    { return &pb.Feed{N: f.N, Size: int64(f.Size), Hold: f.Hold} }
func feedOf(f *pb.Feed) Feed    { return Feed{f.N, int(f.Size), f.Hold} }
func pbValue(v Value) *pb.Value { return &pb.Value{Id: v.ID, Name: v.Name, Tags: v.Tags} }

func serveGRPC(ln net.Listener, o Options) (func(), error) {
	var opts []grpc.ServerOption
	if o.Ping > 0 {
		opts = append(opts, grpc.KeepaliveParams(keepalive.ServerParameters{Time: o.Ping}))
	}
	srv := grpc.NewServer(opts...)
	pb.RegisterBenchServer(srv, grpcBench{})
	go srv.Serve(ln)
	return srv.Stop, nil
}

func dialGRPC(_ context.Context, addr string) (Client, error) {
	conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	return &grpcClient{conn, pb.NewBenchClient(conn)}, nil
}

type grpcClient struct {
	conn  *grpc.ClientConn
	bench pb.BenchClient
}

func (c *grpcClient) Echo(ctx context.Context, id int64) error {
	v, err := c.bench.Echo(ctx, pbValue(newValue(id)))
	if err != nil {
		return err
	}
	return checkValue(id, v.Id, v.Name, v.Tags)
}

func (c *grpcClient) Text(ctx context.Context) error {
	b, err := c.bench.Text(ctx, &pb.Blob{Text: text})
	if err != nil {
		return err
	}
	return checkText(b.Text)
}

func (c *grpcClient) Items(ctx context.Context, f Feed, each func(Item) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := c.bench.Items(ctx, pbFeed(f))
	if err != nil {
		return err
	}
	return receive(s.Recv, each)
}

// receive is the client's end of a stream of items, for peers with a Recv.
func receive(recv func() (*pb.Item, error), each func(Item) error) error {
	for {
		it, err := recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := each(Item{it.Seq, it.Price, it.Symbol}); err != nil {
			return err
		}
	}
}

func (c *grpcClient) Upload(ctx context.Context, chunks iter.Seq[[]byte]) (int64, error) {
	s, err := c.bench.Upload(ctx)
	if err != nil {
		return 0, err
	}
	for b := range chunks {
		if err := s.Send(&pb.Chunk{Data: b}); err != nil {
			return 0, err
		}
	}
	n, err := s.CloseAndRecv()
	return n.GetBytes(), err
}

func (c *grpcClient) Close() error { return c.conn.Close() }
