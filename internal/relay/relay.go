// Package relay is what a server needs to know of the other nodes of its cluster, so
// that a client may resume its session through any of them.
package relay

import (
	"context"
	"errors"
	"net"
)

// ErrGone is the error, or is wrapped by the error, of a Dial to a node that does not
// exist, or no longer does. Its sessions are lost.
var ErrGone = errors.New("the node is gone")

// Nodes are the nodes of a cluster as one of them, this node, knows them. The module
// cluster implements it. A node's name has 1 to MaxName characters of A-Za-z0-9_-, and no
// node has that of an earlier one. The names that are passed to the methods may come from
// clients. The methods may be called by any number of goroutines at once.
type Nodes interface {
	// Name returns the name of this node. It never changes.
	Name() string

	// URL returns the URL, ws or wss, at which clients reach the server of a node. It
	// returns "" if no client is to be redirected there: if the node has no URL of its
	// own, if it is about to leave, or if it does not exist. It does not block.
	URL(node string) string

	// Dial opens a link to a node: a stream of bytes, in order and without loss until it
	// breaks, to the function that the node has passed to Serve. Each side knows that the
	// other is a node of the same cluster. ctx bounds the dialing only. If the node does
	// not exist, Dial returns ErrGone without waiting.
	Dial(ctx context.Context, node string) (net.Conn, error)

	// Serve sets the function that is called, on a goroutine of its own, for each link
	// that another node opens to this one. It owns the link and closes it. A link that is
	// opened before there is a function is refused. Serve is called at most once.
	Serve(f func(link net.Conn))
}

// MaxName is the length of the longest name of a node.
const MaxName = 64

// ValidName reports whether name may be that of a node.
func ValidName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if ('a' > c || c > 'z') && ('A' > c || c > 'Z') && ('0' > c || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return 0 < len(name) && len(name) <= MaxName
}
