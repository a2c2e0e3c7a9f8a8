// Package wire encodes and decodes the messages of two peers: JSON-RPC 2.0 in JSON
// or in CBOR, with the members that wirecall adds, and the frames that carry several
// messages.
//
// It does no I/O and has no state. Package rpc gives messages their meaning.
//
// Everything that comes from a peer goes through [Format.Decode] first, which reads
// every byte of it once. The parts that Decode returns are well formed, nest no deeper
// than [MaxDepth], and are valid UTF-8.
package wire

import (
	"fmt"

	"github.com/wirecall/wirecall/internal/cborscan"
	"github.com/wirecall/wirecall/internal/jsonscan"
)

// Format is one of the two formats of messages. Its methods that build and read raw
// values take and return values in that format.
type Format uint8

const (
	// JSON is text, RFC 8259, and the format of plain JSON-RPC 2.0 programs.
	JSON Format = iota

	// CBOR is binary, RFC 8949. A message is a map with JSON-RPC's member names
	// as text keys. The member "jsonrpc" is not written and, when there, not
	// looked at. Lengths are definite everywhere.
	CBOR
)

// methodItems is the method of a message with items of a stream.
const methodItems = "$/items"

// MaxStreams is how many streams one message can introduce.
const MaxStreams = 16

// How deep arrays and objects (in CBOR: tags too) may nest. RFC 8259, section 9,
// leaves the choice to the reader.
//
// A value is counted from itself, wherever it stands in its message. What flows
// to a caller may nest deeper than what flows to a callee: applications wrap what
// they were given, and with one limit a value at that limit would break whatever
// it is passed on in.
const (
	MaxDepth    = 1024 // a message, itself included
	CalleeDepth = 500  // parameters, and items of streams among them
	CallerDepth = 1000 // results, items of streams among them, data of errors
)

// MaxTimeout is the longest time on the wire, in milliseconds. A longer one counts as
// this one.
const MaxTimeout = 1<<31 - 1

// MaxInteger is the largest number of the protocol's own: what every program can
// hold (RFC 8259, section 6).
const MaxInteger = 1<<53 - 1

// Message is one decoded message. Its slices alias the input.
//
// A message with a Method is a request, or a notification when it has no ID.
// One without is a response: it has an ID, and either a Result or an Error.
type Message struct {
	ID      []byte   // raw, to be echoed byte for byte; nil when absent, which null is not
	Method  []byte   // unescaped; nil when absent
	Params  []byte   // raw array or object; nil when absent or null
	Result  []byte   // raw; nil when absent, which null is not
	Error   []byte   // raw object with an integer code and a string message; nil when absent
	Timeout int64    // milliseconds, 1 to MaxTimeout; 0 when absent
	Meta    []byte   // raw object of strings; nil when absent or null
	Streams []uint64 // at most MaxStreams handles, none twice, none 0; capacity is reused from call to call

	// The stream and the items of $/items; Handle is negative if the params are
	// malformed. The items alias the input. Their capacity is reused.
	Handle int64
	Items  [][]byte

	// Deep says that a value in the message may nest deeper than CalleeDepth.
	// Where it is false none does.
	Deep bool

	// Answer says of a message that is refused that it was meant as an answer: it
	// has a result or an error, and no method.
	Answer bool

	// Request says of a message that is refused that it was meant as a request or a
	// notification: it has a method, and neither a result nor an error.
	Request bool
}

// reset sets m to the empty message with the given id.
func (m *Message) reset(id []byte) {
	*m = Message{ID: id, Streams: m.Streams[:0], Items: m.Items[:0], Handle: -1}
}

// Codes of a Fault: JSON-RPC 2.0, section 5.1.
const (
	ParseError     = -32700
	InvalidRequest = -32600
)

// A Fault is the error of bytes that are not a message, with the code and the message of
// the answer to the peer.
type Fault struct {
	Code    int    // ParseError or InvalidRequest
	Message string // never quotes a value of the peer's
}

func (f *Fault) Error() string { return f.Message }

func parseError(why string) *Fault {
	return &Fault{ParseError, "parse error: " + why}
}

func invalidRequest(why string) *Fault {
	return &Fault{InvalidRequest, "invalid request: " + why}
}

// wrong describes the negative result of a scan in which so many levels were
// allowed. It quotes nothing of what was scanned.
func (f Format) wrong(at, levels int) string {
	switch {
	case isTooDeep(at):
		return fmt.Sprintf("nested deeper than %d", levels)
	case f == CBOR:
		return fmt.Sprintf("malformed CBOR at byte %d", ^at)
	}
	return fmt.Sprintf("malformed JSON at byte %d", ^at)
}

// isTooDeep reports whether a scan failed because too many levels nest.
func isTooDeep(at int) bool { return at == jsonscan.TooDeep || at == cborscan.TooDeep }

// Name returns the name of the format in a WebSocket subprotocol.
func (f Format) Name() string {
	if f == CBOR {
		return "cbor"
	}
	return "json"
}
