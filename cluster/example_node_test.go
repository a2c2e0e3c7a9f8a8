package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/wirecall/wirecall/cluster"
	"github.com/wirecall/wirecall/rpc"
)

// serve is one process of a cluster: it serves clients on a listener, whose address leads to
// this process and no other, until ctx ends.
func serve(ctx context.Context, natsURL string, secret []byte, name string, ln net.Listener) error {
	nc, err := nats.Connect(natsURL, nats.MaxReconnects(-1))
	if err != nil {
		return err
	}
	defer nc.Close()
	node, err := cluster.Join(ctx, nc, &cluster.NodeOptions{Secret: secret, Name: name, URL: "ws://" + ln.Addr().String() + "/rpc"})
	if err != nil {
		return err
	}
	defer node.Close()
	srv := rpc.NewServer(&rpc.ServerOptions{Sessions: &rpc.SessionOptions{Nodes: node.Sessions()}})
	mux := http.NewServeMux()
	mux.Handle("/rpc", srv)
	mux.HandleFunc("/nodes", func(w http.ResponseWriter, _ *http.Request) {
		for _, n := range node.Nodes() {
			fmt.Fprintln(w, n.Name)
		}
	})
	hs := &http.Server{Handler: mux}
	go hs.Serve(ln)
	select {
	case <-ctx.Done():
	case <-node.Done(): // nobody reaches the sessions of this process any more
	}
	stopping, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	srv.Shutdown(stopping) // clients go to other nodes
	return errors.Join(hs.Shutdown(stopping), node.Err())
}

// Two processes become nodes that know each other, and clients may come back to their
// sessions through either. A process needs its own name only if others are to find it by
// that: the default is random.
func ExampleJoin() {
	ns, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true})
	if err != nil {
		log.Fatal(err)
	}
	ns.Start()
	defer ns.Shutdown()

	secret := []byte("32 random bytes from a safe place") // the same for all nodes
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	for _, name := range []string{"n1", "n2"} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			log.Fatal(err)
		}
		go func() { ended <- serve(ctx, ns.ClientURL(), secret, name, ln) }()
		response, err := http.Get("http://" + ln.Addr().String() + "/nodes") // is answered when it has joined
		if err != nil {
			log.Fatal(err)
		}
		names, _ := io.ReadAll(response.Body)
		response.Body.Close()
		fmt.Printf("%s sees %q\n", name, strings.Fields(string(names)))
	}
	cancel()
	fmt.Println(<-ended, <-ended)
	// Output:
	// n1 sees ["n1"]
	// n2 sees ["n1" "n2"]
	// <nil> <nil>
}
