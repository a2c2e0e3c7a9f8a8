package cbor

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// own has forms of its own in both, which differ.
type own struct{ n int }

func (o own) MarshalCBOR() ([]byte, error) { return []byte{0x81, byte(o.n)}, nil }
func (o own) MarshalJSON() ([]byte, error) { return nil, fmt.Errorf("CBOR goes first") }
func (o *own) UnmarshalCBOR(b []byte) error {
	if len(b) != 2 || b[0] != 0x81 {
		return fmt.Errorf("own: %x", b)
	}
	o.n = int(b[1])
	return nil
}

// both has both of JSON's, as slog.Level and decimal types do.
type both struct{ s string }

func (b both) MarshalJSON() ([]byte, error)     { return json.Marshal(b.s) }
func (b both) MarshalText() ([]byte, error)     { return []byte(b.s), nil }
func (b *both) UnmarshalJSON(src []byte) error  { return json.Unmarshal(src, &b.s) }
func (b *both) UnmarshalText(text []byte) error { b.s = string(text); return nil }

func roundTrip[T any](t *testing.T, v T) (raw []byte, got T) {
	t.Helper()
	raw, err := Codec.Append(nil, v)
	if err != nil {
		t.Fatal(err)
	}
	if err := Codec.Decode(raw, &got); err != nil {
		t.Fatalf("%v: %x", err, raw)
	}
	return raw, got
}

func TestWhatGoesOut(t *testing.T) {
	for _, test := range []struct {
		v    any
		want string
	}{
		{[]byte{1, 2}, "420102"},
		{[2]byte{1, 2}, "420102"},
		{"é", "62c3a9"},
		{1.5, "f93e00"},
		{1, "01"},
		{nil, "f6"},
		{map[string]int{"b": 1, "a": 2}, "a2616102616201"},
		{struct {
			A int `json:"x"`
			B int `json:"y" cbor:"z"`
			C int `json:"c,omitempty"`
		}{1, 2, 0}, "a2617801617a02"},
		{map[int]int{1: 2}, "a10102"},
		{json.RawMessage(` [1, {"a": null}] `), "8201a16161f6"},
		{big.NewInt(5), "05"},
		{new(big.Int).Lsh(big.NewInt(1), 64), "c249010000000000000000"},
		{time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), "781e" + hex.EncodeToString([]byte("2026-01-02T03:04:05.000000006Z"))},
		{time.Time{}, "f6"},
		{own{7}, "8107"},
		{both{"x"}, "6178"},
		{math.Inf(1), "f97c00"},
	} {
		got, err := Codec.Append(nil, test.v)
		if err != nil || hex.EncodeToString(got) != test.want {
			t.Errorf("%#v: got %x, want %s (%v)", test.v, got, test.want, err)
		}
	}
}

// What any holds, where JSON has fewer types than Go.
func TestAny(t *testing.T) {
	huge := new(big.Int).Lsh(big.NewInt(1), 64)
	for _, test := range []struct{ from, want any }{
		{1, int64(1)},
		{uint64(math.MaxInt64), int64(math.MaxInt64)},
		{uint64(math.MaxUint64), *new(big.Int).SetUint64(math.MaxUint64)},
		{huge, *huge},
		{1.0, 1.0},
		{float32(0.5), 0.5},
		{[]byte("x"), []byte("x")},
		{[]int{1}, []any{int64(1)}},
		{struct{ A any }{"b"}, map[string]any{"A": "b"}},
		{cbor.Tag{Number: 99999, Content: "x"}, "x"},
		{cbor.Tag{Number: 0, Content: "2026-01-02T03:04:05Z"}, "2026-01-02T03:04:05Z"},
	} {
		raw, err := Codec.Append(nil, test.from)
		if err != nil {
			t.Fatal(err)
		}
		var got any
		if err := Codec.Decode(raw, &got); err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%#v: got %#v, want %#v (%v)", test.from, got, test.want, err)
		}
	}
}

func TestOwnMethods(t *testing.T) {
	if _, got := roundTrip(t, []own{{1}, {2}}); !reflect.DeepEqual(got, []own{{1}, {2}}) {
		t.Errorf("got %v", got)
	}
	if _, got := roundTrip(t, map[string]both{"a": {"b"}}); got["a"].s != "b" {
		t.Errorf("got %v", got)
	}
	if _, got := roundTrip(t, math.NaN()); !math.IsNaN(got) {
		t.Errorf("got %v", got)
	}
}

// odd says one thing in JSON and another in text, which the package doc warns
// of: it must fail, not arrive as something else.
type odd struct{ n int }

func (o odd) MarshalJSON() ([]byte, error)    { return json.Marshal(o.n) }
func (o odd) MarshalText() ([]byte, error)    { return []byte("number"), nil }
func (o *odd) UnmarshalJSON(src []byte) error { return json.Unmarshal(src, &o.n) }

func TestTwoFormsThatDiffer(t *testing.T) {
	raw, err := Codec.Append(nil, odd{7})
	if err != nil {
		t.Fatal(err)
	}
	if err := Codec.Decode(raw, new(odd)); err == nil {
		t.Error("the package doc says that this does not work")
	}
}

func TestWhatIsRefused(t *testing.T) {
	type fields struct {
		A int `json:"a"`
	}
	deep := strings.Repeat("81", 1025) + "00"
	for _, test := range []struct {
		src  string
		into any
	}{
		{"", new(any)},
		{"0000", new(any)},
		{"a2616101616102", new(any)},            // {"a": 1, "a": 2}
		{"a2616101616102", new(map[string]int)}, // the same
		{"a2616101616102", new(fields)},         // the same
		{"9f01ff", new([]int)},                  // of indefinite length
		{"bf616101ff", new(fields)},
		{"7f6161ff", new(string)},
		{"5f4161ff", new([]byte)},
		{"61ff", new(string)}, // not UTF-8
		{"61ff", new(any)},
		{"a161ff01", new(map[string]int)},
		{"9bffffffffffffffff", new([]int)}, // longer than all memory
		{"9b7fffffffffffffff", new([]int)},
		{"bb7fffffffffffffff", new(map[string]int)},
		{"5b7fffffffffffffff", new([]byte)},
		{"7b7fffffffffffffff", new(string)},
		{deep, new(any)},
		{"a10102", new(any)}, // {1: 2}
	} {
		src, err := hex.DecodeString(test.src)
		if err != nil {
			t.Fatal(err)
		}
		if err := Codec.Decode(src, test.into); err == nil {
			t.Errorf("%.40s decoded into %T", test.src, test.into)
		}
	}
}

// An unknown ID must not overwrite id.
func TestNamesMatchExactly(t *testing.T) {
	var got struct {
		ID int `json:"id"`
	}
	src, err := Codec.Append(nil, map[string]int{"ID": 1, "id": 2, "more": 3})
	if err != nil {
		t.Fatal(err)
	}
	if err := Codec.Decode(src, &got); err != nil || got.ID != 2 {
		t.Errorf("got %d, %v", got.ID, err)
	}
}

func TestZeroTimeIsNull(t *testing.T) {
	type times struct {
		T time.Time
		P *time.Time
	}
	if _, got := roundTrip(t, times{P: new(time.Time)}); !got.T.IsZero() || got.P != nil {
		t.Errorf("got %v", got)
	}
}

// The library must not hand out parts of the source.
func TestDecodeKeepsNothing(t *testing.T) {
	type all struct {
		B []byte
		S string
		R json.RawMessage
		C cbor.RawMessage
		A any
		M map[string]any
		N [][]byte
	}
	v := all{[]byte("bytes"), "string", json.RawMessage(`"raw"`), []byte("\x63raw"), []byte("any"),
		map[string]any{"key": []byte("value")}, [][]byte{[]byte("nested")}}
	src, err := Codec.Append(nil, v)
	if err != nil {
		t.Fatal(err)
	}
	var got all
	if err := Codec.Decode(src, &got); err != nil {
		t.Fatal(err)
	}
	for i := range src {
		src[i] = 'x'
	}
	if !reflect.DeepEqual(got, v) {
		t.Errorf("got %q", fmt.Sprint(got))
	}
}

// A number from JSON keeps its value as far as Go's types do.
func TestNumbersFromJSON(t *testing.T) {
	for _, n := range []string{
		"0", "-0", "1", "-1", "1.5", "-1e-7", "9223372036854775807", "-9223372036854775808", "18446744073709551615",
		"123456789012345678901234567890", "-123456789012345678901234567890", "1e+300", "0.1",
	} {
		if _, got := roundTrip(t, json.RawMessage(n)); string(got) != n {
			t.Errorf("%s arrived as %s", n, got)
		}
	}
	for _, n := range []string{"1e999", "1 2", "[1,", "nan", ""} {
		if raw, err := Codec.Append(nil, json.RawMessage(n)); err == nil {
			t.Errorf("%s was sent as %x", n, raw)
		}
	}
}

func TestAppendAllocatesNothing(t *testing.T) {
	type message struct {
		Author string `json:"author"`
		Text   string `json:"text"`
		At     int64  `json:"at"`
	}
	var v any = &message{"gopher", "hello, world", 1 << 40}
	dst := make([]byte, 0, 1024)
	n := testing.AllocsPerRun(100, func() {
		if _, err := Codec.Append(dst, v); err != nil {
			t.Fatal(err)
		}
	})
	if n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestAppendUsesTheRoomThereIs(t *testing.T) {
	dst := append(make([]byte, 0, 64), "ab"...)
	out, err := Codec.Append(dst, "cd")
	if err != nil || !bytes.Equal(out, []byte("ab\x62cd")) || &out[0] != &dst[0] {
		t.Errorf("got %q, %v", out, err)
	}
}
