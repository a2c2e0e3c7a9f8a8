package inspect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/wirecall/wirecall/internal/transport"
)

// A bridge stands between the page, which speaks wirecall, and a server of plain JSON-RPC
// 2.0. It answers the page's hello and control messages itself, and passes on calls,
// notifications and answers, both ways.
type bridge struct {
	page, server *end

	mu       sync.Mutex
	calls    map[string]bool            // of the page, not answered yet, by id
	requests map[string]json.RawMessage // ids of the server's, by those that the page gets
	ids      int                        // of requests
	notes    int                        // notifications of the page
}

func newBridge(page, server *end) *bridge {
	return &bridge{page: page, server: server, calls: make(map[string]bool), requests: make(map[string]json.RawMessage)}
}

// A message is one of JSON-RPC 2.0.
type message struct {
	JSONRPC string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   json.RawMessage `json:"error,omitempty"`
}

// The page may have this many notifications unhandled, and this many bytes of them.
const notes, noteBytes = 4096, 1 << 20

// hello answers the page's hello. Without a token the session ends with its socket.
func (b *bridge) hello() error {
	return b.page.send(fmt.Appendf(nil, `{"jsonrpc":"2.0","id":1,"result":{"v":1,"calls":256,"streams":256,"message":%d,"notes":%d,"noteBytes":%d}}`, options.MaxFrame, notes, noteBytes))
}

// toServer passes on what the page has sent in a frame.
func (b *bridge) toServer(frame []byte) error {
	for line := range bytes.SplitSeq(frame, []byte("\n")) {
		var m message
		if err := json.Unmarshal(line, &m); err != nil {
			return err
		}
		if err := b.fromPage(&m); err != nil {
			return err
		}
	}
	return nil
}

func (b *bridge) fromPage(m *message) error {
	switch {
	case m.Method == "rpc.hello":
		return b.hello()
	case m.Method == "$/ping":
		return send(b.page, &message{Method: "$/pong", Params: m.Params})
	case strings.HasPrefix(m.Method, "$/") && m.Method != "$/cancelRequest":
		return nil
	case m.Method == "":
		return b.answer(m)
	case m.ID != nil:
		b.mu.Lock()
		b.calls[string(m.ID)] = true
		b.mu.Unlock()
	case m.Method != "$/cancelRequest":
		if err := b.grant(); err != nil {
			return err
		}
	}
	return send(b.server, m)
}

// answer passes on the page's answer to a request of the server's.
func (b *bridge) answer(m *message) error {
	b.mu.Lock()
	id, ok := b.requests[string(m.ID)]
	delete(b.requests, string(m.ID))
	b.mu.Unlock()
	if !ok {
		return nil
	}
	m.ID = id
	return send(b.server, m)
}

// grant counts a notification of the page, and lets it send more after each quarter of the
// credit.
func (b *bridge) grant() error {
	if b.notes++; b.notes%(notes/4) != 0 {
		return nil
	}
	return send(b.page, &message{Method: "$/credit", Params: fmt.Appendf(nil, "[0,%d,%d,%d]", b.notes, notes, noteBytes)})
}

// toPage passes on what the server has sent: a message, or an array of them.
func (b *bridge) toPage(frame []byte) error {
	var all []*message
	err := json.Unmarshal(frame, &all)
	if err != nil {
		all = []*message{{}}
		err = json.Unmarshal(frame, all[0])
	}
	if err != nil {
		return transport.CloseError{Code: transport.CloseViolation, Reason: "what the server has sent is no JSON-RPC"}
	}
	for _, m := range all {
		if m == nil {
			continue
		}
		if err := b.fromServer(m); err != nil {
			return err
		}
	}
	return nil
}

// controls are the control messages of wirecall, which mean nothing if a plain server sends
// them.
var controls = []string{"$/items", "$/end", "$/credit", "$/cancel", "$/cancelRequest", "$/ping", "$/pong", "$/ack", "$/goaway", "$/moved", "$/auth", "$/close"}

func (b *bridge) fromServer(m *message) error {
	switch {
	case m.Method == "":
		return b.answered(m)
	case slices.Contains(controls, m.Method):
		return nil
	case m.ID != nil && string(m.ID) != "null":
		b.mu.Lock()
		b.ids++
		id := strconv.Itoa(b.ids)
		b.requests[id] = m.ID
		b.mu.Unlock()
		m.ID = json.RawMessage(id)
	default:
		m.ID = nil
	}
	return send(b.page, m)
}

// answered passes on the answer to a call of the page's, in the form that wirecall demands.
// Others are dropped, such as the one to a hello.
func (b *bridge) answered(m *message) error {
	id := strings.Trim(string(m.ID), `"`) // some servers return the number as text
	b.mu.Lock()
	open := b.calls[id]
	delete(b.calls, id)
	b.mu.Unlock()
	if !open {
		return nil
	}
	m.ID = json.RawMessage(id)
	if m.Error != nil && string(m.Error) != "null" {
		m.Result, m.Error = nil, wellFormed(m.Error)
	} else if m.Error = nil; m.Result == nil {
		m.Result = json.RawMessage("null")
	}
	return send(b.page, m)
}

// wellFormed returns an error object that has a code and a message.
func wellFormed(text json.RawMessage) json.RawMessage {
	var e struct {
		Code    *int64  `json:"code"`
		Message *string `json:"message"`
	}
	if json.Unmarshal(text, &e) == nil && e.Code != nil && e.Message != nil {
		return text
	}
	return json.RawMessage(`{"code":-32603,"message":"the server's error has no code or no message"}`)
}

// send sends a message that is alone in its frame.
func send(to *end, m *message) error {
	m.JSONRPC = "2.0"
	frame, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return to.send(frame)
}

// speaksWirecall reports whether a server's first frame answers rpc.hello or rpc.resume.
func speaksWirecall(frame []byte) bool {
	var m struct {
		Result struct {
			V        *int64 `json:"v"`
			Received *int64 `json:"received"`
		} `json:"result"`
		Error *struct {
			Code int64 `json:"code"`
		} `json:"error"`
	}
	if json.Unmarshal(frame, &m) != nil {
		return false
	}
	if m.Error != nil {
		return slices.Contains([]int64{-32005, -32008, -32013, -32014, -32015, -32700}, m.Error.Code) // see PROTOCOL.md, section 1
	}
	return m.Result.V != nil || m.Result.Received != nil
}
