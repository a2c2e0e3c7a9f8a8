package connect

import (
	"context"
	"net"
	"path/filepath"
	"sync"
	"testing"

	"github.com/wirecall/wirecall/rpc"
)

// TestStreams connects to sockets without a handshake, which accept no options of one.
func TestStreams(t *testing.T) {
	for network, address := range map[string]string{"tcp": "127.0.0.1:0", "unix": filepath.Join(t.TempDir(), "socket")} {
		t.Run(network, func(t *testing.T) {
			ln, err := net.Listen(network, address)
			if err != nil {
				t.Fatal(err)
			}
			srv := rpc.NewServer(&rpc.ServerOptions{Describe: true})
			var served sync.WaitGroup
			served.Go(func() { srv.Serve(context.Background(), ln) })
			defer served.Wait()
			defer srv.Close()
			o := &Options{}
			d, err := o.DialOptions()
			if err != nil {
				t.Fatal(err)
			}
			conn, err := o.To(t.Context(), network+"://"+ln.Addr().String(), d)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.Call(t.Context(), &rpc.Call{Method: &rpc.Method{Name: "rpc.discover"}}); err != nil {
				t.Error(err)
			}
		})
	}
}
