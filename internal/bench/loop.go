package main

import (
	"encoding/binary"
	"net"
	"runtime"
	"sync"

	"github.com/coder/websocket"
)

// The floors of a fan-out: no stream has a goroutine, an event is encoded once,
// and a loop for each CPU writes it to its share of the connections. There is
// no flow control. Clients are those of the peer raw.
var (
	loopPeer = Peer{
		Name:  "raw-loop",
		About: "no library: loops that write an event, encoded once, to each connection as often as it has subscribers",
		Serve: serveLoop(func() batch { return new(single) }),
		Dial:  dialRaw,
	}
	packedPeer = Peer{
		Name:  "raw-packed",
		About: "the same, but the copies for one connection are one message",
		Serve: serveLoop(func() batch { return new(packed) }),
		Dial:  dialRaw,
	}
)

// rawPack is a message that carries items of several streams: of each the id
// and its JSON, which a newline ends.
const rawPack = 'p'

// A batch is how an event goes to the subscribers of one connection.
type batch interface {
	write(c *websocket.Conn, ids []uint64, body []byte) error
}

type single struct{ frame }

func (f *single) write(c *websocket.Conn, ids []uint64, body []byte) error {
	for _, id := range ids {
		f.begin(rawItem, id)
		f.Write(body)
		if err := f.frame.write(c); err != nil {
			return err
		}
	}
	return nil
}

type packed struct{ frame }

func (f *packed) write(c *websocket.Conn, ids []uint64, body []byte) error {
	f.begin(rawPack, 0)
	for _, id := range ids {
		f.Write(binary.BigEndian.AppendUint64(f.AvailableBuffer(), id))
		f.Write(body)
		f.WriteByte('\n')
	}
	return f.frame.write(c)
}

// A mailing is who gets what is published.
type mailing struct {
	mu    sync.RWMutex
	conns []*rawServer // each with its live streams
}

func serveLoop(newBatch func() batch) func(net.Listener, Options) (func(), error) {
	return func(ln net.Listener, o Options) (func(), error) {
		m := new(mailing)
		loops := runtime.GOMAXPROCS(0)
		for i := range loops {
			go m.loop(news.last(), newBatch(), i, loops)
		}
		return serveRaw(m)(ln, o)
	}
}

// add begins to mail what is published to a stream, first its item 0.
func (m *mailing) add(s *rawServer, f Feed, id uint64) error {
	m.mu.Lock()
	if len(s.live) == 0 {
		m.conns = append(m.conns, s)
	}
	s.live = append(s.live, id)
	m.mu.Unlock()
	out := newFrame(rawItem, id)
	defer frames.Put(out)
	if err := out.enc.Encode(f.item(0)); err != nil {
		return err
	}
	return out.write(s.conn)
}

// loop writes every event from at on to the connections of one share. A
// connection that fails is done for, which its reader finds out as well.
func (m *mailing) loop(at *post, b batch, share, shares int) {
	for ; ; at = at.next {
		<-at.ready
		body, err := at.shared.MarshalJSON()
		if err != nil {
			return
		}
		m.mu.RLock()
		for i := share; i < len(m.conns); i += shares {
			b.write(m.conns[i].conn, m.conns[i].live, body)
		}
		m.mu.RUnlock()
	}
}
