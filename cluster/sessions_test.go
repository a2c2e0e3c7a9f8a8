package cluster

import (
	"errors"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/wirecall/wirecall/internal/relay"
)

func TestSessionsURL(t *testing.T) {
	s := startNATS(t, server.RANDOM_PORT)
	a := joinNode(t, s, NodeOptions{Name: "a", URL: "wss://a.example/rpc"}).Sessions()
	b := joinNode(t, s, NodeOptions{Name: "b"}).Sessions()
	if a.Name() != "a" || b.URL("a") != "wss://a.example/rpc" || b.URL("b") != "" || b.URL("nobody") != "" {
		t.Errorf("%s is at %s; b at %s; nobody at %s", a.Name(), b.URL("a"), b.URL("b"), b.URL("nobody"))
	}
	if _, err := b.Dial(t.Context(), "nobody"); !errors.Is(err, relay.ErrGone) {
		t.Errorf("dial nobody: %v", err)
	}
}
