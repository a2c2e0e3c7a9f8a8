package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"unicode/utf8"
)

// FuzzDecodeJSON holds Decode against encoding/json: on what is JSON they must
// agree, UTF-8 and depth apart, and on what the members of a message are.
func FuzzDecodeJSON(f *testing.F) {
	for _, msg := range samples(JSON) {
		f.Add(msg)
	}
	f.Add([]byte(" {\"jsonrpc\" : \"2.0\", \"m\\u0065thod\":\"\\ud83d\\ude00\\n\", \"x\":[1.5e-3,true,false,null,{}]}\n"))
	f.Add([]byte(`[{"id":-0.0E+1}, "\u00e9\/"]`))
	f.Add(nested(JSON, 3))
	f.Fuzz(func(t *testing.T, src []byte) {
		valid := json.Valid(src) && utf8.Valid(src) && depth(src) <= MaxDepth
		if got := JSON.Check(src, MaxDepth) == nil; got != valid {
			t.Fatalf("Valid = %v, encoding/json says %v", got, valid)
		}
		var m Message
		err := JSON.Decode(src, &m)
		checkFault(t, err, valid)
		if err == nil {
			compareMembers(t, src, &m)
			compareItems(t, &m)
			checkRebuilt(t, JSON, &m)
		}
	})
}

// compareItems looks for the items of $/items in another way.
func compareItems(t *testing.T, m *Message) {
	if string(m.Method) != methodItems {
		return
	}
	d := decoder{f: JSON, m: &Message{Method: m.Method, Params: m.Params, Handle: -1}}
	d.splitItems()
	if d.m.Handle != m.Handle || m.Handle >= 0 && !slices.EqualFunc(d.m.Items, m.Items, bytes.Equal) {
		t.Fatalf("stream %d, %q, and %d, %q", m.Handle, m.Items, d.m.Handle, d.m.Items)
	}
}

// FuzzDecodeCBOR: package cbor's tests hold the scanner against another
// implementation; here is what needs none.
func FuzzDecodeCBOR(f *testing.F) {
	for _, msg := range samples(CBOR) {
		f.Add(msg)
	}
	f.Add([]byte("\xa3\x66method\x78\x01m\x61x\x88\xf4\xf7\xe0\xf8\xff\xf9\x00\x00\xfa\x00\x00\x00\x00\xc2\x41\x01\x40\x01\x02"))
	f.Add([]byte("\xbb\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Add(nested(CBOR, 3))
	f.Fuzz(func(t *testing.T, src []byte) {
		var m Message
		err := CBOR.Decode(src, &m)
		checkFault(t, err, CBOR.Check(src, MaxDepth) == nil)
		if err == nil {
			checkRebuilt(t, CBOR, &m)
		}
		for msg, err := range CBOR.Split(src) {
			if err == nil && len(msg) >= len(src) {
				t.Fatal("a message as long as its frame")
			}
		}
	})
}

// FuzzRawValues reads arbitrary bytes in every way there is.
func FuzzRawValues(f *testing.F) {
	for _, format := range []Format{JSON, CBOR} {
		for _, msg := range samples(format) {
			f.Add(msg)
		}
	}
	for _, raw := range []string{`"\ud83d\ude00"`, ` [1, "x" ] `, `{"a":{"b":[]}}`, `-9223372036854775808`, "\xc2\x41\x01", "\x9b\xff\xff\xff\xff\xff\xff\xff\xff", "<\xff\u2028>"} {
		f.Add([]byte(raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, format := range []Format{JSON, CBOR} {
			checkRaw(t, format, raw)
		}
		if JSON.Check(raw, MaxDepth) == nil {
			compareScalars(t, raw)
		}
		want, err := json.Marshal(string(raw))
		if err != nil {
			t.Fatal(err)
		}
		if got := JSON.AppendString(nil, string(raw)); !bytes.Equal(got, want) {
			t.Fatalf("AppendString %s, json.Marshal %s", got, want)
		}
	})
}

// checkFault: bytes that are not of the format are a parse error, and nothing
// else is.
func checkFault(t *testing.T, err error, valid bool) {
	fault, ok := errors.AsType[*Fault](err)
	switch {
	case err == nil && !valid:
		t.Fatal("decoded what is not valid")
	case err != nil && !ok:
		t.Fatalf("not a Fault: %v", err)
	case err != nil && valid != (fault.Code == InvalidRequest):
		t.Fatalf("valid is %v, and the fault is %d %v", valid, fault.Code, err)
	}
}

// compareMembers reads the message with encoding/json.
func compareMembers(t *testing.T, src []byte, m *Message) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(src, &members); err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string][]byte{"id": m.ID, "params": m.Params, "result": m.Result, "error": m.Error, "meta": m.Meta} {
		want := members[name]
		if (name == "params" || name == "meta") && string(want) == "null" {
			want = nil
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("%s is %s, encoding/json says %s", name, got, want)
		}
	}
	var rest struct {
		Method  string
		Timeout int64
		Streams []uint64
	}
	for name, to := range map[string]any{"method": &rest.Method, "timeout": &rest.Timeout, "streams": &rest.Streams} {
		if raw, ok := members[name]; ok {
			if err := json.Unmarshal(raw, to); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := *m
	if want.Method != nil {
		want.Method = []byte(rest.Method)
	}
	want.Timeout, want.Streams = rest.Timeout, rest.Streams
	if !equal(m, &want) {
		t.Fatalf("got %s, encoding/json says %s", show(m, nil), show(&want, nil))
	}
}

// checkRebuilt: a message that was decoded, built again and decoded again is
// the same message.
func checkRebuilt(t *testing.T, f Format, m *Message) {
	var again Message
	if err := f.Decode(rebuild(f, m), &again); err != nil || !equal(m, &again) {
		t.Fatalf("built again: %s, want %s (%v)", show(&again, nil), show(m, nil), err)
	}
}

// checkRaw reads raw in every way, and what valid values have inside must be
// valid too.
func checkRaw(t *testing.T, f Format, raw []byte) {
	kind, valid := f.Kind(raw), f.Check(raw, MaxDepth) == nil
	if valid && kind == Invalid {
		t.Fatalf("format %d: valid and of no kind", f)
	}
	_, isInt := f.Int(raw)
	_, isString := f.String(raw)
	if isInt && kind != Number || isString && kind != String || valid && kind == String && !isString {
		t.Fatalf("format %d: of kind %d; Int %v, String %v", f, kind, isInt, isString)
	}
	elements, size := 0, 0
	for e := range f.Array(raw) {
		elements++
		size += len(e)
		if kind != Array || valid && f.Check(e, MaxDepth) != nil {
			t.Fatalf("format %d: element %q of kind %d", f, e, kind)
		}
	}
	for _, value := range f.Object(raw) {
		elements++
		size += len(value)
		if kind != Object || valid && f.Check(value, MaxDepth) != nil {
			t.Fatalf("format %d: member %q of kind %d", f, value, kind)
		}
	}
	if elements > len(raw) || size > len(raw) {
		t.Fatalf("format %d: %d bytes have %d elements of %d bytes", f, len(raw), elements, size)
	}
	for range f.Split(raw) {
	}
}

// compareScalars holds String and Int against encoding/json, and Array too.
func compareScalars(t *testing.T, raw []byte) {
	var s string
	if got, ok := JSON.String(raw); ok && (json.Unmarshal(raw, &s) != nil || got != s) {
		t.Fatalf("String = %q, encoding/json says %q", got, s)
	}
	var n int64
	err := json.Unmarshal(raw, &n)
	if got, ok := JSON.Int(raw); ok != (err == nil && JSON.Kind(raw) == Number) || got != n && ok {
		t.Fatalf("Int = %d, %v, encoding/json says %d, %v", got, ok, n, err)
	}
	if JSON.Kind(raw) != Array {
		return
	}
	var elements []json.RawMessage
	if err := json.Unmarshal(raw, &elements); err != nil {
		t.Fatal(err)
	}
	i := 0
	for e := range JSON.Array(raw) {
		if i == len(elements) || !bytes.Equal(e, elements[i]) {
			t.Fatalf("element %d is %s, encoding/json says %q", i, e, elements)
		}
		i++
	}
	if i != len(elements) {
		t.Fatalf("%d elements, encoding/json says %d", i, len(elements))
	}
}

// depth counts brackets that are not in a string.
func depth(src []byte) int {
	deepest, now := 0, 0
	inString := false
	for i := 0; i < len(src); i++ {
		switch c := src[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '[' || c == '{':
			now++
			deepest = max(deepest, now)
		case c == ']' || c == '}':
			now--
		}
	}
	return deepest
}
