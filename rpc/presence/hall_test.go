package presence_test

import (
	"context"
	"errors"
	"iter"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/codec/cbor"
	"github.com/wirecall/wirecall/internal/presencetest"
	"github.com/wirecall/wirecall/rpc"
	"github.com/wirecall/wirecall/rpc/presence"
	"github.com/wirecall/wirecall/rpc/rpctest"
)

//go:generate go tool wirecall gen

// Hall has rooms.
//
//wirecall:service
type Hall interface {
	Enter(ctx context.Context, room, who string, v int) error
	Update(ctx context.Context, room, who string, v int) error

	// Leave calls what Enter has returned to the call before.
	Leave(ctx context.Context) error

	Here(ctx context.Context, room string) (iter.Seq2[presence.Change[int], error], error)

	// Stay is Here, and the caller is here until the stream ends.
	//
	//wirecall:cursor after=Number
	Stay(ctx context.Context, room, who string, after int) (iter.Seq2[presence.Change[int], error], error)
}

type hall struct {
	registry presence.Registry

	mu    sync.Mutex
	leave []func() // what Enter has returned and Leave has not called
}

func (h *hall) room(name string) *presence.Room[int] { return presence.New[int](h.registry, name) }

func (h *hall) Enter(ctx context.Context, room, who string, v int) error {
	leave, err := h.room(room).Enter(ctx, who, v)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.leave = append(h.leave, leave)
	return err
}

func (h *hall) Update(ctx context.Context, room, who string, v int) error {
	return h.room(room).Update(ctx, who, v)
}

func (h *hall) Leave(context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	end := len(h.leave) - 1
	h.leave[end]()
	h.leave = h.leave[:end]
	return nil
}

func (h *hall) Here(ctx context.Context, room string) (iter.Seq2[presence.Change[int], error], error) {
	return h.room(room).Watch(ctx), nil
}

func (h *hall) Stay(ctx context.Context, room, who string, _ int) (iter.Seq2[presence.Change[int], error], error) {
	r := h.room(room)
	return func(yield func(presence.Change[int], error) bool) {
		leave, err := r.Enter(ctx, who, 1)
		if err != nil {
			yield(presence.Change[int]{}, err)
			return
		}
		defer leave()
		r.Watch(ctx)(yield)
	}, nil
}

// A place is a server of Hall on a network in memory.
type place struct {
	*hall
	network *rpctest.Network
	stop    func()
}

func newPlace(t *testing.T) *place {
	p := &place{hall: &hall{registry: &presence.Memory{}}, network: &rpctest.Network{}}
	p.start(t)
	t.Cleanup(func() { p.stop() })
	return p
}

// start starts a server, which stop ends.
func (p *place) start(t *testing.T) {
	server := rpc.NewServer(&rpc.ServerOptions{Codecs: []codec.Codec{cbor.Codec}, Sessions: &rpc.SessionOptions{}})
	server.Register(HallService(p.hall))
	web := &http.Server{Handler: server}
	go web.Serve(p.network.Listen())
	p.stop = func() {
		server.Close()
		web.Close()
	}
}

// dial returns a client of a connection of its own.
func (p *place) dial(t *testing.T, opts rpc.DialOptions) (*HallClient, *rpc.Conn) {
	t.Helper()
	opts.NetDial, opts.Resume = p.network.Dial, true
	conn, err := rpc.Dial(t.Context(), "ws://any", &opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return NewHallClient(conn), conn
}

// in runs a test in a bubble. Connections that have ended leave nothing behind.
func in(t *testing.T, test func(*testing.T, *place)) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlace(t)
		test(t, p)
		p.stop()
		synctest.Wait()
		if n := presence.Seats(); n > 0 {
			t.Errorf("%d seats are left", n)
		}
	})
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

type set = map[string]int

// Somebody who has entered by a connection leaves when it ends, once, and is one
// member with several connections.
func TestConnections(t *testing.T) {
	in(t, func(t *testing.T, p *place) {
		f := presencetest.Follow(t, p.room("room"))
		f.Until(set{})
		phone, onPhone := p.dial(t, rpc.DialOptions{})
		laptop, onLaptop := p.dial(t, rpc.DialOptions{})
		must(t, phone.Enter(t.Context(), "room", "ann", 1))
		f.Until(set{"ann": 1})
		must(t, laptop.Enter(t.Context(), "room", "ann", 2))
		f.Until(set{"ann": 2})
		must(t, phone.Enter(t.Context(), "room", "ann", 3))
		f.Until(set{"ann": 3})
		must(t, phone.Enter(t.Context(), "room", "bob", 4))
		f.Until(set{"ann": 3, "bob": 4})
		onPhone.Close()
		f.Until(set{"ann": 2})
		onLaptop.Close()
		f.Until(set{})
	})
}

// A connection that is cut has not ended until its session is given up.
func TestCuts(t *testing.T) {
	in(t, func(t *testing.T, p *place) {
		f := presencetest.Follow(t, p.room("room"))
		f.Until(set{})
		client, _ := p.dial(t, rpc.DialOptions{})
		must(t, client.Enter(t.Context(), "room", "ann", 1))
		for i := range 5 {
			p.network.Cut()
			must(t, client.Update(t.Context(), "room", "ann", 2+i))
		}
		f.Until(set{"ann": 6})
		if f.Changes > 7 {
			t.Errorf("%d changes by cuts", f.Changes)
		}
	})
}

// A client that is gone without a word leaves when its session has waited for it.
func TestLostClient(t *testing.T) {
	in(t, func(t *testing.T, p *place) {
		f := presencetest.Follow(t, p.room("room"))
		f.Until(set{})
		dials := 0
		conn, err := rpc.Dial(t.Context(), "ws://any", &rpc.DialOptions{Resume: true, NetDial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if dials++; dials > 1 {
				return nil, errors.New("no network")
			}
			return p.network.Dial(ctx, network, addr)
		}})
		must(t, err)
		defer conn.Close()
		must(t, NewHallClient(conn).Enter(t.Context(), "room", "ann", 1))
		f.Until(set{"ann": 1})
		cut := time.Now()
		p.network.Cut()
		f.Until(set{})
		if waited := time.Since(cut); waited != 2*time.Minute {
			t.Errorf("left %v after a cut", waited)
		}
	})
}

// What has entered twice leaves when it has left twice, whichever comes first.
func TestLeavesAreCounted(t *testing.T) {
	in(t, func(t *testing.T, p *place) {
		f := presencetest.Follow(t, p.room("room"))
		f.Until(set{})
		client, _ := p.dial(t, rpc.DialOptions{})
		must(t, client.Enter(t.Context(), "room", "ann", 1), client.Enter(t.Context(), "room", "ann", 2))
		must(t, client.Leave(t.Context()))
		f.Until(set{"ann": 2})
		must(t, client.Update(t.Context(), "room", "ann", 3))
		f.Until(set{"ann": 3})
		must(t, client.Leave(t.Context()))
		f.Until(set{})
		if err := client.Update(t.Context(), "room", "ann", 4); err == nil || !strings.Contains(err.Error(), presence.ErrNotHere.Error()) {
			t.Errorf("updated after leaving: %v", err)
		}
		if err := client.Update(t.Context(), "elsewhere", "ann", 4); err == nil {
			t.Error("updated in another room")
		}
	})
}

// Who is here crosses as the item of a stream, in both codecs, over cuts.
func TestStreams(t *testing.T) {
	for _, cd := range []codec.Codec{codec.JSON, cbor.Codec} {
		t.Run(cd.Name(), func(t *testing.T) {
			in(t, func(t *testing.T, p *place) {
				client, _ := p.dial(t, rpc.DialOptions{Codec: cd})
				other, onOther := p.dial(t, rpc.DialOptions{Codec: cd})
				changes, err := client.Here(t.Context(), "room")
				must(t, err)
				next, stop := iter.Pull2(changes)
				defer stop()
				take := func() presence.Change[int] {
					t.Helper()
					c, err, ok := next()
					if err != nil || !ok {
						t.Fatal(err)
					}
					p.network.Cut()
					return c
				}
				if c := take(); !c.All || c.Number != 1 || len(c.Here) > 0 {
					t.Errorf("the first change is %+v", c)
				}
				must(t, other.Enter(t.Context(), "room", "ann", 7))
				if c := take(); c.All || c.Number != 2 || len(c.Here) != 1 || c.Here[0] != (presence.Member[int]{Who: "ann", Value: 7}) {
					t.Errorf("after ann has come: %+v", c)
				}
				onOther.Close()
				if c := take(); len(c.Left) != 1 || c.Left[0] != "ann" {
					t.Errorf("after ann has left: %+v", c)
				}
			})
		})
	}
}

// Somebody who is here by a stream leaves with it.
func TestStay(t *testing.T) {
	in(t, func(t *testing.T, p *place) {
		f := presencetest.Follow(t, p.room("room"))
		f.Until(set{})
		client, _ := p.dial(t, rpc.DialOptions{})
		changes, err := client.Stay(t.Context(), "room", "ann", 0)
		must(t, err)
		for c, err := range changes {
			if err != nil || len(c.Here) != 1 {
				t.Errorf("begins with %+v, %v", c, err)
			}
			f.Until(set{"ann": 1})
			break
		}
		f.Until(set{})
	})
}

// A stream with a cursor goes on after the loss of its server, and begins again with
// everybody.
func TestStayOverServers(t *testing.T) {
	in(t, func(t *testing.T, p *place) {
		client, _ := p.dial(t, rpc.DialOptions{})
		changes, err := client.Stay(t.Context(), "room", "ann", 0)
		must(t, err)
		begun := 0
		for c, err := range changes {
			must(t, err)
			if !c.All || len(c.Here) != 1 {
				continue
			}
			if begun++; begun == 3 {
				break
			}
			p.stop()
			p.start(t)
		}
	})
}

func TestPost(t *testing.T) {
	srv := rpc.NewServer(nil)
	srv.Register(HallService(&hall{registry: &presence.Memory{}}))
	web := httptest.NewServer(srv)
	defer web.Close()
	caller, err := rpc.NewHTTPCaller(web.URL, nil)
	must(t, err)
	client := NewHallClient(caller)
	err = client.Enter(t.Context(), "room", "ann", 1)
	if e, ok := errors.AsType[*rpc.Error](err); !ok || e.Code != rpc.CodeInvalidRequest || !strings.Contains(e.Message, "a POST does not have") {
		t.Errorf("entered by a POST: %v", err)
	}
	if err := client.Update(t.Context(), "room", "ann", 1); err == nil {
		t.Error("updated by a POST")
	}
}
