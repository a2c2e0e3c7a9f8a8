package transcript

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// A message is a line of JSON: a message of JSON-RPC, or a batch.
type message struct {
	members map[string]any
	batch   []any // of a batch
}

func parseMessage(line string) (message, error) {
	v, err := decode(line)
	if err != nil {
		return message{}, err
	}
	switch v := v.(type) {
	case map[string]any:
		return message{members: v}, nil
	case []any:
		slices.SortStableFunc(v, func(a, b any) int { return strings.Compare(idOf(a), idOf(b)) })
		return message{batch: v}, nil
	}
	return message{}, errors.New("neither an object nor an array")
}

// literal stands for « in the strings of a message that is expected, where the file has
// escaped it so that it begins no name.
const literal = "\ue0ab"

var escapedMark = regexp.MustCompile(`(^|[^\\])((?:\\\\)*)\\u00ab`)

// parseExpected parses a message of the file that the peer is to send.
func parseExpected(line string) (message, error) {
	return parseMessage(escapedMark.ReplaceAllString(line, "${1}${2}"+literal))
}

// decode decodes one value of JSON, with its numbers as text.
func decode(text string) (v any, err error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err = d.Decode(&v); err == nil && d.More() {
		err = errors.New("more than one value")
	}
	if err == io.EOF {
		err = errors.New("nothing")
	}
	return v, err
}

func idOf(v any) string {
	m, _ := v.(map[string]any)
	return text(m["id"])
}

// text returns an id or a handle as a key of maps; nil is "".
func text(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

func (m message) method() string {
	s, _ := m.members["method"].(string)
	return s
}

func (m message) id() string { return text(m.members["id"]) }

// isAnswer reports whether m is an answer to a call, or to a batch.
func (m message) isAnswer() bool {
	if m.batch != nil {
		return len(m.batch) > 0 && message{members: asObject(m.batch[0])}.method() == ""
	}
	return m.method() == ""
}

func asObject(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

// params returns the parameters of a control message.
func (m message) params() []any {
	p, _ := m.members["params"].([]any)
	return p
}

// handle returns the handle of the stream that a control message is about, or "".
func (m message) handle() string {
	if p := m.params(); len(p) > 0 {
		return text(p[0])
	}
	return ""
}

// items returns the items of a $/items.
func (m message) items() []any {
	if p := m.params(); len(p) > 1 {
		items, _ := p[1].([]any)
		return items
	}
	return nil
}

// endError returns the error of a $/end, or nil.
func (m message) endError() any {
	if p := m.params(); len(p) > 1 {
		return p[1]
	}
	return nil
}

// canceled returns the id of the call that m cancels.
func (m message) canceled() string { return text(asObject(m.members["params"])["id"]) }

// streams returns the handles of the streams that m introduces.
func (m message) streams() []any {
	s, _ := m.members["streams"].([]any)
	return s
}

// lane returns the name of the lane that m belongs to. The order of messages is compared
// within a lane, and not between lanes.
func (m message) lane() string {
	switch method := m.method(); {
	case m.batch != nil:
		ids := make([]string, len(m.batch))
		for i, one := range m.batch {
			ids[i] = idOf(one)
		}
		return "batch " + strings.Join(ids, " ")
	case method == "":
		return "answer " + m.id()
	case method == "$/items", method == "$/end":
		return "stream " + m.handle()
	case method == "$/cancel":
		return "leave " + m.handle()
	case method == "$/cancelRequest":
		return "cancel " + m.canceled()
	default:
		return "request " + method
	}
}

// what says in words what m is.
func (m message) what() string {
	kind, of, _ := strings.Cut(m.lane(), " ")
	switch kind {
	case "batch":
		return "a batch"
	case "answer":
		return "the answer to call " + of
	case "stream":
		if m.method() == "$/end" {
			return "the end of stream " + of
		}
		return "an item of stream " + of
	case "leave":
		return "the cancellation of stream " + of
	case "cancel":
		return "the cancellation of call " + of
	}
	if m.id() == "" {
		return "the notification " + m.method()
	}
	return "the call of " + m.method()
}

// isRuntime reports whether m is sent by the runtime at times of its own choice, or is
// about the connection and not about what it carries.
func (m message) isRuntime() bool {
	switch m.method() {
	case "$/ack", "$/ping", "$/pong", "$/credit", "$/auth", "$/goaway", "$/moved", "$/close", "rpc.auth":
		return true
	}
	return false
}
