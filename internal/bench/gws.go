package main

import (
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/lxzan/gws"
)

// gwsPeer is a server on lxzan/gws that speaks what raw speaks, whose client it is
// measured with: a WebSocket library that is made for many connections, and for sending
// the same to all. Its streams are those of a fan-out only.
var gwsPeer = Peer{
	Name:     "gws",
	About:    "no RPC library: a server on lxzan/gws and its Broadcaster, encoding/json, a header of nine bytes; no flow control",
	Serve:    serveGWS,
	Dial:     dialRaw,
	LiveOnly: true,
}

// A gwsServer has the subscribers of all connections, by the id of their streams, since
// a broadcast is the same bytes to all.
type gwsServer struct {
	gws.BuiltinEventHandler
	ping time.Duration

	mu   sync.Mutex
	live map[uint64][]*gws.Conn
}

func serveGWS(ln net.Listener, o Options) (func(), error) {
	s := &gwsServer{ping: o.Ping, live: map[uint64][]*gws.Conn{}}
	up := gws.NewUpgrader(s, &gws.ServerOption{ReadMaxPayloadSize: 4 << 20, WriteMaxPayloadSize: 4 << 20})
	go s.publish()
	return serveHTTP(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := up.Upgrade(w, r); err == nil {
			go c.ReadLoop() // outside the handler, which keeps more memory than a connection
		}
	}), func() {})
}

// OnOpen pings the connection as often as it is asked for, until that fails.
func (s *gwsServer) OnOpen(c *gws.Conn) {
	if s.ping == 0 {
		return
	}
	time.AfterFunc(s.ping, func() {
		if c.WritePing(nil) == nil {
			s.OnOpen(c)
		}
	})
}

// OnMessage answers what the peer raw would, and closes the connection of a client that
// asks for anything else.
func (s *gwsServer) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	in, out := newFrame(0, 0), newFrame(0, 0)
	defer frames.Put(in)
	defer frames.Put(out)
	in.Reset()
	in.Write(m.Bytes())
	if in.Len() < rawHead || s.answer(c, in, out) != nil {
		c.WriteClose(1002, nil)
	}
}

func (s *gwsServer) answer(c *gws.Conn, in, out *frame) (err error) {
	out.begin(in.kind(), in.id())
	switch in.kind() {
	case rawEcho:
		err = again[Value](in, out)
	case rawText:
		err = again[string](in, out)
	case rawFeed:
		err = s.subscribe(c, in, out)
	default:
		err = errBroken
	}
	if err != nil {
		return err
	}
	return c.WriteMessage(gws.OpcodeBinary, out.Bytes())
}

// subscribe makes the stream's item 0, and adds it to those that get what is published.
func (s *gwsServer) subscribe(c *gws.Conn, in, out *frame) error {
	var f Feed
	if err := jsonOf(in, &f); err != nil {
		return err
	}
	if f.N == live {
		s.mu.Lock()
		s.live[in.id()] = append(s.live[in.id()], c)
		s.mu.Unlock()
	}
	out.begin(rawItem, in.id())
	return out.enc.Encode(f.item(0))
}

// publish broadcasts each event of the board, once for each id, until the process ends.
func (s *gwsServer) publish() {
	out := newFrame(0, 0)
	for at := news.last(); ; at = at.next {
		<-at.ready
		body, err := at.shared.MarshalJSON()
		if err != nil {
			return
		}
		s.mu.Lock()
		for id, conns := range s.live {
			out.begin(rawItem, id)
			out.Write(body)
			b := gws.NewBroadcaster(gws.OpcodeBinary, out.Bytes())
			for _, c := range conns {
				b.Broadcast(c)
			}
			b.Close()
		}
		s.mu.Unlock()
	}
}
