package interop

import (
	"context"
	"fmt"
	"iter"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/wirecall/wirecall/rpc"
)

// Calc is what the clients call. Its names are what geth's server makes of a
// service "calc".
//
//wirecall:service
type Calc interface {
	//wirecall:name calc_add
	Add(ctx context.Context, a, b int) (int, error)

	// Fail returns an error with a code and data.
	//
	//wirecall:name calc_fail
	Fail(ctx context.Context, code int, detail string) error

	// Wait returns when its caller no longer wants it to.
	//
	//wirecall:name calc_wait
	Wait(ctx context.Context) error

	//wirecall:name calc_note
	//wirecall:notify
	Note(ctx context.Context, text string) error

	//wirecall:name calc_sum
	Sum(ctx context.Context, nums iter.Seq2[int, error]) (int, error)
}

// Chain is as much of an Ethereum node as its clients need to subscribe.
//
//wirecall:service
type Chain interface {
	//wirecall:name eth_chainId
	ChainID() (string, error)

	//wirecall:name eth_blockNumber
	BlockNumber() (string, error)

	//wirecall:name eth_subscribe
	Subscribe(ctx context.Context, kind string) (iter.Seq2[Header, error], error)
}

// Substrate is as much of a node of Polkadot's as its clients need to subscribe.
//
//wirecall:service names=chain_methodName
//wirecall:subscription substrate
type Substrate interface {
	SubscribeNewHead(ctx context.Context) (iter.Seq2[Header, error], error)

	// SubscribeFinalizedHeads streams three headers and an error.
	//
	//wirecall:subscription substrate notify=chain_finalizedHead
	SubscribeFinalizedHeads(ctx context.Context) (iter.Seq2[Header, error], error)
}

// Feeds are events of a server of rpc-websockets.
//
//wirecall:service names=methodName
//wirecall:subscription rpc-websockets
type Feeds interface {
	Prices(ctx context.Context) (iter.Seq2[int, error], error)
	Alarms(ctx context.Context) (iter.Seq2[Alarm, error], error)
}

// An Alarm is an event with an object, which rpc-websockets sends in the place of the
// array of parameters.
type Alarm struct {
	Where string `json:"where"`
}

// Publisher makes a server of rpc-websockets emit events.
//
//wirecall:service names=methodName
//wirecall:params position
type Publisher interface {
	Publish(ctx context.Context, event string, price int, alarm *Alarm) error

	// Missing is an event that the server does not have.
	//
	//wirecall:subscription rpc-websockets
	Missing(ctx context.Context) (iter.Seq2[int, error], error)
}

// A Header is that of a block, with the members without which a client takes it
// for something else.
type Header struct {
	Number     string `json:"number"`
	Hash       string `json:"hash"`
	ParentHash string `json:"parentHash"`
}

func header(n string) Header {
	return Header{n, "0x" + strings.Repeat("11", 32), "0x" + strings.Repeat("22", 32)}
}

// A backend implements these services. Tests talk to it through channels.
type backend struct {
	notes   chan string
	waiting chan struct{} // receives when a Wait has begun
	left    chan error    // receives the cause with which it ended

	heads chan Header // what a subscription yields, until one is empty
	fail  error       // what it ends with then
	ended chan bool   // receives whether its reader went first
}

func newBackend() *backend {
	return &backend{
		notes:   make(chan string, 10),
		waiting: make(chan struct{}, 10),
		left:    make(chan error, 10),
		heads:   make(chan Header),
		ended:   make(chan bool, 10),
	}
}

func (b *backend) Add(_ context.Context, x, y int) (int, error) { return x + y, nil }

func (b *backend) Fail(_ context.Context, code int, detail string) error {
	return rpc.Errorf(rpc.Code(code), "failed as asked").WithData(map[string]string{"detail": detail})
}

func (b *backend) Wait(ctx context.Context) error {
	b.waiting <- struct{}{}
	<-ctx.Done()
	b.left <- context.Cause(ctx)
	return ctx.Err()
}

func (b *backend) Note(_ context.Context, text string) error {
	b.notes <- text
	return nil
}

func (b *backend) Sum(_ context.Context, nums iter.Seq2[int, error]) (sum int, err error) {
	for n, err := range nums {
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

func (b *backend) ChainID() (string, error)     { return "0x1", nil }
func (b *backend) BlockNumber() (string, error) { return "0x10", nil }

func (b *backend) Subscribe(ctx context.Context, kind string) (iter.Seq2[Header, error], error) {
	if kind == "failing" {
		return lostFeed, nil
	}
	if kind != "newHeads" {
		return nil, rpc.Errorf(rpc.CodeInvalidParams, "no subscription %q", kind)
	}
	return func(yield func(Header, error) bool) {
		gone := true
		defer func() { b.ended <- gone }()
		for {
			select {
			case h := <-b.heads:
				switch {
				case h == Header{}:
					gone = false
					if b.fail != nil {
						yield(Header{}, b.fail)
					}
					return
				case !yield(h, nil):
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}, nil
}

func (b *backend) SubscribeNewHead(ctx context.Context) (iter.Seq2[Header, error], error) {
	return b.Subscribe(ctx, "newHeads")
}

func (b *backend) SubscribeFinalizedHeads(context.Context) (iter.Seq2[Header, error], error) {
	return lostFeed, nil
}

func (b *backend) Prices(ctx context.Context) (iter.Seq2[int, error], error) {
	return func(yield func(int, error) bool) {
		for n := 1; n <= 3 && yield(n, nil); n++ {
		}
		<-ctx.Done()
	}, nil
}

func (b *backend) Alarms(ctx context.Context) (iter.Seq2[Alarm, error], error) {
	return func(yield func(Alarm, error) bool) {
		yield(Alarm{"attic"}, nil)
		<-ctx.Done()
	}, nil
}

// lostFeed yields three headers and an error.
func lostFeed(yield func(Header, error) bool) {
	for n := range 3 {
		if !yield(header(fmt.Sprintf("%#x", n)), nil) {
			return
		}
	}
	yield(Header{}, rpc.Errorf(77, "feed lost"))
}

func newServer(t *testing.T, b *backend) *rpc.Server {
	srv := rpc.NewServer(nil)
	srv.Register(CalcService(b), ChainService(b), SubstrateService(b), FeedsService(b))
	t.Cleanup(func() { srv.Close() })
	return srv
}

// serveHTTP serves b over HTTP behind a tap.
func serveHTTP(t *testing.T) (*backend, *tap) {
	b := newBackend()
	ts := httptest.NewServer(newServer(t, b))
	t.Cleanup(ts.Close)
	return b, newTap(t, "tcp", ts.Listener.Addr().String())
}
