// Package bells rings at people, wherever they are connected.
package bells

import (
	"context"

	"github.com/wirecall/wirecall/cluster"
	"github.com/wirecall/wirecall/rpc"
)

//go:generate go tool wirecall gen -ts ../../web/src/api

// Bells is what the server serves.
//
//wirecall:service
type Bells interface {
	// Answer binds the caller to a name, whose bell it receives, until its connection ends.
	//
	//wirecall:idempotent
	Answer(ctx context.Context, name string) error

	// Ring rings at all devices of a name, and returns how many there are.
	Ring(ctx context.Context, from, name string) (devices int, err error)
}

// Visitor is what clients serve that answer.
//
//wirecall:service
type Visitor interface {
	// Bell says who rings.
	//
	//wirecall:notify
	Bell(ctx context.Context, from string) error
}

// A Server is the Bells of a node.
type Server struct{ Node *cluster.Node }

// Answer implements Bells.
func (s Server) Answer(ctx context.Context, name string) error {
	return s.Node.Bind(ctx, "visitor."+name)
}

// Ring implements Bells. A device that goes meanwhile is not counted.
func (s Server) Ring(ctx context.Context, from, name string) (devices int, err error) {
	peers, err := s.Node.Peers(ctx, "visitor."+name)
	if err != nil {
		return 0, err
	}
	for _, peer := range peers {
		switch err := NewVisitorClient(peer).Bell(ctx, from); {
		case err == nil:
			devices++
		case !rpc.NotRun(err):
			return devices, err
		}
	}
	return devices, nil
}
