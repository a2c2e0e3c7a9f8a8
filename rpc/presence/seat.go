package presence

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"

	"github.com/wirecall/wirecall/internal/contract"
	"github.com/wirecall/wirecall/internal/session"
	"github.com/wirecall/wirecall/rpc"
)

// A seat is what a connection, or the context of one Enter, has in a room for somebody:
// one device.
type seat struct {
	key    seatKey // with a nil conn if it is of a context
	device string
	stop   func() bool // what waits for the end of the connection or context

	holds int // Enters that have not left, and calls under way; guarded by seats

	mu   sync.Mutex // held while the registry is called, so that it is called in order
	left bool
}

type seatKey struct {
	registry Registry
	room     string
	who      string
	conn     *rpc.Conn
}

// seats are those of connections. One that has left is not among them.
var seats = struct {
	sync.Mutex
	byKey map[seatKey]*seat
}{byKey: make(map[seatKey]*seat)}

var errEnded = errors.New("presence: the connection has ended, or who has left")

// seatOf returns the seat for an Enter with ctx, which must release it.
func seatOf(ctx context.Context, registry Registry, room, who string) (*seat, error) {
	conn, ok := rpc.ConnFromContext(ctx)
	key := seatKey{registry, room, who, conn}
	switch {
	case !ok && session.FromContext(ctx) != nil:
		return nil, rpc.Errorf(rpc.CodeInvalidRequest, "presence needs a connection, which a POST does not have")
	case !ok:
		s := newSeat(key)
		s.stop = context.AfterFunc(ctx, s.end)
		return s, nil
	}
	seats.Lock()
	defer seats.Unlock()
	s := seats.byKey[key]
	if s == nil {
		s = newSeat(key)
		s.stop = contract.AfterEnd(conn, s.end)
		seats.byKey[key] = s
	} else {
		s.holds++
	}
	return s, nil
}

func newSeat(key seatKey) *seat { return &seat{key: key, device: rand.Text(), holds: 1} }

// seatIn returns the seat of the connection of ctx, which must be released, or nil if it
// has none.
func seatIn(ctx context.Context, registry Registry, room, who string) *seat {
	conn, _ := rpc.ConnFromContext(ctx)
	seats.Lock()
	defer seats.Unlock()
	s := seats.byKey[seatKey{registry, room, who, conn}]
	if s != nil {
		s.holds++
	}
	return s
}

// put has the seat's entry stored. The first time is when it enters.
func (s *seat) put(ctx context.Context, value []byte) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	stored, err := s.enter(value)
	if err != nil {
		return err
	}
	select {
	case err := <-stored:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *seat) enter(value []byte) (stored <-chan error, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left {
		return nil, errEnded
	}
	return s.key.registry.Enter(s.key.room, Entry{Device: s.device, Who: s.key.who, Value: value}), nil
}

// release ends one hold, and the seat with the last.
func (s *seat) release() {
	seats.Lock()
	s.holds--
	last := s.holds == 0
	if last {
		s.forget()
	}
	seats.Unlock()
	if last {
		s.stop()
		s.end()
	}
}

// forget removes the seat from those of connections. The mutex of seats must be held.
func (s *seat) forget() {
	if seats.byKey[s.key] == s {
		delete(seats.byKey, s.key)
	}
}

// end removes the seat's entry, however often it is held.
func (s *seat) end() {
	seats.Lock()
	s.forget()
	seats.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.left {
		s.left = true
		s.key.registry.Leave(s.key.room, s.device)
	}
}
