package post

import (
	"github.com/wirecall/wirecall/internal/fault"
	"github.com/wirecall/wirecall/internal/wire"
)

// assign gives the entries their answers in the body of a response: one answer or a
// batch of them, in any order. Answers with other ids, and all but the first with the
// same, are ignored; a call without an answer fails.
func (c *Client) assign(body []byte, entries []*entry) {
	calls := make(map[uint64]*entry, len(entries))
	for _, e := range entries {
		if e.ID != 0 {
			calls[e.ID] = e
		}
	}
	if isBatch(body) {
		for raw := range wire.JSON.Array(body) {
			c.receive(raw, calls, nil)
		}
	} else if len(body) > 0 {
		c.receive(body, calls, entries)
	}
	for _, e := range calls {
		if !e.answered {
			e.err = c.errorf(fault.Internal, fault.Maybe, "the response has no answer to the call")
		}
	}
}

// receive takes in one answer. If it is an error without an id, it is the answer to all.
func (c *Client) receive(raw []byte, calls map[uint64]*entry, all []*entry) {
	var m wire.Message
	invalid := wire.JSON.DecodePlain(raw, &m)
	if invalid == nil && m.Method != nil {
		return // no answer
	}
	if id, ok := wire.PlainID(m.ID); ok {
		if e := calls[id]; e != nil && !e.answered {
			c.finish(e, &m, invalid)
		}
		return
	}
	if invalid == nil && m.Error != nil {
		for _, e := range all {
			c.finish(e, &m, nil)
		}
	}
}

// finish sets the answer of a call.
func (c *Client) finish(e *entry, m *wire.Message, invalid error) {
	e.answered = true
	if invalid != nil {
		e.err = c.errorf(fault.Internal, fault.Maybe, "the answer is not one of JSON-RPC 2.0: %v", invalid)
		return
	}
	e.answer = Answer{Result: m.Result, Error: m.Error, Deep: m.Deep}
}
