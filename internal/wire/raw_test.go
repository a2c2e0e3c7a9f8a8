package wire

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestKind(t *testing.T) {
	for raw, want := range map[string]Kind{
		"null": Null, "true": Bool, "false": Bool, "-1": Number, "0": Number, `""`: String, "[]": Array, "{}": Object,
		" \t\r\n[]": Array, "": Invalid, " ": Invalid, "x": Invalid, "+1": Invalid, "\v1": Invalid,
	} {
		if got := JSON.Kind([]byte(raw)); got != want {
			t.Errorf("JSON %q: got %d, want %d", raw, got, want)
		}
	}
	for raw, want := range map[string]Kind{
		"\xf6": Null, "\xf4": Bool, "\xf5": Bool, "\x00": Number, "\x20": Number, "\x1b": Number, "\xf9": Number, "\xfa": Number,
		"\xfb": Number, "\x60": String, "\x40": Bytes, "\x80": Array, "\xa0": Object, "\xc2": Other, "\xf7": Other, "\xe0": Other,
		"\xf8": Other, "": Invalid, "\xff": Invalid, "\x9f": Invalid, "\x1c": Invalid, "\xfc": Invalid,
	} {
		if got := CBOR.Kind([]byte(raw)); got != want {
			t.Errorf("CBOR %x: got %d, want %d", raw, got, want)
		}
	}
}

func TestBool(t *testing.T) {
	for _, f := range []Format{JSON, CBOR} {
		for _, want := range []bool{true, false} {
			if got, ok := f.Bool(f.AppendBool(nil, want)); got != want || !ok {
				t.Errorf("%s: %v is read as %v, %v", f.Name(), want, got, ok)
			}
		}
		for _, raw := range [][]byte{nil, f.AppendNull(nil), f.AppendInt(nil, 1), f.AppendString(nil, "true")} {
			if _, ok := f.Bool(raw); ok {
				t.Errorf("%s: %q is read as a boolean", f.Name(), raw)
			}
		}
	}
	if got, ok := JSON.Bool([]byte(" true ")); !got || !ok {
		t.Errorf("with white space around it: %v, %v", got, ok)
	}
}

func TestJSONInt(t *testing.T) {
	for raw, want := range map[string]int64{
		"0": 0, "-0": 0, "7": 7, "-7": -7, " 10\n": 10,
		"9223372036854775807": math.MaxInt64, "-9223372036854775808": math.MinInt64, "-9223372036854775807": -math.MaxInt64,
	} {
		if got, ok := JSON.Int([]byte(raw)); !ok || got != want {
			t.Errorf("%s: got %d, %v", raw, got, ok)
		}
	}
	for _, raw := range []string{
		"", "-", "+1", "01", "-01", "1.0", "1e3", "1x", "x", `"1"`, "null", "--1",
		"9223372036854775808", "-9223372036854775809", "18446744073709551616", "99999999999999999999",
	} {
		if got, ok := JSON.Int([]byte(raw)); ok {
			t.Errorf("%s: got %d", raw, got)
		}
	}
}

func TestCBORInt(t *testing.T) {
	for _, raw := range []string{
		"", "\x18", "\x00\x00", "\x40", "\xf6", "\xf9\x3c\x00", "\xc2\x41\x01",
		"\x1b\x80\x00\x00\x00\x00\x00\x00\x00", "\x3b\x80\x00\x00\x00\x00\x00\x00\x00",
	} {
		if got, ok := CBOR.Int([]byte(raw)); ok {
			t.Errorf("%x: got %d", raw, got)
		}
	}
	for raw, want := range map[string]int64{"\x00": 0, "\x20": -1, "\x1b\x7f\xff\xff\xff\xff\xff\xff\xff": 1<<63 - 1, "\x3b\x7f\xff\xff\xff\xff\xff\xff\xff": -1 << 63} {
		if got, ok := CBOR.Int([]byte(raw)); !ok || got != want {
			t.Errorf("%x: got %d, %v, want %d", raw, got, ok, want)
		}
	}
}

func TestString(t *testing.T) {
	for raw, want := range map[string]string{
		`""`: "", ` "a" `: "a", `"\u00e9\/"`: "é/", `"\ud83d\ude00"`: "😀", `"\ud83d"`: "\ufffd", `"\ude00\ud83d"`: "\ufffd\ufffd",
		`"\ud83dx"`: "\ufffdx", `"\ud83d\n"`: "\ufffd\n", `"\ud83d\u0041"`: "\ufffdA", `"\ud83d\ud83d\ude00"`: "\ufffd😀",
		`"\ufffd"`: "\ufffd", `"\u0000"`: "\x00",
	} {
		if got, ok := JSON.String([]byte(raw)); !ok || got != want {
			t.Errorf("%s: got %q, %v, want %q", raw, got, ok, want)
		}
	}
	for _, raw := range []string{"", `"`, `"a`, `"\"`, `"\u12"`, `"\u12`, `"a"b"`, `a`, `1`, `null`} {
		if got, ok := JSON.String([]byte(raw)); ok {
			t.Errorf("%s: got %q", raw, got)
		}
	}
	for raw, want := range map[string]string{"\x60": "", "\x62\xc3\xa9": "é", "\x78\x01a": "a"} {
		if got, ok := CBOR.String([]byte(raw)); !ok || got != want {
			t.Errorf("%x: got %q, %v, want %q", raw, got, ok, want)
		}
	}
	for _, raw := range []string{"", "\x61", "\x60a", "\x41a", "\x7f\xff", "\x7b\xff\xff\xff\xff\xff\xff\xff\xff", "\x01"} {
		if got, ok := CBOR.String([]byte(raw)); ok {
			t.Errorf("%x: got %q", raw, got)
		}
	}
}

func TestArray(t *testing.T) {
	for _, test := range []struct {
		f    Format
		raw  string
		want []string
	}{
		{JSON, `[]`, nil},
		{JSON, ` [ ] `, nil},
		{JSON, ` [ 1 , [2,"]"] ,{"a":[]}]`, []string{`1`, `[2,"]"]`, `{"a":[]}`}},
		{JSON, `{"a":1}`, nil},
		{JSON, ``, nil},
		{JSON, `[1,x]`, []string{`1`}},
		{CBOR, "\x80", nil},
		{CBOR, "\x83\x01\x81\x02\xa1\x61a\x80", []string{"\x01", "\x81\x02", "\xa1\x61a\x80"}},
		{CBOR, "\xa1\x01\x02", nil},
		{CBOR, "", nil},
		{CBOR, "\x82\x01", []string{"\x01"}},
		{CBOR, "\x9b\xff\xff\xff\xff\xff\xff\xff\xff\x01", []string{"\x01"}},
	} {
		var got []string
		for e := range test.f.Array([]byte(test.raw)) {
			got = append(got, string(e))
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("format %d, %q: got %q, want %q", test.f, test.raw, got, test.want)
		}
	}
}

func TestObject(t *testing.T) {
	for _, test := range []struct {
		f    Format
		raw  string
		want string
	}{
		{JSON, `{}`, ``},
		{JSON, ` { "a" : 1 , "\u0062\n":[2], "a":{} } `, `"a"=1 "b\n"=[2] "a"={}`},
		{JSON, `[1]`, ``},
		{JSON, ``, ``},
		{JSON, `{"a":1,"b"}`, `"a"=1`},
		{CBOR, "\xa0", ``},
		{CBOR, "\xa3\x61a\x611\x02\x613\x61b\x614", `"a"=a1 "b"=a4`},
		{CBOR, "\x81\x01", ``},
		{CBOR, "", ``},
		{CBOR, "\xbb\xff\xff\xff\xff\xff\xff\xff\xff\x61a\x611", ``},
	} {
		var got []string
		for name, value := range test.f.Object([]byte(test.raw)) {
			got = append(got, fmt.Sprintf("%q=%s", name, value))
		}
		if got := strings.Join(got, " "); got != test.want {
			t.Errorf("format %d, %q: got %s, want %s", test.f, test.raw, got, test.want)
		}
	}
}

// Long strings are looked at in larger steps: one odd character at every place.
func TestLongStrings(t *testing.T) {
	for _, odd := range []string{"", `\"`, `\\`, `\n`, `\u0022`, "é", "\n", `\x`, `"`} {
		for n := range 200 {
			raw := []byte(`["` + strings.Repeat("x", n) + odd + strings.Repeat("y", 60) + `",1]`)
			if err := JSON.Check(raw, MaxDepth); err == nil != json.Valid(raw) {
				t.Fatalf("%s: %v", raw, err)
			}
			var want []json.RawMessage
			if json.Unmarshal(raw, &want) != nil {
				continue
			}
			i := 0
			for e := range JSON.Array(raw) {
				if string(e) != string(want[i]) {
					t.Fatalf("%s: element %d is %s", raw, i, e)
				}
				i++
			}
		}
	}
}

// A value is counted from itself: a scalar has no level, an empty array one.
func TestCheck(t *testing.T) {
	deep := func(f Format, n int) string {
		if f == CBOR {
			return strings.Repeat("\x81", n-1) + "\x80"
		}
		return strings.Repeat("[", n) + strings.Repeat("]", n)
	}
	tags := strings.Repeat("\xc1", 3) + "\x00"
	for _, test := range []struct {
		f     Format
		raw   string
		depth int
		want  string
	}{
		{JSON, "1", 0, ""},
		{JSON, "[]", 0, "nested deeper than 0"},
		{JSON, deep(JSON, 500), 500, ""},
		{JSON, deep(JSON, 501), 500, "nested deeper than 500"},
		{JSON, `{"a":{"b":{}}}`, 2, "nested deeper than 2"},
		{JSON, "\"caf\xe9\"", 9, "invalid UTF-8"},
		{JSON, "[1,]", 9, "malformed JSON at byte 3"},
		{JSON, "1 2", 9, "malformed JSON at byte 2"},
		{JSON, "", 9, "malformed JSON at byte 0"},
		{CBOR, "\x01", 0, ""},
		{CBOR, deep(CBOR, 500), 500, ""},
		{CBOR, deep(CBOR, 501), 500, "nested deeper than 500"},
		{CBOR, tags, 3, ""},
		{CBOR, tags, 2, "nested deeper than 2"},
		{CBOR, "\xa1\x61a\xa1\x61b\xa0", 2, "nested deeper than 2"},
		{CBOR, "\x82\x01\x61\xe9", 9, "malformed CBOR at byte 2"},
		{CBOR, "\x9f\xff", 9, "malformed CBOR at byte 0"},
		{CBOR, "\x01\x02", 9, "malformed CBOR at byte 1"},
	} {
		got := ""
		if err := test.f.Check([]byte(test.raw), test.depth); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("format %d, %.20q within %d: got %q, want %q", test.f, test.raw, test.depth, got, test.want)
		}
	}
}

func TestLoopsCanBeLeft(t *testing.T) {
	for f, raws := range map[Format][2]string{JSON: {`[1,2]`, `{"a":1,"b":2}`}, CBOR: {"\x82\x01\x02", "\xa2\x61a\x01\x61b\x02"}} {
		n := 0
		for range f.Array([]byte(raws[0])) {
			n++
			break
		}
		for range f.Object([]byte(raws[1])) {
			n++
			break
		}
		if n != 2 {
			t.Errorf("format %d: %d rounds, want 2", f, n)
		}
	}
}
