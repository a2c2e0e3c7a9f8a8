package cluster

import (
	"errors"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/wirecall/wirecall/internal/presencetest"
	"github.com/wirecall/wirecall/rpc"
)

// uses are what reads or writes entries of nodes.
var uses = map[string]func(t *testing.T, n *Node) error{
	"Enter": func(t *testing.T, n *Node) error {
		_, err := room(n).Enter(t.Context(), "ann", 1)
		return err
	},
	"Watch": func(t *testing.T, n *Node) error {
		for _, err := range room(n).Watch(t.Context()) {
			return err
		}
		return nil
	},
	"Members": func(t *testing.T, n *Node) error {
		_, err := room(n).Members(t.Context())
		return err
	},
	"Peers": func(t *testing.T, n *Node) error {
		_, err := n.Peers(t.Context(), "ann")
		return err
	},
	"Peer": func(t *testing.T, n *Node) error {
		return n.Peer("ann").Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: "X"}})
	},
}

// What a node is used for after it has ended fails with why it has, also where that is the
// first use, and where nothing was ever stored.
func TestUseOfEndedNode(t *testing.T) {
	for name, end := range map[string]struct {
		err error
		end func(n *Node)
	}{
		"closed":     {ErrNodeClosed, (*Node).Close},
		"lost name":  {ErrNameTaken, func(n *Node) { n.cancel(ErrNameTaken) }},
		"used, lost": {ErrNameTaken, func(n *Node) { n.entries(); n.cancel(ErrNameTaken) }},
	} {
		t.Run(name, func(t *testing.T) {
			n := joinNode(t, startNATS(t, server.RANDOM_PORT), NodeOptions{})
			end.end(n)
			for use, f := range uses {
				if err := f(t, n); err == nil || !strings.Contains(err.Error(), end.err.Error()) {
					t.Errorf("%s: %v in place of %v", use, err, end.err)
				}
			}
			if err := uses["Members"](t, n); !errors.Is(err, end.err) {
				t.Errorf("the error of Members is not %v", end.err)
			}
		})
	}
}

// While NATS cannot be reached, what must read from it fails at once and says so.
func TestReadWithoutNATS(t *testing.T) {
	s := startJetStream(t, server.RANDOM_PORT)
	n := joinNode(t, s, NodeOptions{})
	presencetest.Enter(t, room(n), "ann", 1)
	stopNATS(s)
	for _, use := range []string{"Members", "Peers", "Peer"} {
		if err := uses[use](t, n); rpc.CodeOf(err) != rpc.CodeUnavailable || !strings.Contains(err.Error(), "NATS cannot be reached") {
			t.Errorf("%s: %v, with the code %v", use, err, rpc.CodeOf(err))
		}
	}
}
