package inspect

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/wirecall/wirecall/internal/transport"
)

// ServeHTTP implements http.Handler: it pipes the frames of the page's WebSocket to the
// server and back, and returns when either has closed. If there is no connection to the
// server, the page's close frame says why.
func (t *Target) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), dialTimeout)
	defer cancel()
	ws, err := transport.Accept(w, r, subprotocol, false, options)
	if err != nil {
		return // Accept has answered
	}
	page := newEnd(ws)
	server, plain, err := t.dial(ctx)
	if err != nil {
		page.close(transport.CloseError{Code: closeUnreachable, Reason: err.Error()})
		return
	}
	relay := &relay{page: page, server: newEnd(server), lines: t.isByteStream(), token: t.Token}
	if plain {
		relay.bridge.Store(newBridge(page, relay.server))
	}
	relay.run()
}

// A relay pipes frames between the page and the server.
type relay struct {
	page, server *end
	lines        bool // the server takes one message a frame
	token        func(context.Context) (string, error)

	bridge atomic.Pointer[bridge] // nil for a server that speaks wirecall, as far as is known
	begun  bool                   // the server has answered the page's hello; used by toPage
}

// run pipes until either side has closed, and closes the other likewise.
func (r *relay) run() {
	var wg sync.WaitGroup
	wg.Go(func() { r.page.close(pipe(r.server, r.toPage)) })
	wg.Go(func() { r.server.close(pipe(r.page, r.toServer)) })
	wg.Wait()
}

// pipe passes each frame of an end on, and returns why that has ended.
func pipe(from *end, send func([]byte) error) error {
	for {
		frame, err := from.t.ReadFrame()
		if err == nil {
			err = send(frame)
		}
		if err != nil {
			return err
		}
	}
}

// toPage passes a frame of the server to the page. The first shows whether the server speaks
// wirecall; until it has come the page sends nothing but its hello.
func (r *relay) toPage(frame []byte) error {
	if b := r.bridge.Load(); b != nil {
		return b.toPage(frame)
	}
	if !r.begun && !speaksWirecall(frame) {
		b := newBridge(r.page, r.server)
		r.bridge.Store(b)
		if err := b.hello(); err != nil {
			return err
		}
		return b.toPage(frame)
	}
	r.begun = true
	return r.page.send(frame)
}

// toServer passes a frame of the page to the server, with the token if it is one of a
// handshake.
func (r *relay) toServer(frame []byte) error {
	if b := r.bridge.Load(); b != nil {
		return b.toServer(frame)
	}
	if r.token != nil && bytes.HasPrefix(frame, handshake) {
		var err error
		if frame, err = withToken(frame, r.token); err != nil {
			return err
		}
	}
	if !r.lines {
		return r.server.send(frame)
	}
	for message := range bytes.SplitSeq(frame, []byte("\n")) {
		if err := r.server.send(message); err != nil {
			return err
		}
	}
	return nil
}

// handshake is how the page's requests begin that begin or resume a session. Each is alone
// in its frame, and no other request has its id. A socket has several if the server refuses
// one.
var handshake = []byte(`{"jsonrpc":"2.0","id":1,"method":"rpc.`)

// withToken adds the credentials to a request of a handshake. What is none it returns as it
// is: the server refuses it.
func withToken(frame []byte, token func(context.Context) (string, error)) ([]byte, error) {
	var request struct {
		JSONRPC string                     `json:"jsonrpc"`
		ID      json.RawMessage            `json:"id"`
		Method  string                     `json:"method"`
		Params  map[string]json.RawMessage `json:"params"`
	}
	if err := json.Unmarshal(frame, &request); err != nil || request.Params == nil {
		return frame, nil
	}
	text, err := token(context.Background())
	if err != nil {
		return nil, err
	}
	if request.Params["auth"], err = json.Marshal(text); err != nil {
		return nil, err
	}
	return json.Marshal(request)
}

// An end is one side of a relay. It implements transport.Owner.
type end struct {
	t       transport.Transport
	mu      sync.Mutex // held by the flusher
	closing sync.Once
}

func newEnd(t transport.Transport) *end {
	e := &end{t: t}
	t.Bind(e)
	return e
}

// Kick implements transport.Owner: it has the answer to a ping sent.
func (e *end) Kick() {
	go func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.t.Flush(true) // the reader gets the error
	}()
}

// Heard implements transport.Owner.
func (e *end) Heard() {}

// send writes a frame, and returns when the socket has taken it.
func (e *end) send(frame []byte) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.t.WriteFrame(frame); err != nil {
		return err
	}
	_, err := e.t.Flush(true)
	return err
}

// close closes this end as the other was closed: with its close frame, or without one.
func (e *end) close(cause error) {
	e.closing.Do(func() {
		if frame, ok := errors.AsType[transport.CloseError](cause); ok {
			e.t.CloseHandshake(frame.Code, frame.Reason)
		}
		e.t.Close()
	})
}
