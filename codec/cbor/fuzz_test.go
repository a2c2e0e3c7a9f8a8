package cbor

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/wirecall/wirecall/internal/wire"
)

func seeds(f *testing.F) {
	for _, v := range []any{
		map[string]any{"id": 1, "method": "m", "params": []any{1.5, []byte("x"), nil, true}},
		json.RawMessage(`{"a":[123456789012345678901234567890,-1,"é"]}`), []string{"", "\xff"},
	} {
		b, err := Codec.Append(nil, v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("\xc2\x41\x01"))
	f.Add([]byte("\x9b\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Add([]byte("\x61\xff"))
	f.Add([]byte("\xf8\x20"))
	f.Add([]byte("\x9f\x01\xff"))
}

// FuzzWellformed holds the wire's scanner against the library's. The wire
// wants UTF-8 as well, and counts every tag as a level.
func FuzzWellformed(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, src []byte) {
		valid, err := wire.CBOR.Check(src, wire.MaxDepth) == nil, decoding.Wellformed(src)
		switch {
		case valid && err != nil:
			t.Fatalf("valid for the wire, but %v", err)
		case valid || err != nil || len(src) > wire.MaxDepth: // only there can tags be too deep
		case allUTF8(src):
			t.Fatal("well-formed, and UTF-8, but not for the wire")
		}
	})
}

func allUTF8(src []byte) bool {
	for i := 0; i < len(src); {
		text, next := item(src, i)
		if !utf8.Valid(text) {
			return false
		}
		i = next
	}
	return true
}

// FuzzDecode: what was decoded can be sent, and is then the same for ever.
func FuzzDecode(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, src []byte) {
		var v any
		if Codec.Decode(src, &v) == nil {
			once, err := Codec.Append(nil, v)
			if err != nil {
				t.Fatal(err)
			}
			var again any
			if err := Codec.Decode(once, &again); err != nil {
				t.Fatal(err)
			}
			if twice, err := Codec.Append(nil, again); err != nil || !bytes.Equal(once, twice) {
				t.Fatalf("%x, then %x (%v)", once, twice, err)
			}
		}
		var raw json.RawMessage
		if Codec.Decode(src, &raw) == nil && !json.Valid(raw) {
			t.Fatalf("%q is not JSON", raw)
		}
		sent, err := Codec.Append(nil, string(src))
		if err != nil || wire.CBOR.Check(sent, wire.MaxDepth) != nil {
			t.Fatalf("sent %x (%v)", sent, err)
		}
	})
}
