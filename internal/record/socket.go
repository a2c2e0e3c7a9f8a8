package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/wirecall/wirecall/codec/cbor"
	"github.com/wirecall/wirecall/internal/cborscan"
)

// A direction is of what the client, or the server, has sent.
type direction int

const (
	client direction = iota
	server
)

var arrows = [2]string{"->", "<-"}

// maxDepth is how deep values of CBOR may nest that are written.
const maxDepth = 1_024

// A socket is a connection through the proxy.
type socket struct {
	rec      *Recorder
	lines    bool // it carries lines; wirecall is not known before the first
	wirecall bool
	cbor     bool
	begun    bool // the first frame has been sent
	opening  bool // until hello or resume has been answered
	gone     bool

	request  envelope // hello or resume
	text     []byte   // the same as it was sent
	held     [][]byte // what the client has sent since
	heldSize int
	goodbye  int // the code of a $/close

	conversation *conversation
}

// An envelope is what the recorder reads of a message.
type envelope struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
}

func (r *Recorder) socket(protocol string) *socket {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget()
	wirecall := strings.HasPrefix(protocol, "wirecall.v1.")
	s := &socket{rec: r, wirecall: wirecall, opening: wirecall, cbor: protocol == "wirecall.v1.cbor", conversation: r.conversation()}
	s.conversation.socket = s
	return s
}

// frame takes a frame: its content, or the beginning of that if it is too large.
func (s *socket) frame(d direction, frame []byte, size int) {
	s.rec.mu.Lock()
	defer s.rec.mu.Unlock()
	if s.rec.ended || s.conversation.stopped || s.conversation.socket != s {
		return
	}
	if size > s.rec.MaxMessage {
		s.conversation.stop("a message of %d bytes is over -max-message, which is %d", size, s.rec.MaxMessage)
		return
	}
	messages, err := s.split(frame)
	if err != nil {
		s.conversation.stop("%s has sent %v", [2]string{"the client", "the server"}[d], err)
		return
	}
	if s.lines && !s.begun && d == client {
		method := read(messages[0]).Method
		s.wirecall = method == "rpc.hello" || method == "rpc.resume"
		s.opening = s.wirecall
	}
	s.begun = true
	for i, m := range messages {
		if e := read(m); s.opening {
			s.open(d, e, m)
		} else if i > 0 || s.count(d) {
			s.message(d, e, m)
		} else {
			return // it is sent again
		}
	}
}

func (s *socket) count(d direction) bool { return !s.wirecall || s.conversation.count(d) }

func read(message []byte) (e envelope) {
	json.Unmarshal(message, &e)
	return e
}

var (
	errNotUTF8 = errors.New("what is not UTF-8")
	errNotJSON = errors.New("what is not JSON")
	errNotCBOR = errors.New("what is not CBOR")
	errNotRPC  = errors.New("what is no message of JSON-RPC")
)

// split returns the messages of a frame as JSON, at least one.
func (s *socket) split(frame []byte) (messages [][]byte, err error) {
	switch {
	case s.cbor:
		return splitCBOR(frame)
	case !utf8.Valid(frame):
		return nil, errNotUTF8
	case s.wirecall:
		messages = bytes.Split(frame, []byte("\n"))
	default:
		messages = [][]byte{frame}
	}
	for i, m := range messages {
		if !json.Valid(m) {
			return nil, errNotJSON
		}
		if messages[i] = bytes.TrimSpace(bytes.Clone(m)); messages[i][0] != '{' && messages[i][0] != '[' {
			return nil, errNotRPC
		}
	}
	return messages, nil
}

// splitCBOR takes a frame of byte strings apart.
func splitCBOR(frame []byte) (messages [][]byte, err error) {
	for at := 0; at < len(frame) || len(messages) == 0; {
		major, size, next := cborscan.Head(frame, at)
		if next < 0 || major != 2 || size > uint64(len(frame)-next) {
			return nil, errNotCBOR
		}
		at = next + int(size)
		if cborscan.Whole(frame[next:at], maxDepth) < 0 {
			return nil, errNotCBOR
		}
		var m json.RawMessage
		if err := cbor.Codec.Decode(frame[next:at], &m); err != nil || !bytes.HasPrefix(m, []byte("{")) {
			return nil, errNotCBOR
		}
		messages = append(messages, bytes.Replace(m, []byte("{"), []byte(`{"jsonrpc":"2.0",`), 1))
	}
	return messages, nil
}

// open takes a message while hello or resume has not been answered.
func (s *socket) open(d direction, e envelope, m []byte) {
	switch {
	case d == client && (e.Method == "rpc.hello" || e.Method == "rpc.resume") && s.request.Method == "":
		s.rec.hidden.ofHandshake(e.Params)
		s.request, s.text = e, m
	case d == client:
		s.hold(m)
	case e.Error != nil:
		s.refused(e)
	case s.request.Method == "rpc.resume":
		s.resumed(e)
	default:
		s.rec.hidden.ofHandshake(e.Result)
		s.opening = false
		c := s.conversation
		c.keep(e.Result)
		c.control(client, s.text)
		c.control(server, m)
		s.release()
	}
}

// hold keeps what the client sends behind hello until that is answered.
func (s *socket) hold(m []byte) {
	if s.heldSize += len(m); s.heldSize > s.rec.MaxMessage {
		s.conversation.stop("more than -max-message is sent before the answer to hello")
		return
	}
	s.held = append(s.held, m)
}

func (s *socket) release() {
	for _, m := range s.held {
		if s.count(client) {
			s.message(client, read(m), m)
		}
	}
	s.held = nil
}

// refused takes an error that answers hello or resume. A client that is refused with
// another code than wirecall's goes on in plain JSON-RPC.
func (s *socket) refused(e envelope) {
	var fault struct{ Code int }
	json.Unmarshal(e.Error, &fault)
	s.conversation.comment("%s is refused: %d", s.request.Method, fault.Code)
	s.request, s.text = envelope{}, nil
	switch fault.Code {
	case -32005, -32008, -32013, -32014, -32015:
	default:
		s.opening, s.wirecall = false, false
		s.release()
	}
}

// resumed continues the conversation of the session that the server has resumed.
func (s *socket) resumed(e envelope) {
	var from struct {
		Session  string
		Received int
	}
	var to struct{ Received int }
	json.Unmarshal(s.request.Params, &from)
	json.Unmarshal(e.Result, &to)
	s.opening = false
	c := s.rec.waiting[sessionName(from.Session)]
	if c == nil {
		s.conversation.stop("the session began before the recording")
		return
	}
	s.conversation.close()
	s.conversation = c
	if c.detached.IsZero() {
		c.line("->cut") // the server has noticed it first
	}
	c.attach(s, from.Received, to.Received)
	s.rec.hidden.ofHandshake(e.Result)
	c.line("->dial")
	c.line(`-> {"jsonrpc":"2.0","id":1,"method":"rpc.resume","params":{"session":"«session»"}}`)
	c.line(`<- {"jsonrpc":"2.0","id":1,"result":{}}`)
}

// message takes a message behind the opening.
func (s *socket) message(d direction, e envelope, m []byte) {
	if s.wirecall && e.Method == "$/close" {
		var params []json.RawMessage
		json.Unmarshal(e.Params, &params)
		s.goodbye = 1000
		if len(params) > 0 {
			json.Unmarshal(params[0], &s.goodbye)
		}
		return
	}
	if s.conversation.leavesOut(d, e) || s.wirecall && s.conversation.isControl(d, e) {
		return
	}
	s.conversation.message(d, m)
}

// end takes the end of the connection: its close code, or 0 if it was cut.
func (s *socket) end(d direction, code int) {
	s.rec.mu.Lock()
	defer s.rec.mu.Unlock()
	c := s.conversation
	if s.gone || c.socket != s {
		return
	}
	s.gone = true
	if code == 0 {
		code = s.goodbye
	}
	if s.rec.ended || c.stopped || s.opening || !s.begun {
		c.close()
		return
	}
	if code != 0 {
		c.comment("close code %d", code)
	}
	if s.wirecall && c.detach(code) {
		c.line(arrows[d] + "cut")
		return
	}
	if code == 0 {
		c.line(arrows[d] + "cut")
	} else {
		c.line(arrows[d] + "close")
	}
	c.close()
}
