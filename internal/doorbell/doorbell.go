// Package doorbell is the contract that docs/people.md shows, and its server. The module
// cluster tests it on several nodes.
package doorbell

import (
	"cmp"
	"context"
	"errors"

	"github.com/wirecall/wirecall/rpc"
)

//go:generate go tool wirecall gen

// House is what the server serves.
//
//wirecall:service
type House interface {
	// MoveIn makes the caller's bell ring when somebody visits a resident.
	MoveIn(ctx context.Context, resident string) error

	// Visit rings at a resident's, wherever she is. It returns whether she opens.
	//
	//wirecall:error ErrNotHome
	Visit(ctx context.Context, resident, visitor string) (opens bool, err error)

	// Shout says something at all devices of a resident. It returns how many heard it.
	Shout(ctx context.Context, resident, text string) (heard int, err error)
}

// ErrNotHome says that a resident has no bell, or that it was lost while it rang.
var ErrNotHome = errors.New("not at home")

// Bell is what the clients of residents serve.
//
//wirecall:service
type Bell interface {
	// Ring returns whether to open.
	Ring(ctx context.Context, visitor string) (opens bool, err error)

	// Hear is called with what somebody has shouted.
	//
	//wirecall:notify
	Hear(ctx context.Context, text string) error
}

// People is what the server needs of a cluster's node.
type People interface {
	Bind(ctx context.Context, name string) error
	Peer(name string) rpc.Caller
	Peers(ctx context.Context, name string) ([]rpc.Caller, error)
}

// A Server serves House on one node.
type Server struct {
	Node People
}

// MoveIn implements House.
func (s *Server) MoveIn(ctx context.Context, resident string) error {
	return s.Node.Bind(ctx, "resident."+resident)
}

// Visit implements House.
func (s *Server) Visit(ctx context.Context, resident, visitor string) (bool, error) {
	opens, err := NewBellClient(s.Node.Peer("resident."+resident)).Ring(ctx, visitor)
	switch rpc.CodeOf(err) {
	case rpc.CodeUnavailable, rpc.CodeMethodNotFound: // they are of her connection, not of the visitor's
		return false, ErrNotHome
	}
	return opens, err
}

// Shout implements House.
func (s *Server) Shout(ctx context.Context, resident, text string) (heard int, err error) {
	devices, err := s.Node.Peers(ctx, "resident."+resident)
	for _, device := range devices {
		switch err := NewBellClient(device).Hear(ctx, text); {
		case err == nil:
			heard++
		case !rpc.NotRun(err): // and not one that has gone meanwhile
			return heard, err
		}
	}
	return heard, err
}

// Stay makes the bell of a resident ring over all sessions of a connection, until that or
// ctx ends.
func Stay(ctx context.Context, conn *rpc.Conn, resident string) error {
	bound := 0 // the session that is
	for state := range conn.States(ctx) {
		if state.Phase != rpc.Connected || state.Session == bound {
			continue
		}
		bound = state.Session
		switch err := NewHouseClient(conn).MoveIn(ctx, resident); rpc.CodeOf(err) {
		case 0, rpc.CodeUnavailable, rpc.CodeSessionLost: // if it was lost, there will be another session
		default:
			return err
		}
	}
	return cmp.Or(ctx.Err(), conn.Err())
}
