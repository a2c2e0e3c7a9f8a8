package main

import (
	"context"
	"fmt"
	"iter"
	"net"
	"slices"
	"strings"
	"time"
)

// A Peer is a library under test. Its adapter makes the library's own request
// values, as a conversion would be charged to the library.
type Peer struct {
	Name  string
	About string

	// Serve begins to serve the works on ln and returns at once. What it started
	// lives as long as the process, unless stop is called.
	Serve func(ln net.Listener, o Options) (stop func(), err error)

	// Dial makes one connection, at the latest with its first call.
	Dial func(ctx context.Context, addr string) (Client, error)

	NoStreams bool
	LiveOnly  bool // its streams carry what is published, or nothing
}

// can reports whether the peer can do the work.
func (p Peer) can(w Work) bool {
	switch {
	case !w.streams():
		return true
	case p.LiveOnly:
		return w.Kind == FanOut || w.Kind == Idle
	}
	return !p.NoStreams
}

// Options are what a work asks of a server.
type Options struct {
	// Ping is how often each connection is to be pinged that has been silent;
	// 0 is the library's default.
	Ping time.Duration

	// Addresses is how many to serve on, one being the least. A client has local
	// ports for so many connections to each.
	Addresses int
}

// A Client is one connection. Its methods may be called from many goroutines at
// once. Each checks what comes back.
type Client interface {
	Echo(ctx context.Context, id int64) error
	Text(ctx context.Context) error

	// Items hands the items of f to each, in the calling goroutine, until all
	// have come, each has failed or ctx ended. An each that takes its time is a
	// slow consumer. A held feed ends only with ctx.
	Items(ctx context.Context, f Feed, each func(Item) error) error

	Close() error
}

// An Uploader is a client that can stream to the server.
type Uploader interface {
	// Upload sends the chunks and returns how many bytes the server says it got.
	Upload(ctx context.Context, chunks iter.Seq[[]byte]) (int64, error)
}

// The peers, in the order of the tables.
var peers = []Peer{
	wirecallJSON,
	wirecallCBOR,
	wirecallResume,
	grpcPeer,
	connectPeer,
	drpcPeer,
	gethPeer,
	jrpc2Peer,
	netrpcPeer,
	rawPeer,
	floorPeer,
}

// idlers are those of -idle.
var idlers = slices.Concat(peers, []Peer{wirecallTopic, centrifugePeer, gwsPeer})

// fans are the peers of -fanout, which only there have what is shared.
var fans = []Peer{
	wirecallTopic,
	wirecallShared,
	wirecallJSON,
	wirecallCBOR,
	grpcPeer,
	connectPeer,
	gethPeer,
	jrpc2Peer,
	rawPeer,
	centrifugePeer,
	gwsPeer,
	loopPeer,
	packedPeer,
}

// reference is the peer that ratios divide by.
const reference = "grpc"

// floor is the peer that shows what the same costs at least.
const floor = "floor"

// fanFloor is that of a fan-out.
const fanFloor = "raw-loop"

func findPeer(name string) (Peer, error) {
	for _, p := range slices.Concat(peers, fans, costs) {
		if p.Name == name {
			return p, nil
		}
	}
	return Peer{}, fmt.Errorf("no peer %q; -list shows them", name)
}

// pick returns what list names, comma-separated, in the order of all; all of
// it for an empty list.
func pick[T any](all []T, list string, match func(T, string) bool) ([]T, error) {
	if list == "" {
		return all, nil
	}
	wanted := strings.Split(list, ",")
	for _, name := range wanted {
		if !slices.ContainsFunc(all, func(v T) bool { return match(v, name) }) {
			return nil, fmt.Errorf("nothing is called %q; -list shows what there is", name)
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(v T) bool {
		return !slices.ContainsFunc(wanted, func(name string) bool { return match(v, name) })
	}), nil
}
