package mcprpc

import (
	"context"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// How often the progress of a call is reported at most, and how many bytes of an item it
// has.
const (
	progressPause = 100 * time.Millisecond
	progressBytes = 1 << 10
)

// A progress reports the items of a call's streams to a client that has asked for that. A
// nil one reports nothing. One goroutine at a time uses it.
type progress struct {
	session *mcp.ServerSession
	token   any
	last    time.Time
}

// progressOf returns the progress of a request, or nil.
func progressOf(req *mcp.CallToolRequest) *progress {
	token := req.Params.GetProgressToken()
	if token == nil {
		return nil
	}
	return &progress{session: req.Session, token: token}
}

// report says that an item has come, the n-th. Those that come faster than a client wants
// to know are counted with the next.
func (p *progress) report(ctx context.Context, n int, item []byte) {
	if p == nil || time.Since(p.last) < progressPause {
		return
	}
	p.last = time.Now()
	// If the client has gone, the request's context ends too.
	p.session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{ProgressToken: p.token, Progress: float64(n), Message: abridged(item)})
}

// abridged is an item as far as a message has room for it.
func abridged(item []byte) string {
	if len(item) <= progressBytes {
		return string(item)
	}
	const more = "…"
	return strings.ToValidUTF8(string(item[:progressBytes-len(more)]), "") + more
}
