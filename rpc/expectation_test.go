package rpc_test

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/wirecall/wirecall/internal/transcript"
)

// An expectation is a line that is to come: to the byte, except that the items
// of a stream may be spread over several messages.
type expectation struct {
	line   string
	handle json.RawMessage
	items  []json.RawMessage
	done   bool
}

func newExpectation(line string) *expectation {
	e := &expectation{line: line}
	e.handle, e.items, _ = itemsOf(line)
	return e
}

// accept takes a line that is what was expected, or a part of that.
func (e *expectation) accept(names transcript.Names, line string) bool {
	if e.items == nil {
		e.done = names.Match(e.line, line)
		return e.done
	}
	handle, items, ok := itemsOf(line)
	if !ok || !bytes.Equal(handle, e.handle) || len(items) > len(e.items) {
		return false
	}
	for i, item := range items {
		if !bytes.Equal(item, e.items[i]) {
			return false
		}
	}
	e.items = e.items[len(items):]
	e.done = len(e.items) == 0
	return true
}

const itemsHead = `{"jsonrpc":"2.0","method":"$/items","params":[`

// itemsOf takes a $/items apart that is exactly as we write them.
func itemsOf(line string) (handle json.RawMessage, items []json.RawMessage, ok bool) {
	params, ok := strings.CutPrefix(line, itemsHead)
	if !ok {
		return nil, nil, false
	}
	var pair []json.RawMessage
	if json.Unmarshal([]byte("["+strings.TrimSuffix(params, "}")), &pair) != nil || len(pair) != 2 {
		return nil, nil, false
	}
	if json.Unmarshal(pair[1], &items) != nil || len(items) == 0 {
		return nil, nil, false
	}
	again := itemsHead + string(pair[0]) + ",[" + string(bytes.Join(raws(items), []byte(","))) + "]]}"
	return pair[0], items, again == line
}

func raws(items []json.RawMessage) (bs [][]byte) {
	for _, item := range items {
		bs = append(bs, item)
	}
	return bs
}
