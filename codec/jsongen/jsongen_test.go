package jsongen_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/codec/jsongen"
	"github.com/wirecall/wirecall/internal/jsontypes"
)

// fresh is a new value of the type that v points to.
func fresh(v any) any { return reflect.New(reflect.TypeOf(v).Elem()).Interface() }

// sameAppend holds what codec.JSON makes of v against encoding/json.
func sameAppend(t *testing.T, v any) []byte {
	t.Helper()
	want, wantErr := json.Marshal(v)
	got, err := codec.JSON.Append([]byte("{"), v)
	if fmt.Sprint(err) != fmt.Sprint(wantErr) {
		t.Fatalf("%T: error %v, want %v", v, err, wantErr)
	}
	if err == nil && string(got[1:]) != string(want) {
		t.Fatalf("%T: got\n%s\nwant\n%s", v, got[1:], want)
	}
	return want
}

// sameDecode holds what codec.JSON reads into a value against encoding/json.
// fill makes the value that is there before, once for each.
func sameDecode(t *testing.T, src []byte, fill func() any) {
	t.Helper()
	got, want := fill(), fill()
	wire := bytes.Clone(src)
	err, wantErr := codec.JSON.Decode(wire, got), json.Unmarshal(src, want)
	if !bytes.Equal(wire, src) {
		t.Fatalf("%T: the text was changed", got)
	}
	clear(wire) // must not change what was decoded
	if fmt.Sprint(err) != fmt.Sprint(wantErr) {
		t.Fatalf("%T of %q: error %v, want %v", got, src, err, wantErr)
	}
	if !reflect.DeepEqual(got, want) || show(got) != show(want) {
		t.Fatalf("%T of %q: got\n%s\nwant\n%s", got, src, show(got), show(want))
	}
	samePrefix(t, src, fill)
}

// samePrefix decodes src in place, as a member of an object or an element of an array.
func samePrefix(t *testing.T, src []byte, fill func() any) {
	t.Helper()
	if src = bytes.TrimLeft(src, " \t\r\n"); !json.Valid(src) {
		return // what is decoded in place is known to be well formed
	}
	for _, rest := range []string{`,"x":1}`, "}", "]", ",2]", " \n, 3]"} {
		got, want, before := fill(), fill(), fill()
		n := codec.JSON.(interface{ DecodePrefix([]byte, any) int }).DecodePrefix(append(bytes.Clone(src), rest...), got)
		if n < 0 {
			want = before
		} else if err := json.Unmarshal(src, want); err != nil || n > len(src) || len(bytes.TrimSpace(src[n:])) > 0 {
			t.Fatalf("%T of %q in place: %d bytes, want %v", got, src, n, err)
		}
		if !reflect.DeepEqual(got, want) || show(got) != show(want) {
			t.Fatalf("%T of %q in place: %d bytes, got\n%s\nwant\n%s", got, src, n, show(got), show(want))
		}
	}
}

// show tells -0 from 0, which reflect.DeepEqual does not.
func show(v any) string {
	text, err := json.Marshal(v)
	return fmt.Sprintf("%s %v", text, err)
}

// Nothing of all this is tested where what was generated is not used.
func TestWhatIsGeneratedIsUsed(t *testing.T) {
	left := []any{new(Empty), new(Stamps), new(Recursive), new(EmbedsPointer),
		// Text within quotes, null, and what has methods of its own.
		new(InQuotes[json.Number]), new(InQuotes[json.RawMessage]), new(InQuotes[*time.Time]), new(InQuotes[string]), new(InQuotes[*int]), new(InQuotes[*json.Number]), new(InQuotes[celsius]), new(InQuotes[*celsius]), new(InQuotes[mask]), new(InQuotes[*mask]), new(InQuotes[point]), new(InQuotes[*zeroer]), new(InQuotes[*ptrZeroer]), new(InQuotes[writeOnly]), new(InQuotes[readOnly]), new(InQuotes[Ref]), new(InQuotes[big.Int])}
	for _, v := range values {
		isLeft := slices.ContainsFunc(left, func(l any) bool { return reflect.TypeOf(l) == reflect.TypeOf(v) })
		text, _ := jsontypes.Append(nil, v)
		if (text == nil) != isLeft {
			t.Errorf("%T is appended as %q", v, text)
		}
		if text != nil && strings.Count(string(text), "null") == 0 && !jsontypes.Decode(text, fresh(v)) {
			t.Errorf("%T is not decoded from %s", v, text)
		}
	}
}

// TestRandomValues sends values of every type both ways: into nothing, and into
// other values.
func TestRandomValues(t *testing.T) {
	for seed := range uint64(50) {
		for _, v := range values {
			in := newFiller(seed).value(v)
			text := sameAppend(t, in)
			sameDecode(t, text, func() any { return fresh(v) })
			sameDecode(t, text, func() any { return newNumbers(seed + 1).value(v) })
		}
	}
}

// spellings are texts of JSON to be read into everything, and what may stand for a
// value in others.
var spellings = []string{
	"", " ", "null", "true", "false", "tru", "nulll", "True", `""`, `"x"`, `"\u00e9\n\"\\\/\ud83d\ude00"`, `"\ud83d"`, `"\ud83d\u0041"`, `"\ude00\ud83d"`,
	`"\x"`, `"\u12"`, `"\u123g"`, `"abc`, `"\`, "\"\xff\"", "\"\xc3\xa9\"", "\"a\x00b\"", "\"12345678\x1f\"", "\"tab\there\"", `"\u2028"`, `"a longer text in plain ASCII"`,
	"0", "-0", "1", "-1", "00", "01", "-", "+1", "1.", ".5", "1.5", "-1.5e10", "1e5", "1E+2", "1e-2", "1e", "1e+", "0.0", "0e0", "0x1", "1_000", "NaN", "Infinity",
	"127", "128", "-128", "-129", "255", "256", "65536", "2147483647", "2147483648", "-2147483649", "4294967296", "9007199254740993",
	"9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "18446744073709551615", "18446744073709551616",
	"99999999999999999999", "100000000000000000000000", "1e308", "1e309", "-1e400", "1e-400", "5e-324", "2.2250738585072011e-308", "3.4028235e38", "3.5e38", "16777217", "0.1e1",
	"1.7976931348623157e308", "123456789012345678.9e-5", "0.000000000000000000000000000001", "1e00000000000000000001", "1e99999999999999999999",
	`"1"`, `"-7"`, `"1.5"`, `"true"`, `"null"`, `" 1"`, `"01"`, `"1"x`, `"\u0031"`, `"AQID"`, `"AQI="`, `"AQI"`, `"A\nQID"`, `"####"`,
	"[]", "[ ]", "[1]", "[1,2,3]", "[1,2,3,4,5]", "[null]", "[1,]", "[,1]", "[1 2]", "[1", "[", "]", "[[],[1],null]", `["a","b"]`, `[{"v":"x"}]`, "[true]",
	"{}", "{ }", `{"a":1}`, `{"a":1,"a":2}`, `{"a":1,}`, `{"a"}`, `{"a":}`, `{a:1}`, `{"a":1 "b":2}`, `{"":0}`, "{", "}", `{"a":{"b":[{}]}}`, `{"\u0061":1}`,
	`"2026-02-03T04:05:06Z"`, `"2026-02-03T04:05:06.123456789+07:30"`, `"2026-02-03"`, `"2026-13-03T04:05:06Z"`, `"2026-02-03T04:05:06\u005a"`,
	" 1 ", "\t[\n1\r, 2 ]\n", "1 1", "1,", "{} {}", "\ufeff1", "// x", "'a'", "[1] x", "{\"degrees\":2,\"unit\":\"<C>\"}", `"101"`, `"3,4"`,
}

// Every field is read from every text, in order, out of order, twice, in another
// case, and with something unknown beside it.
func TestSpellings(t *testing.T) {
	for _, v := range values {
		empty := func() any { return fresh(v) }
		for _, text := range spellings {
			sameDecode(t, []byte(text), empty)
		}
		for n, name := range names(v) {
			for i, text := range spellings {
				member := `"` + name + `":` + text
				objects := []string{"{" + member + "}", `{"unknown":` + text + `,` + member + `}`, "{" + member + "," + member + "} ",
					`{ "` + strings.ToUpper(name) + `" : ` + text + ` , "x":[1,{"y":null}]}`, `{"` + strings.ToLower(name) + `":` + text + "," + member + "}"}
				sameDecode(t, []byte(objects[0]), empty)
				sameDecode(t, []byte(objects[(n+i)%len(objects)]), empty)
			}
		}
	}
}

// names are the names that encoding/json gives to the members of v.
func names(v any) (names []string) {
	text, _ := json.Marshal(newNumbers(2).value(v))
	var m map[string]json.RawMessage
	if json.Unmarshal(text, &m) == nil {
		names = slices.Sorted(maps.Keys(m))
	}
	return names
}

// What is cut short or goes on is an error, and leaves things as they were.
func TestEveryCut(t *testing.T) {
	for _, v := range values {
		text, err := json.Marshal(newNumbers(5).value(v))
		if err != nil {
			continue
		}
		for n := range text {
			sameDecode(t, text[:n], func() any { return fresh(v) })
			sameDecode(t, append(bytes.Clone(text[:n]), text[n+1:]...), func() any { return fresh(v) })
		}
		for _, more := range []string{" ", "\n", "x", ",", "}", "]", "null", "\x00"} {
			sameDecode(t, append(bytes.Clone(text), more...), func() any { return fresh(v) })
		}
	}
}

// The kelvin sign and the long s fold to letters of ASCII.
// Long text is looked at in larger steps: one odd character at every place.
func TestLongText(t *testing.T) {
	for _, odd := range []string{`"`, `\`, "<", ">", "&", "\n", "\x1f", "\x7f", "é", "\u2028", "\xff"} {
		for n := range 200 {
			text := strings.Repeat("x", n) + odd + strings.Repeat("y", 60)
			src := sameAppend(t, &text)
			sameDecode(t, src, func() any { return new(string) })
			sameDecode(t, []byte(`"`+text+`"`), func() any { return new(string) })
		}
	}
}

func TestFoldedNames(t *testing.T) {
	for _, text := range []string{`{"\u212aelvin":1}`, `{"\u212aelvin":1}`, "{\"\u212aelvin\":1}", "{\"KELVIN\":1}", "{\"\u017fü\u00df\":1}", "{\"SÜß\":1,\"süß\":2}",
		"{\"SÜSS\":1}", `{"A":1,"a":2}`, `{"a":1,"A":2}`, "{\"kelvi\xff\":1}", "{\"größe\":\"x\"}", "{\"GRÖSSE\":\"x\"}", "{\"GRÖßE\":\"x\"}", `{"<A&B>":"x"}`, `{"<a&b>":"x"}`} {
		sameDecode(t, []byte(text), func() any { return new(Cases) })
		sameDecode(t, []byte(text), func() any { return new(Tagged) })
	}
}

func TestDepth(t *testing.T) {
	for _, depth := range []int{10, 499, 500, 501, 502, 9999, 10001} {
		for _, part := range [][2]string{{"[", "]"}, {`{"a":`, "}"}} {
			text := strings.Repeat(part[0], depth) + "1" + strings.Repeat(part[1], depth)
			for _, v := range []any{new(any), new(json.RawMessage), new(Anything), new(Recursive), new([]any)} {
				sameDecode(t, []byte(text), func() any { return fresh(v) })
				sameDecode(t, []byte(`{"A":`+text+`}`), func() any { return fresh(v) })
				sameDecode(t, []byte(`{"x":`+text+`}`), func() any { return fresh(v) })
			}
			var v any
			if err := json.Unmarshal([]byte(text), &v); err == nil {
				sameAppend(t, &v)
			}
		}
	}
}

func TestCircles(t *testing.T) {
	m := map[string]any{}
	m["m"] = m
	list := []any{nil}
	list[0] = list
	r := &Recursive{}
	r.Next = r
	for _, v := range []any{&m, &list, r, &Anything{A: m}, &Anything{L: list}, &Others{A: list}} {
		if b, err := codec.JSON.Append(nil, v); err == nil || !strings.Contains(err.Error(), "cycle") {
			t.Errorf("%T: %.20q, %v", v, b, err)
		}
	}
}

func TestErrorsOfMethods(t *testing.T) {
	sameAppend(t, &Others{C: -300})
	sameAppend(t, &Omitted{C: -300})
	sameAppend(t, &map[string]celsius{"a": -300})
}

// Methods may rely on being given a part of a document that is in order.
func TestMethodsDoNotSeeMalformedDocuments(t *testing.T) {
	for _, c := range []struct {
		v    any
		text string
	}{
		{new(Watched), `{"A":1,"W":"x","All":["y","z"],"In":{"W":"x"},"Keys":{"k":"v"},"Last":"l"} `},
		{new([]Watched), ` [{"W":"x"},{"Keys":{"k":"v"}}]`},
	} {
		for n := range c.text {
			for _, text := range []string{c.text[:n], c.text[:n] + c.text[n+1:], c.text + c.text[n:], c.text[:n] + "?" + c.text[n:]} {
				watched = 0
				err := codec.JSON.Decode([]byte(text), fresh(c.v))
				if !json.Valid([]byte(text)) && (watched > 0 || err == nil) {
					t.Errorf("%T: methods were called %d times for %s, %v", c.v, watched, text, err)
				}
			}
		}
		watched = 0
		if err := codec.JSON.Decode([]byte(c.text), fresh(c.v)); err != nil || watched == 0 {
			t.Errorf("%T: methods were called %d times, %v", c.v, watched, err)
		}
	}
}

func TestNil(t *testing.T) {
	sameAppend(t, (*Item)(nil))
	sameAppend(t, nil)
	for _, v := range []any{(*Item)(nil), nil, Item{}} {
		if got, want := codec.JSON.Decode([]byte("{}"), v), json.Unmarshal([]byte("{}"), v); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%T: %v, want %v", v, got, want)
		}
	}
}

// changed is generated for as if it had no second field.
type changed struct {
	A int
	B int
}

// What was generated for a type before it changed is not used.
func TestChangedTypes(t *testing.T) {
	jsongen.Register((*changed)(nil), 1, func(dst []byte, _ any) []byte { return append(dst, "wrong"...) },
		func(s []byte, _ int, _ any) int { return len(s) })
	sameAppend(t, &changed{1, 2})
	sameDecode(t, []byte(`{"A":1,"B":2}`), func() any { return new(changed) })
}

// What a type alone says of its JSON need not be looked for in that.
func TestSoundTypes(t *testing.T) {
	for _, test := range []struct {
		v     any
		sound bool
	}{
		{new(string), true}, {new([]byte), true}, {new(time.Time), true}, {new([]string), true}, {new(Item), true},
		{new(**Item), true}, {new(map[Word][]*float32), true}, {new(Named), true}, {new(Box[Box[string]]), true},
		{new(any), false}, {new(json.RawMessage), false}, {new(Kinds), false}, {new([]any), false},
		{new(Others), false},
	} {
		if b, sound := jsontypes.Append(nil, test.v); b == nil || sound != test.sound {
			t.Errorf("%T: sound is %t, want %t", test.v, sound, test.sound)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for seed := range uint64(3) {
		for i, v := range values {
			text, _ := json.Marshal(newNumbers(seed).value(v))
			f.Add(text, byte(i), seed)
		}
	}
	for i := range values {
		f.Add([]byte(spellings[i%len(spellings)]), byte(i), uint64(0))
	}
	f.Fuzz(func(t *testing.T, text []byte, n byte, seed uint64) {
		v := values[int(n)%len(values)]
		sameDecode(t, text, func() any {
			if seed%2 == 0 {
				return fresh(v)
			}
			return newNumbers(seed).value(v)
		})
	})
}

func FuzzAppend(f *testing.F) {
	f.Add(uint64(1), "text", 1.5, int64(-1))
	f.Fuzz(func(t *testing.T, seed uint64, s string, x float64, n int64) {
		sameAppend(t, &s)
		sameAppend(t, &x)
		sameAppend(t, new(float32(x)))
		sameAppend(t, &n)
		sameAppend(t, &Item{int(n), x, s})
		sameAppend(t, &map[string]any{s: x, "x": s})
		for _, v := range values {
			text := sameAppend(t, newFiller(seed).value(v))
			sameDecode(t, text, func() any { return fresh(v) })
		}
	})
}

func FuzzFloat(f *testing.F) {
	f.Add(uint64(12345), -2, uint64(0))
	f.Fuzz(func(t *testing.T, digits uint64, exponent int, random uint64) {
		for _, x := range []float64{float64(digits) * math.Pow10(exponent%30), float64(digits) / math.Pow10(exponent%20), math.Float64frombits(digits), math.Float64frombits(random)} {
			sameAppend(t, &x)
			sameAppend(t, new(float32(x)))
		}
		text := fmt.Appendf(nil, "%d.%de%d", digits, random, exponent%330)
		sameDecode(t, text, func() any { return new(float64) })
		sameDecode(t, text, func() any { return new(float32) })
		sameDecode(t, text[:len(text)/2], func() any { return new(float64) })
	})
}

// A pair reaches its T in two ways, and a pair of pairs in four.
type (
	pair[T any]    struct{ X, Y *T }
	pairs4[T any]  struct{ pair[pair[pair[pair[T]]]] }
	pairs16[T any] struct {
		pairs4[pairs4[pairs4[pairs4[T]]]]
	}
)

// TestManyWaysToOneType holds that a type is not looked at once for each way.
func TestManyWaysToOneType(t *testing.T) {
	type many = pairs16[pairs16[pairs16[int]]]
	jsongen.Register((*many)(nil), 1, nil, nil) // it has another shape
	if got, _ := jsontypes.Append(nil, new(many)); got != nil {
		t.Errorf("%s", got)
	}
}

// The strings of a small value share one allocation. Those of a large one do not, since
// one that is kept would keep the others.
func TestStringsOfAValue(t *testing.T) {
	allocations := func(last string) float64 {
		src := []byte(`["one","two","three","` + last + `"]`)
		return testing.AllocsPerRun(100, func() {
			var v []string
			if err := codec.JSON.Decode(src, &v); err != nil {
				t.Fatal(err)
			}
		})
	}
	if small, large := allocations("four"), allocations(strings.Repeat("x", 300)); large-small != 3 {
		t.Errorf("%v allocations for four small strings, and %v if one is large", small, large)
	}
}
