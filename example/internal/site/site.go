// Package site serves a service with its page, as the programs of the examples do.
package site

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"time"

	"github.com/wirecall/wirecall/rpc"
)

// Serve serves srv at /rpc and the page's files beside it, until ctx ends, and then gives
// calls that are under way a second. Streams without an end are cut with that. It writes
// to out where it serves.
func Serve(ctx context.Context, ln net.Listener, srv *rpc.Server, files fs.FS, out io.Writer) error {
	mux := http.NewServeMux()
	mux.Handle("/rpc", srv)
	mux.Handle("/", http.FileServerFS(files))
	fmt.Fprintf(out, "serving at ws://%[1]s/rpc, with a page at http://%[1]s\n", ln.Addr())
	server := &http.Server{Handler: mux}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(ln) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	srv.Shutdown(ctx)
	return server.Shutdown(ctx)
}
