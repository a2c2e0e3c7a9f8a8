// Package post makes JSON-RPC 2.0 calls by HTTP POST requests, in bytes: it sends
// messages, alone or in batches, and finds each call's answer in the response. It sends a
// request again only if that is safe.
//
// JSON-RPC 2.0 says nothing of HTTP. A response of any status whose body is an answer is
// taken as one, since servers differ in the status of an error.
package post

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// A Client makes calls. Its fields are set before the first call. Its methods may be
// called by any number of goroutines at once.
type Client struct {
	URL  string
	Name string      // the URL as errors quote it
	HTTP http.Client // with the redirects and cookies that it follows

	// Header returns the headers of a request, its credentials among them. If Renew is
	// set, it is called again, once, after a response of 401.
	Header func(context.Context) (http.Header, error)
	Renew  bool

	MaxResponse int           // bytes
	Retries     int           // how often a request is sent again
	Window      time.Duration // how long a batch waits for calls; 0 for no batches
	MaxBatch    int           // messages of a batch

	lastID atomic.Uint64

	mu   sync.Mutex
	open *batch // takes calls; nil if there is none
}

// NextID returns the id for a call.
func (c *Client) NextID() uint64 { return c.lastID.Add(1) }

// A Request is a call or a notification.
type Request struct {
	ID         uint64 // 0 for a notification
	Message    []byte // all of it
	Idempotent bool
}

// An Answer is the answer to a call: a result or an error object, both raw. For a
// notification both are nil.
type Answer struct {
	Result, Error []byte
	Deep          bool // see wire.Message
}

// Do makes a call and waits for its answer, or until ctx ends. An error is a
// *fault.Error, the cause of ctx, or that of Header.
func (c *Client) Do(ctx context.Context, r Request) (Answer, error) {
	if c.Window > 0 {
		return c.doInBatch(ctx, r)
	}
	e := &entry{Request: r}
	c.exchange(ctx, []*entry{e})
	return e.answer, e.err
}

// An entry is a request and what has become of it.
type entry struct {
	Request
	answered bool
	answer   Answer
	err      error
}

// exchange sends entries, several as a batch, and sets their answers.
func (c *Client) exchange(ctx context.Context, entries []*entry) {
	body, err := c.send(ctx, entries)
	if err != nil {
		for _, e := range entries {
			e.err = err
		}
		return
	}
	c.assign(body, entries)
}

// message returns the body of the request for entries.
func message(entries []*entry) []byte {
	if len(entries) == 1 {
		return entries[0].Message
	}
	var b []byte
	for _, e := range entries {
		b = append(append(b, ','), e.Message...)
	}
	b[0] = '['
	return append(b, ']')
}
