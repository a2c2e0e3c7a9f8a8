package wire

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// request is a typical one.
func request(f Format) []byte {
	b := f.AppendRequest(nil, &Head{
		ID: f.AppendID(nil, 42), Method: "Room.Post", Timeout: 1500, Body: true,
	})
	return f.AppendTail(append(b, body(f)...))
}

// body is {"author":"gopher","text":"hello, world"}.
func body(f Format) []byte {
	if f == CBOR {
		return []byte("\xa2\x66author\x66gopher\x64text\x6chello, world")
	}
	return []byte(`{"author":"gopher","text":"hello, world"}`)
}

func response(f Format) []byte {
	b := f.AppendResponse(nil, &Head{ID: f.AppendID(nil, 42), Streams: []uint64{3}})
	return f.AppendTail(append(b, body(f)...))
}

// items is n small items, the way a stream packs them.
func items(f Format, n int) []byte {
	var b []byte
	for i := range n {
		if i > 0 {
			b = f.AppendSeparator(b)
		}
		if f == CBOR {
			b = append(b, "\xa2\x62px\x19\x12\x34\x62qt\x07"...)
		} else {
			b = append(b, `{"px":4660,"qt":7}`...)
		}
	}
	return f.AppendItems(nil, 1, n, b)
}

// samples is one of each kind of message.
func samples(f Format) map[string][]byte {
	object := f.AppendErrorObject(nil, &Error{Code: 1002, Message: "feed lost", Type: "feeds.Lost", Data: body(f), Ran: "maybe", Retry: 500})
	return map[string][]byte{
		"request":  request(f),
		"response": response(f),
		"error":    f.AppendError(nil, f.AppendID(nil, 7), &Error{Code: -32012, Message: "deadline exceeded"}, nil),
		"meta": f.AppendTail(f.AppendRequest(nil, &Head{ID: f.AppendID(nil, 1), Method: "m",
			Meta: map[string]string{"traceparent": "00-4bf9", "a": "<b>"}, Streams: []uint64{1, 300}})),
		"items":         items(f, 3),
		"credit":        f.AppendControl(nil, "$/credit", 1, 48, 64, 65536),
		"cancelRequest": f.AppendCancelRequest(nil, f.AppendID(nil, 2)),
		"end":           f.AppendEnd(nil, "$/end", 1, object),
	}
}

func TestBuild(t *testing.T) {
	for _, test := range []struct {
		name string
		got  func(Format) []byte
		json string
		cbor string
	}{
		{"request", request,
			`{"jsonrpc":"2.0","id":42,"method":"Room.Post","timeout":1500,"params":{"author":"gopher","text":"hello, world"}}`,
			"\xa4\x62id\x18\x2a\x66method\x69Room.Post\x67timeout\x19\x05\xdc\x66params" + string(body(CBOR))},
		{"request without a body", func(f Format) []byte {
			return f.AppendTail(f.AppendRequest(nil, &Head{ID: f.AppendID(nil, 1), Method: "m"}))
		}, `{"jsonrpc":"2.0","id":1,"method":"m"}`, "\xa2\x62id\x01\x66method\x61m"},
		{"notification with all there is", func(f Format) []byte {
			b := f.AppendRequest(nil, &Head{Method: "m", Timeout: 1, Meta: map[string]string{"b": "2", "a": "1"}, Streams: []uint64{1, 24}, Body: true})
			return f.AppendTail(append(b, body(f)...))
		}, `{"jsonrpc":"2.0","method":"m","timeout":1,"meta":{"a":"1","b":"2"},"streams":[1,24],"params":` + string(body(JSON)) + `}`,
			"\xa5\x66method\x61m\x67timeout\x01\x64meta\xa2\x61a\x611\x61b\x612\x67streams\x82\x01\x18\x18\x66params" + string(body(CBOR))},
		{"response", response,
			`{"jsonrpc":"2.0","id":42,"streams":[3],"result":{"author":"gopher","text":"hello, world"}}`,
			"\xa3\x62id\x18\x2a\x67streams\x81\x03\x66result" + string(body(CBOR))},
		{"response with metadata", func(f Format) []byte {
			b := f.AppendResponse(nil, &Head{ID: f.AppendID(nil, 1), Meta: map[string]string{"k": "v"}})
			return f.AppendTail(append(b, body(f)...))
		}, `{"jsonrpc":"2.0","id":1,"meta":{"k":"v"},"result":` + string(body(JSON)) + `}`,
			"\xa3\x62id\x01\x64meta\xa1\x61k\x61v\x66result" + string(body(CBOR))},
		{"error", func(f Format) []byte {
			return f.AppendError(nil, f.AppendID(nil, 2), &Error{Code: -32012, Message: "deadline exceeded"}, nil)
		}, `{"jsonrpc":"2.0","id":2,"error":{"code":-32012,"message":"deadline exceeded"}}`,
			"\xa2\x62id\x02\x65error\xa2\x64code\x39\x7d\x0b\x67message\x71deadline exceeded"},
		{"error with everything, of nobody", func(f Format) []byte {
			return f.AppendError(nil, nil, &Error{Code: 1, Message: "<", Data: body(f)}, map[string]string{"k": "v"})
		}, `{"jsonrpc":"2.0","id":null,"meta":{"k":"v"},"error":{"code":1,"message":"\u003c","data":` + string(body(JSON)) + `}}`,
			"\xa3\x62id\xf6\x64meta\xa1\x61k\x61v\x65error\xa3\x64code\x01\x67message\x61<\x64data" + string(body(CBOR))},
		{"control", func(f Format) []byte { return f.AppendControl(nil, "$/credit", 1, 48, 64, 65536, -1) },
			`{"jsonrpc":"2.0","method":"$/credit","params":[1,48,64,65536,-1]}`,
			"\xa2\x66method\x68$/credit\x66params\x85\x01\x18\x30\x18\x40\x1a\x00\x01\x00\x00\x20"},
		{"control without arguments", func(f Format) []byte { return f.AppendControl(nil, "$/x") },
			`{"jsonrpc":"2.0","method":"$/x"}`, "\xa1\x66method\x63$/x"},
		{"cancelRequest", func(f Format) []byte { return f.AppendCancelRequest(nil, f.AppendID(nil, 2)) },
			`{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":2}}`,
			"\xa2\x66method\x6f$/cancelRequest\x66params\xa1\x62id\x02"},
		{"items", func(f Format) []byte { return items(f, 2) },
			`{"jsonrpc":"2.0","method":"$/items","params":[1,[{"px":4660,"qt":7},{"px":4660,"qt":7}]]}`,
			"\xa2\x66method\x67$/items\x66params\x82\x01\x82" + strings.Repeat("\xa2\x62px\x19\x12\x34\x62qt\x07", 2)},
		{"end", func(f Format) []byte { return f.AppendEnd(nil, "$/end", 1<<32, nil) },
			`{"jsonrpc":"2.0","method":"$/end","params":[4294967296]}`,
			"\xa2\x66method\x65$/end\x66params\x81\x1b\x00\x00\x00\x01\x00\x00\x00\x00"},
		{"end with an error", func(f Format) []byte {
			return f.AppendEnd(nil, "$/cancel", 1, f.AppendErrorObject(nil, &Error{Code: 1002, Message: "feed lost", Ran: "no", Retry: 500}))
		}, `{"jsonrpc":"2.0","method":"$/cancel","params":[1,{"code":1002,"message":"feed lost","ran":"no","retry":500}]}`,
			"\xa2\x66method\x68$/cancel\x66params\x82\x01\xa4\x64code\x19\x03\xea\x67message\x69feed lost\x63ran\x62no\x65retry\x19\x01\xf4"},
	} {
		if got := string(test.got(JSON)); got != test.json {
			t.Errorf("%s\n got %s\nwant %s", test.name, got, test.json)
		}
		if got := string(test.got(CBOR)); got != test.cbor {
			t.Errorf("%s\n got %q\nwant %q", test.name, got, test.cbor)
		}
	}
}

func TestWhatIsBuiltDecodes(t *testing.T) {
	for _, f := range []Format{JSON, CBOR} {
		for name, msg := range samples(f) {
			var m, again Message
			if err := f.Decode(msg, &m); err != nil {
				t.Errorf("format %d, %s: %v", f, name, err)
				continue
			}
			if err := f.Decode(rebuild(f, &m), &again); err != nil || !equal(&m, &again) {
				t.Errorf("format %d, %s: built again: %s, want %s (%v)", f, name, show(&again, nil), show(&m, nil), err)
			}
		}
	}
}

// rebuild makes a message from what Decode made of one. An error and its
// metadata are put in raw, because the original bytes are to be compared.
func rebuild(f Format, m *Message) []byte {
	h := Head{ID: m.ID, Method: string(m.Method), Timeout: m.Timeout, Streams: m.Streams, Body: m.Params != nil}
	var b []byte
	switch {
	case m.Method != nil:
		b = append(f.AppendRequest(nil, &h), m.Params...)
	case m.Result != nil:
		b = append(f.AppendResponse(nil, &h), m.Result...)
	default:
		b = f.AppendResponse(nil, &h)
		name := f.name(nil, "result")
		b = append(f.name(b[:len(b)-len(name)], "error"), m.Error...)
	}
	if m.Result != nil || m.Error != nil {
		if m.Timeout != 0 {
			b = f.AppendInt(f.name(b, "timeout"), m.Timeout)
			f.countMember(b)
		}
		if m.Params != nil {
			b = append(f.name(b, "params"), m.Params...)
			f.countMember(b)
		}
	}
	if m.Meta != nil {
		b = append(f.name(b, "meta"), m.Meta...)
		f.countMember(b)
	}
	return f.AppendTail(b)
}

// countMember counts one more in the head of a CBOR map.
func (f Format) countMember(msg []byte) {
	if f == CBOR {
		msg[0]++
	}
}

func TestAppendStringIsJSONMarshal(t *testing.T) {
	for _, s := range []string{
		"", "plain", `"\/`, "\x00\x01\x1f\x7f\b\f\n\r\t", "<script>&amp;", "é世😀",
		"\u2028\u2029", "\ufffd", "\xff", "a\xc3", "\xed\xa0\x80", "\xf0\x9f\x98", "\xe2\x80\xa8\xe2\x80",
	} {
		want, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if got := JSON.AppendString(nil, s); !bytes.Equal(got, want) {
			t.Errorf("%q: got %s, want %s", s, got, want)
		}
	}
}

// In CBOR only what is not UTF-8 changes, and it changes as it does in JSON.
func TestAppendStringMendsUTF8(t *testing.T) {
	for _, s := range []string{"", "<é>\x00", "\xff\xfe", "a\xc3", "\xf0\x9f\x98"} {
		var want string
		if err := json.Unmarshal(JSON.AppendString(nil, s), &want); err != nil {
			t.Fatal(err)
		}
		if got, ok := CBOR.String(CBOR.AppendString(nil, s)); !ok || got != want {
			t.Errorf("%q: got %q, want %q", s, got, want)
		}
	}
}
