package cluster

import (
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/wirecall/wirecall/internal/presencetest"
)

// startJetStream starts a server with JetStream in memory on a port, or on any, until the
// test ends.
func startJetStream(t *testing.T, port int) *server.Server {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	runNATS(t, s)
	return s
}

func TestPresence(t *testing.T) {
	s := startJetStream(t, server.RANDOM_PORT)
	a, b := joinNode(t, s, NodeOptions{}), joinNode(t, s, NodeOptions{})
	presencetest.Run(t, a.Presence(), b.Presence())
}
