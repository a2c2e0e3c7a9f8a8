package codec_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"net/netip"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/codec/cbor"
)

var codecs = []codec.Codec{codec.JSON, cbor.Codec}

type (
	name   string
	number int
	blob   []byte
	pair   [2]float64

	page[T any] struct {
		Items []T    `json:"items"`
		Next  string `json:"next,omitempty"`
	}

	tagged struct {
		Renamed  string `json:"other"`
		Plain    int
		Ignored  int            `json:"-"`
		Empty    string         `json:"empty,omitempty"`
		EmptyMap map[int]string `json:"emptyMap,omitempty"`
		Zero     time.Time      `json:"zero,omitzero"`
		ZeroNum  int            `json:",omitzero"`
		Quoted   int64          `json:"quoted,string"`
	}

	base     struct{ ID, Shared int }
	Extra    struct{ Note string }
	embedded struct {
		base
		*Extra
		page[name]
		Shared string
	}

	tree struct {
		Value    int     `json:"value"`
		Left     *tree   `json:"left,omitempty"`
		Children []*tree `json:"children"`
	}
)

// celsius has a form of its own in JSON and none in CBOR.
type celsius float64

func (c celsius) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, `{"degrees":%v,"unit":"C"}`, float64(c)), nil
}

func (c *celsius) UnmarshalJSON(b []byte) error {
	var v struct {
		Degrees float64
		Unit    string
	}
	if err := json.Unmarshal(b, &v); err != nil || v.Unit != "C" {
		return fmt.Errorf("unit %q: %w", v.Unit, err)
	}
	*c = celsius(v.Degrees)
	return nil
}

// mask is text by a method of the pointer.
type mask struct{ bits uint8 }

func (m *mask) MarshalText() ([]byte, error) { return strconv.AppendUint(nil, uint64(m.bits), 2), nil }

func (m *mask) UnmarshalText(b []byte) error {
	n, err := strconv.ParseUint(string(b), 2, 8)
	m.bits = uint8(n)
	return err
}

// point is text, as a map's key too.
type point struct{ X, Y int }

func (p point) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%d,%d", p.X, p.Y), nil }

func (p *point) UnmarshalText(b []byte) error {
	_, err := fmt.Sscanf(string(b), "%d,%d", &p.X, &p.Y)
	return err
}

// binary has a binary form, which JSON does not look at.
type binary struct{ N int }

func (binary) MarshalBinary() ([]byte, error)  { return nil, fmt.Errorf("not for the wire") }
func (*binary) UnmarshalBinary(_ []byte) error { return fmt.Errorf("not from the wire") }
func zone(hours int) *time.Location            { return time.FixedZone("", hours*3600) }
func date(ns int, at *time.Location) time.Time { return time.Date(2026, 2, 3, 4, 5, 6, ns, at) }
func bigInt(s string) *big.Int                 { n, _ := new(big.Int).SetString(s, 10); return n }
func link(s string) *url.URL                   { u, _ := url.Parse(s); return u }
func raw(s string) json.RawMessage             { return json.RawMessage(s) }
func repeat[T any](v T, n int) (r []T)         { return append(r, make([]T, n)...) }
func nest(depth int) (v any) {
	for range depth {
		v = []any{v}
	}
	return v
}

// values cross both ways in every codec.
var values = []any{
	true, false, "", "héllo, 世界 😀\x00\n<&>\u2028", name("n"),
	0, -1, int8(math.MinInt8), int16(math.MinInt16), int32(math.MinInt32), int64(math.MinInt64), int64(math.MaxInt64),
	uint8(math.MaxUint8), uint16(math.MaxUint16), uint32(math.MaxUint32), uint64(math.MaxUint64), number(7),
	0.0, math.Copysign(0, -1), 0.1, 1e300, math.SmallestNonzeroFloat64, math.MaxFloat64, 1.0, 1e21,
	float32(0.1), float32(math.MaxFloat32), float32(math.SmallestNonzeroFloat32),

	[]int{}, []int(nil), []int{1, 2, 3}, [3]int{1, 2, 3}, pair{1.5, 2}, [][]string{{"a"}, {}, nil}, repeat(0, 200_000),
	[]byte{}, []byte(nil), []byte{0, 255}, blob("blob"), [4]byte{1, 2, 3, 4}, []blob{blob("a"), nil},
	[]name{"a"}, []number{1},

	map[string]int{}, map[string]int(nil), map[string]int{"a": 1, "": 2}, map[name]number{"x": 1},
	map[int64]string{-1: "a", 1 << 40: "b"}, map[int]string{1: "a"}, map[number]bool{7: true}, map[uint8][]byte{1: {2}},
	map[point]int{{1, 2}: 3}, map[string]any{"a": nil, "b": "c", "d": []any{true, "e"}, "f": map[string]any{}},
	map[string]map[string][]int{"a": {"b": {1}}},

	tagged{Renamed: "a", Plain: 1, Empty: "", Quoted: 1 << 60},
	tagged{Empty: "x", EmptyMap: map[int]string{1: "a"}, Zero: date(1, time.UTC), ZeroNum: 1, Quoted: -1},
	embedded{base{1, 2}, &Extra{"n"}, page[name]{[]name{"a"}, "b"}, "s"},
	embedded{Shared: "s"},
	tree{1, &tree{Value: 2}, []*tree{nil, {Value: 3, Children: []*tree{}}}},
	page[page[*int]]{Items: []page[*int]{{Items: []*int{nil, new(1)}}}},
	struct{}{}, &base{ID: 1}, new(new(1)), (*base)(nil),
	struct{ V any }{"x"}, struct{ V any }{}, nest(900),

	date(0, time.UTC), date(123456789, time.UTC), date(1, zone(-7)), date(1, zone(14)), time.Time{}, new(date(0, zone(1))), struct{ T *time.Time }{},
	[]time.Time{date(5, zone(2))}, time.Hour,

	raw(`{"b":[1,2.5,"x",null,true],"a":{"c":123456789012345678901234567890}}`), raw(`"x"`), raw(`1`), raw(`[]`), raw(`-0`),
	struct {
		R json.RawMessage
		P *json.RawMessage `json:",omitempty"`
	}{R: raw(`{"x":1}`)},
	json.Number("12.50"),

	bigInt("0"), bigInt("123456789012345678901234567890"), bigInt("-123456789012345678901234567890"), bigInt("18446744073709551616"),
	big.NewFloat(1.25), big.NewRat(1, 3), netip.MustParseAddr("::1"), netip.MustParsePrefix("10.0.0.0/8"), link("https://example.com/a?b=c"),
	celsius(36.6), new(celsius(1)), []celsius{1, 2}, map[string]celsius{"a": 3}, struct{ T celsius }{4},
	&mask{5}, []*mask{{1}, nil}, &struct{ M mask }{mask{7}}, point{1, -2}, []point{{3, 4}}, binary{1},
}

func TestValuesCross(t *testing.T) {
	for _, c := range codecs {
		for i, v := range values {
			t.Run(fmt.Sprintf("%s/%d/%T", c.Name(), i, v), func(t *testing.T) { testCross(t, c, v) })
		}
	}
}

// testCross sends v behind something else and compares what arrives. What is
// equal in Go may be spelled differently in memory, and the other way round:
// two values are the same here if json.Marshal says the same of them.
func testCross(t *testing.T, c codec.Codec, v any) {
	want, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	const before = "before"
	b, err := c.Append([]byte(before), v)
	if err != nil {
		t.Fatal(err)
	}
	src, ok := strings.CutPrefix(string(b), before)
	if !ok {
		t.Fatalf("Append overwrote what was there: %q", b)
	}
	into := reflect.New(reflect.TypeOf(v))
	wire := []byte(src)
	if err := c.Decode(wire, into.Interface()); err != nil {
		t.Fatalf("%v\n%q", err, src)
	}
	clear(wire) // must not change what was decoded
	got, err := json.Marshal(into.Interface())
	if err != nil {
		t.Fatal(err)
	}
	if !same(t, got, want) {
		t.Errorf("got %.1000s\nwant %.1000s\nas %.1000q", got, want, src)
	}
}

// same compares two texts of JSON without regard to the order of members.
func same(t *testing.T, a, b []byte) bool {
	normal := func(text []byte) string {
		d := json.NewDecoder(strings.NewReader(string(text)))
		d.UseNumber()
		var v any
		if err := d.Decode(&v); err != nil {
			t.Fatal(err)
		}
		out, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	return normal(a) == normal(b)
}

// A reader may know another type than the writer: newer, older, or none.
func TestTypesMayDiffer(t *testing.T) {
	type v1 struct {
		ID   int    `json:"id"`
		Gone string `json:"gone"`
	}
	type v2 struct {
		ID  int64     `json:"id"`
		New []float64 `json:"new"`
	}
	for _, test := range []struct{ from, to, want any }{
		{v1{1, "x"}, new(v2), &v2{ID: 1}},
		{v1{1, "x"}, new(map[string]json.RawMessage), &map[string]json.RawMessage{"id": raw(`1`), "gone": raw(`"x"`)}},
		{map[string]any{"id": 7, "new": []int{1}}, new(v2), &v2{7, []float64{1}}},
		{raw(`{"id":7,"new":[1,2.5]}`), new(v2), &v2{7, []float64{1, 2.5}}},
		{v1{1, "x"}, new(json.RawMessage), new(raw(`{"gone":"x","id":1}`))},
		{celsius(1), new(map[string]any), &map[string]any{"degrees": 1.0, "unit": "C"}},
		{map[string]any{"degrees": 2.5, "unit": "C"}, new(celsius), new(celsius(2.5))},
		{date(7, zone(3)), new(string), new("2026-02-03T04:05:06.000000007+03:00")},
		{"2026-02-03T04:05:06Z", new(time.Time), new(date(0, time.UTC))},
		{point{1, 2}, new(any), new(any("1,2"))},
		{3, new(float64), new(3.0)},
		{nil, new(*int), new((*int)(nil))},
		{nil, new([]int), new([]int)},
		{nil, new(any), new(any)},
		{[]any{"a", map[string]any{"b": nil}}, new(any), new(any([]any{"a", map[string]any{"b": nil}}))},
	} {
		for _, c := range codecs {
			b, err := c.Append(nil, test.from)
			if err != nil {
				t.Errorf("%s: %T: %v", c.Name(), test.from, err)
				continue
			}
			into := reflect.New(reflect.TypeOf(test.to).Elem())
			if err := c.Decode(b, into.Interface()); err != nil {
				t.Errorf("%s: %T into %T: %v", c.Name(), test.from, test.to, err)
				continue
			}
			got, _ := json.Marshal(into.Interface())
			want, _ := json.Marshal(test.want)
			if !same(t, got, want) {
				t.Errorf("%s: %T into %T: got %s, want %s", c.Name(), test.from, test.to, got, want)
			}
		}
	}
}

// What cannot cross is an error, and what was there before is still there.
func TestErrorsLeaveTheBuffer(t *testing.T) {
	for _, c := range codecs {
		for _, v := range []any{make(chan int), func() {}, struct{ C chan int }{make(chan int)}, []any{1, func() {}}, raw(`{`), complex(1, 2)} {
			b, err := c.Append([]byte("before"), v)
			if err == nil || string(b) != "before" {
				t.Errorf("%s: %T: %q, %v", c.Name(), v, b, err)
			}
		}
		for _, test := range []struct{ from, to any }{
			{"x", new(int)}, {1, new(string)}, {-1, new(uint)}, {300, new(int8)}, {1.5, new(int)}, {[]int{1}, new(map[string]int)}, {true, new(celsius)},
		} {
			b, err := c.Append(nil, test.from)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Decode(b, test.to); err == nil {
				t.Errorf("%s: %v decoded into %T", c.Name(), test.from, test.to)
			}
		}
		b, err := c.Append(nil, 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Decode(append(b, b[0], 0), new(int)); err == nil {
			t.Errorf("%s: decoded with something behind it", c.Name())
		}
		if err := c.Decode(nil, new(int)); err == nil {
			t.Errorf("%s: decoded nothing", c.Name())
		}
		if err := c.Decode(b, nil); err == nil {
			t.Errorf("%s: decoded into nothing", c.Name())
		}
	}
}

// Strings that are not UTF-8 arrive mended, and the same in every codec.
func TestStringsAreMended(t *testing.T) {
	type text struct {
		B []byte
		F float64
		M map[string][]string
		Z string
	}
	v := text{[]byte("\xff\xfe"), 1.1, map[string][]string{"k\xff": {"\xc3", strings.Repeat("é\x80", 200)}}, "ok"}
	want := text{v.B, v.F, map[string][]string{"k\ufffd": {"\ufffd", strings.Repeat("é\ufffd", 200)}}, "ok"}
	for _, c := range codecs {
		b, err := c.Append([]byte("\xff"), v)
		if err != nil {
			t.Fatal(err)
		}
		var got text
		if err := c.Decode(b[1:], &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+q, %v", c.Name(), []any{got.M, got.Z}, err)
		}
	}
}

func TestSameValueSameBytes(t *testing.T) {
	m := make(map[string]int)
	for i := range 50 {
		m[base64.StdEncoding.EncodeToString([]byte{byte(i)})] = i
	}
	for _, c := range codecs {
		first, err := c.Append(nil, m)
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			if again, _ := c.Append(nil, m); string(again) != string(first) {
				t.Fatalf("%s: %q, then %q", c.Name(), first, again)
			}
		}
	}
}
