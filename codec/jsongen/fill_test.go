package jsongen_test

import (
	"encoding/json"
	"math"
	"math/big"
	"math/rand/v2"
	"net/url"
	"reflect"
	"time"
)

// A filler makes values at random. The same seed makes the same value.
type filler struct {
	*rand.Rand
	numbers bool // no NaN, which is not even equal to itself
}

func newFiller(seed uint64) *filler { return &filler{Rand: rand.New(rand.NewPCG(seed, 0))} }

func newNumbers(seed uint64) *filler {
	f := newFiller(seed)
	f.numbers = true
	return f
}

// value is a value of the type that v points to.
func (f *filler) value(v any) any {
	p := reflect.New(reflect.TypeOf(v).Elem())
	f.fill(p.Elem(), 0)
	return p.Interface()
}

var texts = []string{"", "a", "BTC-USD", "plain text of some length, and more", "grüße, 世界 😀", "\u2028\u2029", "<a href=\"x\">&amp;</a>",
	"\x00\x01\b\f\n\r\t\x1f\x7f", `\"/'`, "\xff", "abcdefg\xc3", "12345678\u2028", "\xed\xa0\x80", "\ufffd", "null", "true", "0"}

var floats = []float64{0, math.Copysign(0, -1), 1, -1, 0.1, 0.5, 101.25, -3.25, 1e-6, 9.99e-7, 1e-7, 123456.789, 0.000001, 0.0000015, 999999999.999999, 1e9,
	1e14, 1e15, 1e16, 999999999999999, 1e20, 1e21, 1e22, 1e-9, 1e-10, 1e300, 5e-324, math.MaxFloat64, math.MaxFloat32, math.SmallestNonzeroFloat32, 1 << 53, 1<<53 + 2, 1.0 / 3}

var ints = []int64{0, 1, -1, 7, 42, 127, 128, -128, -129, 255, 256, 32767, 65535, math.MaxInt32, math.MinInt32, math.MaxUint32, math.MaxInt64, math.MinInt64, 1e18, 123456}

var raws = []string{`null`, `1`, `"x"`, `{"a":[1,2, 3]}`, ` [ ] `, `{"<":"&"}`, `"\u2028"`, "\"\u2028\"", `bad`, ``, `[1`, `"\ud800"`}

func pick[T any](f *filler, list []T) T { return list[f.IntN(len(list))] }

func (f *filler) fill(v reflect.Value, depth int) {
	switch p := v.Addr().Interface().(type) {
	case *time.Time:
		*p = pick(f, []time.Time{{}, time.Date(2026, 2, 3, 4, 5, 6, f.IntN(1e9), time.UTC), time.Date(1999+f.IntN(9000), 2, 3, 4, 5, 6, 0, time.FixedZone("", f.IntN(100000)-50000)),
			time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC)})
		return
	case *stamp, *url.Userinfo:
		return
	case *big.Int:
		p.SetUint64(f.Uint64())
		return
	case *json.Number:
		*p = json.Number(pick(f, []string{"", "1", "-2.5e7", "bad"}))
		return
	case *json.RawMessage:
		if *p = nil; f.IntN(4) > 0 {
			*p = json.RawMessage(pick(f, raws))
		}
		return
	}
	f.kind(v, depth)
}

func (f *filler) kind(v reflect.Value, depth int) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(f.IntN(2) == 0)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(f.integer())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		v.SetUint(uint64(f.integer()))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(f.float())
	case reflect.String:
		v.SetString(f.text())
	case reflect.Interface:
		if x := f.any(depth); x != nil {
			v.Set(reflect.ValueOf(x))
		}
	case reflect.Pointer:
		if depth < 6 && f.IntN(3) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			f.fill(v.Elem(), depth+1)
		}
	case reflect.Slice:
		if depth < 6 && f.IntN(4) > 0 {
			v.Set(reflect.MakeSlice(v.Type(), f.IntN(4), 6))
			f.each(v, depth)
		}
	case reflect.Array:
		f.each(v, depth)
	case reflect.Map:
		f.mapping(v, depth)
	case reflect.Struct:
		for _, field := range v.Fields() {
			if field.CanSet() {
				f.fill(field, depth+1)
			}
		}
	}
}

func (f *filler) each(v reflect.Value, depth int) {
	for i := range v.Len() {
		f.fill(v.Index(i), depth+1)
	}
}

func (f *filler) mapping(v reflect.Value, depth int) {
	if depth >= 6 || f.IntN(4) == 0 {
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for range f.IntN(4) {
		k, e := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		f.fill(k, depth+1)
		f.fill(e, depth+1)
		v.SetMapIndex(k, e)
	}
}

func (f *filler) integer() int64 {
	if f.IntN(3) == 0 {
		return int64(f.Uint64() >> f.IntN(64))
	}
	return pick(f, ints)
}

func (f *filler) float() float64 {
	switch f.IntN(8) {
	case 0:
		if x := math.Float64frombits(f.Uint64()); x == x || !f.numbers {
			return x
		}
	case 1:
		return float64(f.IntN(1e9)) / 100
	case 2:
		return float64(f.Int64N(1e15)) / math.Pow10(f.IntN(18))
	case 3:
		if !f.numbers && f.IntN(20) == 0 {
			return pick(f, []float64{math.NaN(), math.Inf(1), math.Inf(-1)})
		}
		return math.Nextafter(float64(f.IntN(1e9))/1e6, 1e9)
	}
	return pick(f, floats)
}

func (f *filler) text() string {
	if f.IntN(6) > 0 {
		return pick(f, texts)
	}
	b := make([]byte, f.IntN(30))
	for i := range b {
		b[i] = byte(f.Uint64() >> f.IntN(8))
	}
	return string(b)
}

func (f *filler) any(depth int) any {
	n := f.IntN(9)
	if depth >= 6 {
		n %= 6
	}
	switch n {
	case 0:
		return nil
	case 1:
		return f.IntN(2) == 0
	case 2:
		return f.float()
	case 3:
		return f.text()
	case 4:
		return int(f.integer())
	case 5:
		return &Item{Seq: f.IntN(100)}
	case 6:
		return Holder{mask{3}, 4}
	case 7:
		var list []any
		f.kind(reflect.ValueOf(&list).Elem(), depth+1)
		return list
	}
	var m map[string]any
	f.kind(reflect.ValueOf(&m).Elem(), depth+1)
	return m
}
