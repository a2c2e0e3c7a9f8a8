package corpus

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-github/v66/github"
	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/internal/jsontypes"
)

var rounds = flag.Int("rounds", 20, "how many random values of each type are tried, and each in how many broken forms")

// Nothing is tested where what was generated is not used. These hold themselves.
func TestWhatIsGeneratedIsUsed(t *testing.T) {
	left := []any{new(github.Repository), new(github.Commit)}
	for _, v := range values {
		isLeft := slices.ContainsFunc(left, func(l any) bool { return reflect.TypeOf(l) == reflect.TypeOf(v) })
		if text, _ := jsontypes.Append(nil, v); (text == nil) != isLeft {
			t.Errorf("%T is left to encoding/json: %v", v, !isLeft)
		}
	}
}

// TestCorpus encodes random values of all types, and decodes what comes out, whole
// and broken, both with what was generated and with encoding/json.
func TestCorpus(t *testing.T) {
	for _, v := range values {
		t.Run(fmt.Sprintf("%T", v), func(t *testing.T) {
			t.Parallel()
			var seed uint64
			defer func() {
				if t.Failed() {
					t.Logf("the seed is %d", seed)
				}
			}()
			for seed = range uint64(*rounds) {
				f := &filler{rand.New(rand.NewPCG(seed, 0))}
				in := reflect.New(reflect.TypeOf(v).Elem())
				f.fill(in.Elem(), 0)
				text := sameAppend(t, in.Interface())
				sameDecode(t, v, text)
				for range *rounds {
					sameDecode(t, v, f.damage(text))
				}
			}
		})
	}
}

func sameAppend(t *testing.T, v any) []byte {
	t.Helper()
	want, wantErr := json.Marshal(v)
	got, err := codec.JSON.Append(nil, v)
	if fmt.Sprint(err) != fmt.Sprint(wantErr) || string(got) != string(want) {
		t.Fatalf("%T: got %v\n%s\nwant %v\n%s", v, err, got, wantErr, want)
	}
	return want
}

func sameDecode(t *testing.T, v any, text []byte) {
	t.Helper()
	got, want := reflect.New(reflect.TypeOf(v).Elem()).Interface(), reflect.New(reflect.TypeOf(v).Elem()).Interface()
	err, wantErr := codec.JSON.Decode(text, got), json.Unmarshal(text, want)
	if fmt.Sprint(err) != fmt.Sprint(wantErr) || !reflect.DeepEqual(got, want) {
		t.Fatalf("%T: got %v\n%+v\nwant %v\n%+v\nof %s", v, err, got, wantErr, want, text)
	}
}

// A filler makes values at random.
type filler struct{ *rand.Rand }

var texts = []string{"", "a", "plain text of some length, and more", "grüße, 世界 😀", "\u2028", "<a href=\"x\">&amp;</a>", "\x00\t\x1f", "\xff", "null", "0"}

// damages are put into documents in place of a few bytes.
var damages = []string{"", "{", "}", "[", "]", ",", ":", `"`, `\`, "null", "1", "-0", "1e3", `"x"`, "{}", "[]", " ", "\xff", "\x00", "tru", `"A":1,`}

// damage is a document with a part exchanged or a case changed.
func (f *filler) damage(text []byte) []byte {
	i := f.IntN(len(text) + 1)
	end := min(len(text), i+f.IntN(6))
	if f.IntN(8) == 0 {
		return fmt.Appendf(nil, "%s%s%s", text[:i], strings.ToUpper(string(text[i:end])), text[end:])
	}
	return fmt.Appendf(nil, "%s%s%s", text[:i], damages[f.IntN(len(damages))], text[end:])
}

func (f *filler) fill(v reflect.Value, depth int) {
	switch p := v.Addr().Interface().(type) {
	case *time.Time:
		*p = time.Unix(f.Int64N(1e10), f.Int64N(2)*f.Int64N(1e9)).UTC()
		return
	case *big.Int:
		p.SetUint64(f.Uint64())
		return
	case *json.RawMessage:
		*p = json.RawMessage(`{"a": [1, "<"]}`)
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(f.IntN(2) == 0)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(f.Uint64()>>f.IntN(64)) * int64(f.IntN(2)))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		v.SetUint(f.Uint64() >> f.IntN(64) * f.Uint64N(2))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(float64(f.IntN(1e9)) / math.Pow10(f.IntN(30)))
	case reflect.String:
		v.SetString(texts[f.IntN(len(texts))])
	case reflect.Interface:
		if v.NumMethod() == 0 && f.IntN(2) == 0 {
			v.Set(reflect.ValueOf(map[string]any{"a": 1.5, "b": []any{nil, "x"}}))
		}
	default:
		f.compound(v, depth+1)
	}
}

// compound fills a value of a type with elements. Deeper down there are fewer.
func (f *filler) compound(v reflect.Value, depth int) {
	n := f.IntN(4) - depth/3
	switch v.Kind() {
	case reflect.Pointer:
		if n > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			f.fill(v.Elem(), depth)
		}
	case reflect.Slice:
		if n > 0 {
			v.Set(reflect.MakeSlice(v.Type(), n-1, n))
		}
		f.each(v, depth)
	case reflect.Array:
		f.each(v, depth)
	case reflect.Map:
		if n > 0 {
			v.Set(reflect.MakeMap(v.Type()))
		}
		for range n - 1 {
			key, elem := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			f.fill(key, depth)
			f.fill(elem, depth)
			v.SetMapIndex(key, elem)
		}
	case reflect.Struct:
		for _, field := range v.Fields() {
			if field.CanSet() {
				f.fill(field, depth)
			}
		}
	}
}

func (f *filler) each(v reflect.Value, depth int) {
	for i := range v.Len() {
		f.fill(v.Index(i), depth)
	}
}
