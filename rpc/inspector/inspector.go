// Package inspector serves a page that shows what a server has, and calls it: its services
// and their comments, forms for calls, streams while they run, calls from the server, the
// frames below, and the server's connections. It is not there unless a program mounts it:
//
//	mux.Handle("/rpc", srv)
//	mux.Handle("/inspect/", http.StripPrefix("/inspect", inspector.Handler(srv, nil)))
//
// The page is a client like any other: it connects to Options.URL, through whatever
// middleware stands there, and may do what any page of this origin may. Services and forms
// need ServerOptions.Describe. What the page has beside that is the list of the server's
// connections, with addresses and the methods in flight: serve it to those who may see these.
package inspector

import (
	"cmp"
	"net/http"
	"slices"
	"sync"

	"github.com/wirecall/wirecall/internal/contract"
	"github.com/wirecall/wirecall/internal/inspect"
	"github.com/wirecall/wirecall/rpc"
)

// Options configure a Handler.
type Options struct {
	// URL is where pages reach the server's WebSocket, relative to the inspector's page.
	// The default is "/rpc".
	URL string

	// Hosts are the names by which the inspector may be reached, such as
	// "admin.example.com", without ports. The default is only the names of the loopback
	// interface: localhost, 127.0.0.1 and [::1]. They keep foreign pages away whose names
	// resolve to this server, and do not authenticate anybody.
	Hosts []string
}

// Handler returns the inspector of srv, which serves the root of its URL and what is
// below: see http.StripPrefix. It answers GET alone, and refuses requests from pages of
// other origins. A nil opts means the defaults.
func Handler(srv *rpc.Server, opts *Options) http.Handler {
	if opts == nil {
		opts = &Options{}
	}
	list := &connections{srv: srv, ids: make(map[*rpc.Conn]int)}
	return &inspect.Site{
		Config:      inspect.Config{URL: cmp.Or(opts.URL, "/rpc"), Connections: true, Token: true, Resume: true},
		Hosts:       opts.Hosts,
		Connections: list.snapshot,
	}
}

// connections numbers the connections of a server as they are first seen.
type connections struct {
	srv *rpc.Server

	mu   sync.Mutex
	last int
	ids  map[*rpc.Conn]int
}

// A connection is what the page shows of one.
type connection struct {
	ID        int       `json:"id"`
	Address   string    `json:"address"`
	Codec     string    `json:"codec"`
	Plain     bool      `json:"plain"`
	Phase     string    `json:"phase"`
	Resumable bool      `json:"resumable"`
	InFlight  string    `json:"inFlight"` // by method, in words
	Stats     rpc.Stats `json:"stats"`
}

// A snapshot is what the page gets at one moment.
type snapshot struct {
	Total       int          `json:"total"`
	Connections []connection `json:"connections"` // the oldest, at most maxShown
}

// maxShown is how many connections a snapshot describes.
const maxShown = 500

func (c *connections) snapshot() any {
	all := slices.Collect(c.srv.Connections())
	ids := c.number(all)
	slices.SortFunc(all, func(a, b *rpc.Conn) int { return ids[a] - ids[b] })
	s := snapshot{Total: len(all), Connections: []connection{}}
	for _, conn := range all[:min(len(all), maxShown)] {
		s.Connections = append(s.Connections, describe(ids[conn], conn))
	}
	return s
}

// number returns the numbers of connections, and forgets those of all others.
func (c *connections) number(all []*rpc.Conn) map[*rpc.Conn]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	ids := make(map[*rpc.Conn]int, len(all))
	for _, conn := range all {
		id, known := c.ids[conn]
		if !known {
			c.last++
			id = c.last
		}
		ids[conn] = id
	}
	c.ids = ids
	return ids
}

func describe(id int, conn *rpc.Conn) connection {
	state := conn.State()
	d := connection{ID: id, Codec: conn.Codec().Format().Name(), Plain: conn.Plain(), Phase: state.Phase.String(), Resumable: state.Resumable, InFlight: contract.InFlight(conn), Stats: conn.Stats()}
	if addr := conn.RemoteAddr(); addr != nil {
		d.Address = addr.String()
	}
	return d
}
