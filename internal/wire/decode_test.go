package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// show writes a message or a fault in a form that tables can hold: what is
// absent is not shown.
func show(m *Message, err error) string {
	var b strings.Builder
	if fault, ok := errors.AsType[*Fault](err); ok {
		fmt.Fprintf(&b, "%d", fault.Code)
	} else if err != nil {
		return "not a Fault: " + err.Error()
	}
	for _, part := range []struct {
		name string
		raw  []byte
	}{{"id", m.ID}, {"method", m.Method}, {"params", m.Params}, {"result", m.Result}, {"error", m.Error}, {"meta", m.Meta}} {
		if part.raw != nil {
			fmt.Fprintf(&b, " %s=%s", part.name, part.raw)
		}
	}
	if m.Timeout != 0 {
		fmt.Fprintf(&b, " timeout=%d", m.Timeout)
	}
	if len(m.Streams) != 0 {
		fmt.Fprintf(&b, " streams=%d", m.Streams)
	}
	return strings.TrimSpace(b.String())
}

func TestDecodeJSON(t *testing.T) {
	const v = `{"jsonrpc":"2.0",`
	for _, test := range []struct{ in, want string }{
		// What there is.
		{v + `"id":2,"method":"Room.Post","params":{"text":"hi"},"timeout":1500,"meta":{"a":"b"}}`,
			`id=2 method=Room.Post params={"text":"hi"} meta={"a":"b"} timeout=1500`},
		{v + `"id":7,"result":1,"streams":[1,2]}`, `id=7 result=1 streams=[1 2]`},
		{v + `"id":7,"result":null}`, `id=7 result=null`},
		{v + `"id":2,"error":{"code":-32012,"message":"deadline exceeded"}}`,
			`id=2 error={"code":-32012,"message":"deadline exceeded"}`},
		{v + `"method":"$/credit","params":[1,48,64,65536]}`, `method=$/credit params=[1,48,64,65536]`},
		{v + `"method":""}`, `method=`},
		{"\t\r\n {\n\"jsonrpc\" : \"2.0\" ,\"id\" : 1 , \"method\":\"m\" , \"params\" : [ 1 , 2 ] } \n", `id=1 method=m params=[ 1 , 2 ]`},

		// Not JSON.
		{``, `-32700`},
		{` `, `-32700`},
		{`{`, `-32700`},
		{`{"jsonrpc":"2.0","id":1,"method":"m"`, `-32700`},
		{v + `"id":1,"method":"m",}`, `-32700`},
		{v + `"id":1,"method":"m"}x`, `-32700`},
		{v + `"id":1,"method":"m"}{}`, `-32700`},
		{v + `"id":1 "method":"m"}`, `-32700`},
		{v + `"id":01,"method":"m"}`, `-32700`},
		{v + `"id":1,method:"m"}`, `-32700`},
		{v + `"id":1,"method":"m","x":"` + "\x01" + `"}`, `-32700`},
		{v + `"id":1,"method":"m","x":"` + "\xff" + `"}`, `-32700`},
		{v + `"id":1,"method":"m","x":"\x"}`, `-32700`},
		{v + `"id":1,"id":2,"method":"m","x":tru}`, `-32700`},
		{"\xef\xbb\xbf" + v + `"id":1,"method":"m"}`, `-32700`},
		{`[1,`, `-32700`},
		{`1 2`, `-32700`},

		// Not an object.
		{`[]`, `-32600`},
		{`[1,2,3]`, `-32600`},
		{`1`, `-32600`},
		{`"x"`, `-32600`},
		{`null`, `-32600`},
		{`{}`, `-32600`},

		// The version is always there.
		{`{"id":1,"method":"m"}`, `-32600 id=1`},
		{`{"jsonrpc":"2.1","id":1,"method":"m"}`, `-32600 id=1`},
		{`{"jsonrpc":2.0,"id":1,"method":"m"}`, `-32600 id=1`},
		{`{"jsonrpc":null,"id":1,"method":"m"}`, `-32600 id=1`},
		{`{"jsonrpc":"\u0032.0","id":1,"method":"m"}`, `id=1 method=m`},

		// The id.
		{v + `"id":0,"method":"m"}`, `id=0 method=m`},
		{v + `"id":"","method":"m"}`, `id="" method=m`},
		{v + `"id":"\u0061","method":"m"}`, `id="\u0061" method=m`},
		{v + `"id":123456789012345678901234567890,"method":"m"}`, `id=123456789012345678901234567890 method=m`},
		{v + `"id":1.5,"method":"m"}`, `id=1.5 method=m`},
		{v + `"id":-1e3,"method":"m"}`, `id=-1e3 method=m`},
		{v + `"id":null,"method":"m"}`, `id=null method=m`},
		{v + `"id":{},"method":"m"}`, `-32600`},
		{v + `"id":[],"method":"m"}`, `-32600`},
		{v + `"id":true,"method":"m"}`, `-32600`},
		{`{"id":1}`, `-32600 id=1`},
		{v + `"method":1,"params":"x","id":"late"}`, `-32600 id="late"`},

		// Names match exactly, once unescaped.
		{v + `"\u0069d":1,"m\u0065thod":"m"}`, `id=1 method=m`},
		{v + `"ID":3,"id":1,"Method":"n","method":"m"}`, `id=1 method=m`},
		{v + `"id":1,"method":"m","x":1,"x":2,"":[],"m\uFFFFethod":3}`, `id=1 method=m`},

		// Duplicates of what is known.
		{v + `"id":1,"method":"m","method":"m"}`, `-32600 id=1`},
		{v + `"id":1,"method":"m","m\u0065thod":"m"}`, `-32600 id=1`},
		{v + `"id":1,"method":"m","params":null,"params":null}`, `-32600 id=1`},
		{v + `"id":1,"id":1,"method":"m"}`, `-32600`},
		{v + `"id":1,"id":2,"id":3,"method":"m"}`, `-32600`},
		{v + `"jsonrpc":"2.0","id":1,"method":"m"}`, `-32600 id=1`},

		// The method.
		{v + `"id":1,"method":null}`, `-32600 id=1`},
		{v + `"id":1,"method":1}`, `-32600 id=1`},
		{v + `"id":1,"method":["m"]}`, `-32600 id=1`},
		{v + `"id":1,"method":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00\ud83d"}`, "id=1 method=\"\\/\b\f\n\r\té😀\ufffd"},

		// The params.
		{v + `"id":1,"method":"m","params":null}`, `id=1 method=m`},
		{v + `"id":1,"method":"m","params":{}}`, `id=1 method=m params={}`},
		{v + `"id":1,"method":"m","params":[]}`, `id=1 method=m params=[]`},
		{v + `"id":1,"method":"m","params":1}`, `-32600 id=1`},
		{v + `"id":1,"method":"m","params":"x"}`, `-32600 id=1`},
		{v + `"id":1,"method":"m","params":false}`, `-32600 id=1`},

		// Answers.
		{v + `"id":1}`, `-32600 id=1`},
		{v + `"result":1}`, `-32600`},
		{v + `"error":{"code":1,"message":""}}`, `-32600`},
		{v + `"id":null,"error":{"code":1,"message":""}}`, `id=null error={"code":1,"message":""}`},
		{v + `"id":1,"result":1,"error":{"code":1,"message":""}}`, `-32600 id=1`},
		{v + `"id":1,"result":1,"error":null}`, `-32600 id=1`},
		{v + `"id":1,"method":"m","result":1}`, `-32600 id=1`},
		{v + `"id":1,"method":"m","error":{"code":1,"message":""}}`, `-32600 id=1`},
		{v + `"id":1,"error":null}`, `-32600 id=1`},
		{v + `"id":1,"error":"x"}`, `-32600 id=1`},
		{v + `"id":1,"error":{}}`, `-32600 id=1`},
		{v + `"id":1,"error":{"code":1}}`, `-32600 id=1`},
		{v + `"id":1,"error":{"message":"x"}}`, `-32600 id=1`},
		{v + `"id":1,"error":{"code":1.5,"message":"x"}}`, `-32600 id=1`},
		{v + `"id":1,"error":{"code":"1","message":"x"}}`, `-32600 id=1`},
		{v + `"id":1,"error":{"code":1,"message":2}}`, `-32600 id=1`},
		{v + `"id":1,"error":{"Code":1,"message":"x"}}`, `-32600 id=1`},
		{v + `"id":1,"error":{"c\u006fde":1,"message":"x","data":[],"more":1}}`,
			`id=1 error={"c\u006fde":1,"message":"x","data":[],"more":1}`},

		// The timeout.
		{v + `"id":1,"method":"m","timeout":1}`, `id=1 method=m timeout=1`},
		{v + `"id":1,"method":"m","timeout":2147483647}`, `id=1 method=m timeout=2147483647`},
		{v + `"id":1,"method":"m","timeout":2147483648}`, `id=1 method=m timeout=2147483647`},
		{v + `"id":1,"method":"m","timeout":9007199254740991}`, `id=1 method=m timeout=2147483647`},
		{v + `"id":1,"method":"m","timeout":9007199254740992}`, `-32600 id=1`},
		{v + `"id":1,"method":"m","timeout":99999999999999999999}`, `-32600 id=1`},
		{v + `"id":1,"method":"m","timeout":0}`, `id=1 method=m timeout=1`},
		{v + `"id":1,"method":"m","timeout":-1}`, `-32600 id=1`},
		{v + `"id":1,"method":"m","timeout":1.0}`, `-32600 id=1`},
		{v + `"id":1,"method":"m","timeout":1e3}`, `-32600 id=1`},
		{v + `"id":1,"method":"m","timeout":"1"}`, `-32600 id=1`},
		{v + `"id":1,"method":"m","timeout":null}`, `-32600 id=1`},

		// The metadata.
		{v + `"id":1,"method":"m","meta":null}`, `id=1 method=m`},
		{v + `"id":1,"method":"m","meta":{}}`, `id=1 method=m meta={}`},
		{v + `"id":1,"result":1,"meta":{"a":"","":"b"}}`, `id=1 result=1 meta={"a":"","":"b"}`},
		{v + `"id":1,"method":"m","meta":{"a":1}}`, `-32600 id=1`},
		{v + `"id":1,"method":"m","meta":{"a":"b","c":null}}`, `-32600 id=1`},
		{v + `"id":1,"method":"m","meta":["a"]}`, `-32600 id=1`},

		// The streams.
		{v + `"id":1,"method":"m","streams":[]}`, `id=1 method=m`},
		{v + `"id":1,"method":"m","streams":[9007199254740991, 1]}`, `id=1 method=m streams=[9007199254740991 1]`},
		{v + `"id":1,"method":"m","streams":[9007199254740992]}`, `-32600 id=1`},
		{v + `"id":1,"method":"m","streams":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]}`,
			`id=1 method=m streams=[1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16]`},
		{v + `"id":1,"method":"m","streams":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]}`, `-32600 id=1`},
		{v + `"id":1,"method":"m","streams":[0]}`, `-32600 id=1`},
		{v + `"id":1,"method":"m","streams":[-1]}`, `-32600 id=1`},
		{v + `"id":1,"method":"m","streams":[9007199254740992]}`, `-32600 id=1`},
		{v + `"id":1,"method":"m","streams":[1,1]}`, `-32600 id=1`},
		{v + `"id":1,"method":"m","streams":["1"]}`, `-32600 id=1`},
		{v + `"id":1,"method":"m","streams":1}`, `-32600 id=1`},
		{v + `"id":1,"method":"m","streams":null}`, `-32600 id=1`},
	} {
		m := Message{Method: []byte("of the call before"), Streams: []uint64{4711}}
		err := JSON.Decode([]byte(test.in), &m)
		if got := show(&m, err); got != test.want {
			t.Errorf("%s\n got %s (%v)\nwant %s", test.in, got, err, test.want)
		}
	}
}

// Keys of the CBOR tables, to be read as {"id": 1} is.
var cborWords = strings.NewReplacer(
	"jsonrpc", "676a736f6e727063", "id", "626964", "method", "666d6574686f64", "params", "66706172616d73",
	"result", "66726573756c74", "error", "656572726f72", "timeout", "6774696d656f7574", "meta", "646d657461",
	"streams", "6773747265616d73", "code", "64636f6465", "message", "676d657373616765", " ", "")

func TestDecodeCBOR(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		// What there is. A request: {"id": 2, "method": "m", "params": {1: 2}, …}
		{`a5 id 02 method 616d params a10102 timeout 1905dc meta a161616162`, "id=\x02 method=m params=\xa1\x01\x02 meta=\xa1\x61a\x61b timeout=1500"},
		{`a3 id 07 result 01 streams 820119012c`, "id=\x07 result=\x01 streams=[1 300]"},
		{`a2 id 07 result f6`, "id=\x07 result=\xf6"},
		{`a2 id 07 error a2 code 3903e8 message 6178`, "id=\x07 error=\xa2dcode\x39\x03\xe8gmessage\x61x"},
		{`a1 method 616d`, `method=m`},
		{`b900 01 method 616d`, `method=m`},
		{`bb0000000000000001 7b0000000000000006 6d6574686f64 7800`, `method=`},
		{`a2 jsonrpc 01 method 616d`, `method=m`},
		{`a4 01 02 f6 03 method 616d 82 04 05 a0`, `method=m`},
		{`a2 method 616d 6178 d9d9f7 c1 fb3ff8000000000000`, `method=m`},
		{`a2 method 616d 6178 88 f4 f7 e0 f8ff f90000 fa00000000 c24101 40`, `method=m`},

		// Not CBOR.
		{``, `-32700`},
		{`a1`, `-32700`},
		{`a1 method`, `-32700`},
		{`a1 method 616d 00`, `-32700`},
		{`a1 method 61`, `-32700`},
		{`a1 method 61ff`, `-32700`},
		{`bf method 616d ff`, `-32700`},
		{`a1 method 7f616dff`, `-32700`},
		{`a2 method 616d params 9f ff`, `-32700`},
		{`a2 method 616d params 5f ff`, `-32700`},
		{`ff`, `-32700`},
		{`1c`, `-32700`},
		{`a2 method 616d 6178 3d`, `-32700`},
		{`a2 method 616d 6178 de00`, `-32700`},
		{`a2 method 616d 6178 f81f`, `-32700`},
		{`a2 method 616d 6178 fc`, `-32700`},
		{`a2 method 616d 61ff 00`, `-32700`},
		{`bb8000000000000000`, `-32700`},
		{`bbffffffffffffffff`, `-32700`},
		{`ba7fffffff`, `-32700`},
		{`a2 method 616d params 9b8000000000000000`, `-32700`},
		{`a2 method 616d params 9bffffffffffffffff`, `-32700`},
		{`a2 method 616d params bb8000000000000001 0101`, `-32700`},
		{`a2 method 616d 6178 5b8000000000000000`, `-32700`},
		{`a2 method 616d 6178 7bffffffffffffffff`, `-32700`},
		{`a2 method 616d 6178 5b7fffffffffffffff`, `-32700`},
		{`80 00`, `-32700`},

		// Not a map.
		{`80`, `-32600`},
		{`00`, `-32600`},
		{`f6`, `-32600`},
		{`d9d9f7a0`, `-32600`},
		{`a0`, `-32600`},

		// The id.
		{`a2 id 20 method 616d`, "id=\x20 method=m"},
		{`a2 id 60 method 616d`, "id=\x60 method=m"},
		{`a2 id f6 method 616d`, "id=\xf6 method=m"},
		{`a2 id f93e00 method 616d`, "id=\xf9\x3e\x00 method=m"},
		{`a2 id 1bffffffffffffffff method 616d`, "id=\x1b\xff\xff\xff\xff\xff\xff\xff\xff method=m"},
		{`a2 id f7 method 616d`, `-32600`},
		{`a2 id f5 method 616d`, `-32600`},
		{`a2 id 40 method 616d`, `-32600`},
		{`a2 id 80 method 616d`, `-32600`},
		{`a2 id a0 method 616d`, `-32600`},
		{`a2 id c100 method 616d`, `-32600`},

		// Everything else as in JSON.
		{`a3 id 01 id 01 method 616d`, `-32600`},
		{`a3 id 01 method 616d method 616d`, "-32600 id=\x01"},
		{`a3 id 01 method 616d 7800 01 `, "id=\x01 method=m"},
		{`a2 id 01 method 416d`, "-32600 id=\x01"},
		{`a3 id 01 method 616d params f6`, "id=\x01 method=m"},
		{`a3 id 01 method 616d params f7`, "-32600 id=\x01"},
		{`a3 id 01 method 616d params 01`, "-32600 id=\x01"},
		{`a3 id 01 method 616d params c180`, "-32600 id=\x01"},
		{`a1 id 01`, "-32600 id=\x01"},
		{`a1 result 01`, "-32600"},
		{`a3 id 01 result 01 error a2 code 01 message 60`, "-32600 id=\x01"},
		{`a2 id 01 error a1 code 01`, "-32600 id=\x01"},
		{`a2 id 01 error a2 code f93c00 message 60`, "-32600 id=\x01"},
		{`a2 id 01 error a2 code 01 message 40`, "-32600 id=\x01"},
		{`a2 id 01 error 60`, "-32600 id=\x01"},
		{`a2 method 616d timeout 1a7fffffff`, `method=m timeout=2147483647`},
		{`a2 method 616d timeout 1a80000000`, `method=m timeout=2147483647`},
		{`a2 method 616d timeout 1b0020000000000000`, `-32600`},
		{`a2 method 616d timeout 1bffffffffffffffff`, `-32600`},
		{`a2 method 616d timeout 3bffffffffffffffff`, `-32600`},
		{`a2 method 616d timeout 00`, `method=m timeout=1`},
		{`a2 method 616d timeout 20`, `-32600`},
		{`a2 method 616d timeout f6`, `-32600`},
		{`a2 method 616d meta f6`, `method=m`},
		{`a2 method 616d meta a0`, "method=m meta=\xa0"},
		{`a2 method 616d meta a1616101`, `-32600`},
		{`a2 method 616d meta a1016161`, `-32600`},
		{`a2 method 616d meta 80`, `-32600`},
		{`a2 method 616d streams 80`, `method=m`},
		{`a2 method 616d streams 8100`, `-32600`},
		{`a2 method 616d streams 8120`, `-32600`},
		{`a2 method 616d streams 820101`, `-32600`},
		{`a2 method 616d streams 811bffffffffffffffff`, `-32600`},
		{`a2 method 616d streams 910102030405060708090a0b0c0d0e0f1011`, `-32600`},
		{`a2 method 616d streams 01`, `-32600`},
	} {
		in, err := hex.DecodeString(cborWords.Replace(test.in))
		if err != nil {
			t.Fatalf("%s: %v", test.in, err)
		}
		m := Message{Method: []byte("of the call before"), Streams: []uint64{4711}}
		err = CBOR.Decode(in, &m)
		if got := show(&m, err); got != test.want {
			t.Errorf("%s\n got %q (%v)\nwant %q", test.in, got, err, test.want)
		}
	}
}

// nested is a message with a member of so many arrays (or tags) in each other.
func nested(f Format, brackets int) []byte {
	if f == CBOR {
		msg := []byte("\xa2\x66method\x61m\x61x")
		msg = append(msg, bytes.Repeat([]byte{0x81, 0xc1}, brackets/2)...)
		return append(append(msg, bytes.Repeat([]byte{0x81}, brackets%2)...), 0x80)
	}
	return []byte(`{"jsonrpc":"2.0","method":"m","x":` +
		strings.Repeat(`[{"":`, brackets/2) + strings.Repeat("[", brackets%2) + `[]` +
		strings.Repeat("]", brackets%2) + strings.Repeat(`}]`, brackets/2) + `}`)
}

func TestNestingIsLimited(t *testing.T) {
	for _, f := range []Format{JSON, CBOR} {
		var m Message
		if err := f.Decode(nested(f, MaxDepth-2), &m); err != nil {
			t.Errorf("format %d: %d deep: %v", f, MaxDepth, err)
		}
		for _, depth := range []int{MaxDepth - 1, 10_000, 1_000_000} {
			err := f.Decode(nested(f, depth), &m)
			if want := "parse error: nested deeper than 1024"; err == nil || err.Error() != want {
				t.Errorf("format %d: %d deep: %v, want %s", f, depth+2, err, want)
			}
		}
	}
}

// Whoever takes a value out of a message looks at its depth only where it may be
// too large.
func TestDeepMessagesSaySo(t *testing.T) {
	for _, f := range []Format{JSON, CBOR} {
		var m Message
		for _, test := range []struct {
			brackets int
			deep     bool
		}{{MaxDepth - 2, true}, {CalleeDepth - 1, false}, {CalleeDepth, true}, {0, false}} {
			if err := f.Decode(nested(f, test.brackets), &m); err != nil || m.Deep != test.deep {
				t.Errorf("format %d, %d brackets: deep is %t, %v", f, test.brackets, m.Deep, err)
			}
		}
	}
}

func TestMessagesAliasTheInput(t *testing.T) {
	src := []byte(`{"jsonrpc":"2.0","id":1,"method":"m","params":[1]}`)
	var m Message
	if err := JSON.Decode(src, &m); err != nil {
		t.Fatal(err)
	}
	copy(src[len(src)-4:], "[2]")
	if string(m.Params) != "[2]" {
		t.Errorf("params are a copy: %s", m.Params)
	}
	if cap(m.Params) != len(m.Params) {
		t.Error("an append to params would write into the input")
	}
}

func TestDecodeDoesNotAllocate(t *testing.T) {
	for _, f := range []Format{JSON, CBOR} {
		for name, msg := range samples(f) {
			var m Message
			m.Streams = make([]uint64, 0, MaxStreams)
			n := testing.AllocsPerRun(100, func() {
				if err := f.Decode(msg, &m); err != nil {
					t.Fatal(err)
				}
			})
			if n != 0 {
				t.Errorf("format %d, %s: %v allocations", f, name, n)
			}
		}
	}
}

func TestFaultsSayWhere(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{`{"jsonrpc":"2.0",}`, `parse error: malformed JSON at byte 17`},
		{`{"a":nil}`, `parse error: malformed JSON at byte 5`},
		{`{} x`, `parse error: malformed JSON at byte 3`},
		{`[1,2,]`, `parse error: malformed JSON at byte 5`},
		{"\"\xff\"", `parse error: invalid UTF-8`},
		{``, `parse error: no message`},
		{`{"jsonrpc":"2.0","id":1,"id":2}`, `invalid request: duplicate member id`},
	} {
		var m Message
		if err := JSON.Decode([]byte(test.in), &m); err == nil || err.Error() != test.want {
			t.Errorf("%s: %v, want %s", test.in, err, test.want)
		}
	}
}

// equal reports whether two messages say the same in the same bytes.
func equal(a, b *Message) bool {
	same := func(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }
	return same(a.ID, b.ID) && same(a.Method, b.Method) && same(a.Params, b.Params) &&
		same(a.Result, b.Result) && same(a.Error, b.Error) && same(a.Meta, b.Meta) &&
		a.Timeout == b.Timeout && slices.Equal(a.Streams, b.Streams)
}

// A plain peer may use wirecall's names for itself, and say null for nothing.
func TestDecodePlain(t *testing.T) {
	const v = `{"jsonrpc":"2.0",`
	for _, test := range []struct {
		in, want string
		answer   bool
	}{
		{in: v + `"id":1,"method":"m","timeout":"soon","meta":{"a":1},"streams":null}`, want: `id=1 method=m`},
		{in: v + `"id":1,"method":"m","timeout":5,"meta":{"a":"b"},"streams":[1]}`, want: `id=1 method=m`},
		{in: v + `"id":1,"result":2,"error":null}`, want: `id=1 result=2`},
		{in: v + `"id":1,"result":null,"error":null}`, want: `id=1 result=null`},
		{in: v + `"id":1,"result":null,"error":{"code":1,"message":"no"}}`, want: `id=1 error={"code":1,"message":"no"}`},
		{in: v + `"id":1,"error":null}`, want: `-32600 id=1`},
		{in: v + `"id":1,"result":2,"error":{"code":1,"message":"no"}}`, want: `-32600 id=1`, answer: true},
		{in: v + `"id":1,"error":"broken"}`, want: `-32600 id=1`, answer: true},
		{in: `{"id":1,"result":2,"error":null}`, want: `-32600 id=1`, answer: true},
		{in: v + `"result":2}`, want: `-32600`, answer: true},
		{in: v + `"id":1,"method":"m","result":2}`, want: `-32600 id=1`},
		{in: v + `"id":1,"method":7}`, want: `-32600 id=1`},
		{in: `{"id":1,"result":2`, want: `-32700`},
	} {
		var m Message
		err := JSON.DecodePlain([]byte(test.in), &m)
		if got := show(&m, err); got != test.want || m.Answer != test.answer {
			t.Errorf("%s\n got %s, answer %t (%v)\nwant %s, answer %t", test.in, got, m.Answer, err, test.want, test.answer)
		}
	}
}

// The items of $/items are found in every form of its params, and nothing in others.
func TestItems(t *testing.T) {
	for _, test := range []struct {
		params string
		handle int64
		items  []string
	}{
		{`[7,[]]`, 7, nil},
		{`[7,[1]]`, 7, []string{"1"}},
		{`[7,["a]",{"b":[1,2]},[[]],null]]`, 7, []string{`"a]"`, `{"b":[1,2]}`, `[[]]`, `null`}},
		{` [ 7 , [ 1 , "x" ] ] `, 7, []string{"1", `"x"`}},
		{`[7,[1 ,2]]`, 7, []string{"1", "2"}},
		{`[7,[1,2],"more"]`, 7, []string{"1", "2"}},
		{`[7,[1,2] ]`, 7, []string{"1", "2"}},
		{`[0,[1]]`, 0, []string{"1"}},
		{`[7]`, -1, nil},
		{`[7,1]`, -1, nil},
		{`["7",[1]]`, -1, nil},
		{`[9007199254740992,[1]]`, -1, []string{"1"}},
		{`[]`, -1, nil},
		{`{}`, -1, nil},
	} {
		for _, text := range []string{
			`{"jsonrpc":"2.0","method":"$/items","params":` + test.params + `}`,
			`{"jsonrpc":"2.0","params":` + test.params + `,"method":"$/items"}`,
		} {
			var m Message
			if err := JSON.Decode([]byte(text), &m); err != nil {
				t.Errorf("%s: %v", text, err)
				continue
			}
			var items []string
			for _, raw := range m.Items {
				items = append(items, strings.TrimSpace(string(raw)))
			}
			if m.Handle != test.handle || m.Handle >= 0 && !slices.Equal(items, test.items) {
				t.Errorf("%s: stream %d, %q", text, m.Handle, items)
			}
		}
	}
	for _, params := range []string{`[07,[1]]`, `[7,[1,]]`, `[7,[1`, `[7,[1]`, `[7,[1}]`, `[7,[1]}`, `[7,[,1]]`, `[7,[`, `[7,`, `[`} {
		var m Message
		err := JSON.Decode([]byte(`{"jsonrpc":"2.0","method":"$/items","params":`+params+`}`), &m)
		if f, ok := err.(*Fault); !ok || f.Code != ParseError || len(m.Items) > 0 {
			t.Errorf("%s: %v, %q", params, err, m.Items)
		}
	}
}
