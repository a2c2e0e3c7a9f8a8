package jsongen_test

import (
	"encoding/json"
	"fmt"
	"iter"
	"math/big"
	"net/url"
	"strconv"
	"time"
)

//go:generate go tool wirecall gen

// Types is not served. What it mentions is what the tests are about.
//
//wirecall:service
//wirecall:json all
type Types interface {
	Kinds(Kinds, Named, Floats, Quoted) error
	Composites(Composites, Maps, Pointers, Arrays) error
	Left(Omitted, OmittedZero, OmittedFirst) error
	Structs(Outer, Ambiguous, Tagged, Cases, Names, Empty, One) error
	Others(Others, Times, Stamps, Anything, Recursive, Holder, EmbedsPointer, url.URL) error
	Streams(iter.Seq2[Item, error], iter.Seq2[Value, error]) (iter.Seq2[*Item, error], error)
	Roots([]Item, map[string]Item, [2]Item, **Item, [][]string, map[Word][]*float32, Word, Count, List, Blob, []any) error
	Generic(Box[int], Box[Box[string]], Box[*Item]) error
	Watched(Watched, []Watched) error
	Options(Options[json.Number], Options[json.RawMessage], Options[time.Time], Options[*time.Time], Options[any], Options[bool], Options[Count], Options[float32], Options[string], Options[[]string], Options[map[string]int], Options[*int], Options[*json.Number], Options[[0]int], Options[[2]int], Options[[4]byte], Options[Blob], Options[[]Byte], Options[map[point]int], Options[map[json.Number]mask], Options[celsius], Options[*celsius], Options[mask], Options[*mask], Options[point], Options[zeroer], Options[*zeroer], Options[ptrZeroer], Options[*ptrZeroer], Options[writeOnly], Options[readOnly], Options[Value], Options[Holder], Options[Ref], Options[Other], Options[anyone], Options[loop], Options[stamp], Options[time.Duration], Options[big.Int], Options[url.URL]) error
	Quotes(InQuotes[json.Number], InQuotes[json.RawMessage], InQuotes[time.Time], InQuotes[*time.Time], InQuotes[any], InQuotes[bool], InQuotes[Count], InQuotes[float32], InQuotes[string], InQuotes[[]string], InQuotes[map[string]int], InQuotes[*int], InQuotes[*json.Number], InQuotes[[0]int], InQuotes[[2]int], InQuotes[[4]byte], InQuotes[Blob], InQuotes[[]Byte], InQuotes[map[point]int], InQuotes[map[json.Number]mask], InQuotes[celsius], InQuotes[*celsius], InQuotes[mask], InQuotes[*mask], InQuotes[point], InQuotes[zeroer], InQuotes[*zeroer], InQuotes[ptrZeroer], InQuotes[*ptrZeroer], InQuotes[writeOnly], InQuotes[readOnly], InQuotes[Value], InQuotes[Holder], InQuotes[Ref], InQuotes[Other], InQuotes[anyone], InQuotes[loop], InQuotes[stamp], InQuotes[time.Duration], InQuotes[big.Int], InQuotes[url.URL]) error
}

// values has one of every type of which the tests say something.
var values = []any{
	new(Kinds), new(Named), new(Floats), new(Quoted), new(Composites), new(Maps), new(Pointers), new(Arrays),
	new(Omitted), new(OmittedZero), new(OmittedFirst), new(Outer), new(Ambiguous), new(Tagged), new(Cases), new(Names), new(Empty), new(One),
	new(Others), new(Times), new(Stamps), new(Anything), new(Recursive), new(Holder), new(EmbedsPointer), new(url.URL),
	new(Item), new(Value), new(*Item), new([]Item), new(map[string]Item), new([2]Item), new(**Item), new([][]string),
	new(map[Word][]*float32), new(Word), new(Count), new(List), new(Blob), new([]any), new(Box[int]), new(Box[Box[string]]), new(Box[*Item]),
	new(bool), new(string), new(int), new(int8), new(int16), new(int32), new(int64), new(uint), new(uint8), new(uint16), new(uint32), new(uint64),
	new(Watched), new([]Watched),
	new(uintptr), new(float32), new(float64), new([]byte), new([]string), new(time.Time), new(json.RawMessage), new(any),
	new(Options[json.Number]), new(Options[json.RawMessage]), new(Options[time.Time]), new(Options[*time.Time]), new(Options[any]), new(Options[bool]), new(Options[Count]), new(Options[float32]), new(Options[string]), new(Options[[]string]), new(Options[map[string]int]), new(Options[*int]), new(Options[*json.Number]), new(Options[[0]int]), new(Options[[2]int]), new(Options[[4]byte]), new(Options[Blob]), new(Options[[]Byte]), new(Options[map[point]int]), new(Options[map[json.Number]mask]), new(Options[celsius]), new(Options[*celsius]), new(Options[mask]), new(Options[*mask]), new(Options[point]), new(Options[zeroer]), new(Options[*zeroer]), new(Options[ptrZeroer]), new(Options[*ptrZeroer]), new(Options[writeOnly]), new(Options[readOnly]), new(Options[Value]), new(Options[Holder]), new(Options[Ref]), new(Options[Other]), new(Options[anyone]), new(Options[loop]), new(Options[stamp]), new(Options[time.Duration]), new(Options[big.Int]), new(Options[url.URL]),
	new(InQuotes[json.Number]), new(InQuotes[json.RawMessage]), new(InQuotes[time.Time]), new(InQuotes[*time.Time]), new(InQuotes[any]), new(InQuotes[bool]), new(InQuotes[Count]), new(InQuotes[float32]), new(InQuotes[string]), new(InQuotes[[]string]), new(InQuotes[map[string]int]), new(InQuotes[*int]), new(InQuotes[*json.Number]), new(InQuotes[[0]int]), new(InQuotes[[2]int]), new(InQuotes[[4]byte]), new(InQuotes[Blob]), new(InQuotes[[]Byte]), new(InQuotes[map[point]int]), new(InQuotes[map[json.Number]mask]), new(InQuotes[celsius]), new(InQuotes[*celsius]), new(InQuotes[mask]), new(InQuotes[*mask]), new(InQuotes[point]), new(InQuotes[zeroer]), new(InQuotes[*zeroer]), new(InQuotes[ptrZeroer]), new(InQuotes[*ptrZeroer]), new(InQuotes[writeOnly]), new(InQuotes[readOnly]), new(InQuotes[Value]), new(InQuotes[Holder]), new(InQuotes[Ref]), new(InQuotes[Other]), new(InQuotes[anyone]), new(InQuotes[loop]), new(InQuotes[stamp]), new(InQuotes[time.Duration]), new(InQuotes[big.Int]), new(InQuotes[url.URL]),
}

type Item struct {
	Seq    int     `json:"seq"`
	Price  float64 `json:"price"`
	Symbol string  `json:"symbol"`
}

type Value struct {
	ID   int      `json:"id"`
	Name string   `json:"name"`
	Tags []string `json:"tags"`
}

type Kinds struct {
	B   bool
	I   int
	I8  int8
	I16 int16
	I32 int32
	I64 int64
	U   uint
	U8  uint8
	U16 uint16
	U32 uint32
	U64 uint64
	Up  uintptr
	F32 float32
	F64 float64
	S   string
	A   any
}

type (
	Word  string
	Count int64
	Flag  bool
	Ratio float32
	List  []int
	Blob  []byte
	Dict  map[Word]Count
	Ref   *int
	Other = Count
	Byte  uint8
)

type Named struct {
	W  Word
	C  Count
	F  Flag
	R  Ratio
	L  List
	B  Blob
	D  Dict
	P  Ref
	O  Other
	By Byte
	Bs []Byte
}

type Floats struct {
	F []float64
	G []float32
}

type Quoted struct {
	I int     `json:"i,string"`
	U uint8   `json:",string"`
	F float64 `json:"f,string"`
	G float32 `json:"g,omitempty,string"`
	B bool    `json:"b,string"`
	C Count   `json:"c,string"`
}

type Composites struct {
	Ints    []int            `json:"ints"`
	Strings []string         `json:"strings"`
	Items   []Item           `json:"items"`
	Grid    [][]float64      `json:"grid"`
	Bytes   []byte           `json:"bytes"`
	Blobs   [][]byte         `json:"blobs"`
	Bools   []bool           `json:"bools"`
	Value   Value            `json:"value"`
	Any     []any            `json:"any"`
	Anys    map[string]any   `json:"anys"`
	Deep    map[string][]One `json:"deep"`
}

type Maps struct {
	SI map[string]int
	WS map[Word]string
	SV map[string]Value
	SP map[string]*Item
	IS map[int]string
	UB map[uint8]bool
	MM map[string]map[string]bool
	SM map[string]mask
	SH map[string]Holder
	PM map[point]int
	ST map[string]time.Time
	SR map[string]json.RawMessage
	SA map[string][2]int
}

type Pointers struct {
	I  *int
	S  *string
	V  *Value
	PP **Item
	L  *[]int
	M  *map[string]int
	A  *any
	B  *[]byte
	T  *time.Time
	R  *json.RawMessage
	Ps []*int
}

type Arrays struct {
	A [3]int
	B [0]string
	C [2]Value
	D [2][2]string
	E [4]byte
	F [1]*int
}

type Omitted struct {
	B  bool            `json:"b,omitempty"`
	I  int             `json:"i,omitempty"`
	U  uint16          `json:",omitempty"`
	F  float64         `json:"f,omitempty"`
	S  string          `json:"s,omitempty"`
	P  *int            `json:"p,omitempty"`
	L  []string        `json:"l,omitempty"`
	M  map[string]int  `json:"m,omitempty"`
	A  any             `json:"a,omitempty"`
	Ar [0]int          `json:"ar,omitempty"`
	An [1]int          `json:"an,omitempty"`
	C  celsius         `json:"c,omitempty"`
	Fn callback        `json:",omitempty"`
	X  plane           `json:",omitempty"`
	W  Word            `json:"w,omitempty"`
	R  json.RawMessage `json:"r,omitempty"`
}

type OmittedZero struct {
	First int
	B     bool           `json:"b,omitzero"`
	I     int            `json:"i,omitzero"`
	F     float64        `json:"f,omitzero"`
	S     string         `json:"s,omitzero"`
	P     *int           `json:"p,omitzero"`
	L     []string       `json:"l,omitzero"`
	M     map[string]int `json:"m,omitzero"`
	A     any            `json:"a,omitzero"`
	Ar    [2]float64     `json:"ar,omitzero"`
	V     Value          `json:"v,omitzero"`
	T     time.Time      `json:"t,omitzero"`
	TP    *time.Time     `json:"tp,omitzero"`
	C     celsius        `json:"c,omitzero"`
	Z     zeroer         `json:"z,omitzero"`
	ZP    *zeroer        `json:"zp,omitzero"`
	ZA    ptrZeroer      `json:"za,omitzero"`
	Both  []int          `json:"both,omitempty,omitzero"`
}

type OmittedFirst struct {
	A int `json:"a,omitempty"`
	B int `json:"b"`
	C int `json:"c,omitempty"`
	D int
}

// zeroer says itself when it is zero.
type zeroer int

func (z zeroer) IsZero() bool { return z == 7 || z == 0 }

type ptrZeroer struct{ N int }

func (z *ptrZeroer) IsZero() bool { return z.N == 1 }

type base struct {
	ID     int
	Shared int
	Name   string `json:"name"`
}

type Extra struct {
	Note string
	ID   string
}

type Outer struct {
	base
	Extra
	Shared string
	Named  Extra `json:"extra"`
}

type left struct{ X, Y, T int }
type right struct {
	X int
	Y int `json:"Y"`
	T int `json:"T"`
}

// Ambiguous has no X, and the Y and T that have a tag.
type Ambiguous struct {
	left
	right
	Z int
}

type Tagged struct {
	Skip  int      `json:"-"`
	HTML  string   `json:"<a&b>"`
	Ünder string   `json:"größe"`
	Space string   `json:"a b"`
	Chan  chan int `json:"-"`
}

type Cases struct {
	A  int `json:"a"`
	A2 int `json:"A"`
	K  int `json:"kelvin"`
	S  int `json:"süß"`
}

type Names struct {
	Name string `json:"name"`
	Nam  string `json:"nam"`
	Na   []int  `json:"na"`
	N    *Names2
}

type Names2 struct{ Name string }

type Empty struct{}

type One struct {
	V string `json:"v"`
}

type Others struct {
	C  celsius
	CP *celsius
	CS []celsius
	M  mask
	MP *mask
	T  point
	N  json.Number
	B  *big.Int
	An struct{ X, Y int }
	Ap *struct{ X int }
	W  writeOnly
	Rd readOnly
	L  loop
	A  anyone
	R  json.RawMessage
	U  url.URL
	Us []url.URL
}

type Times struct {
	T  time.Time
	TP *time.Time
	TS []time.Time
	D  time.Duration
	M  time.Month
}

// Stamps has no methods of its own to make JSON, as Times has not.
type Stamps struct {
	Stamp stamp
	After stamp
}

type stamp time.Time

type Anything struct {
	A any
	L []any
	M map[string]any
}

type anyone any

type loop []loop

type Recursive struct {
	V    int
	Next *Recursive
	All  []Recursive
}

type Holder struct {
	M mask
	I int
}

type EmbedsPointer struct {
	*Extra
	I int
}

type Box[T any] struct {
	V    T      `json:"v"`
	List []T    `json:"list"`
	Key  string `json:"key,omitempty"`
}

type Watched struct {
	A    int
	W    watcher
	All  []watcher
	In   struct{ W watcher }
	Keys map[watcher]*watcher
	Last string
}

// watcher counts how often its methods are asked to read it.
type watcher string

var watched int

func (w *watcher) UnmarshalText(b []byte) error { watched++; *w = watcher(b); return nil }

func (w watcher) MarshalText() ([]byte, error) { return []byte(w), nil }

// Options has a type in all places and with all options that make a difference.
type Options[T any] struct {
	A int
	V T
	E T            `json:"e,omitempty"`
	Z T            `json:"z,omitzero"`
	B T            `json:",omitzero,omitempty"`
	P *T           `json:",omitempty"`
	L []T          `json:",omitzero"`
	M map[string]T `json:"m"`
	F [2]T
}

// InQuotes has a type with the option that is for basic types.
type InQuotes[T any] struct {
	A int
	//lint:ignore SA5008 Types that are no numbers have it too, to no effect.
	V T `json:"v,string"`
	//lint:ignore SA5008 Types that are no numbers have it too, to no effect.
	E T `json:",string,omitempty"`
}

// celsius has a form of its own in JSON.
type celsius float64

func (c celsius) MarshalJSON() ([]byte, error) {
	if c < -273 {
		return nil, fmt.Errorf("too cold")
	}
	return fmt.Appendf(nil, `{"degrees": %v,"unit":"<C>"}`, float64(c)), nil
}

func (c *celsius) UnmarshalJSON(b []byte) error {
	var v struct {
		Degrees float64
		Unit    string
	}
	if err := json.Unmarshal(b, &v); err != nil || v.Unit != "<C>" {
		return fmt.Errorf("unit %q: %w", v.Unit, err)
	}
	*c = celsius(v.Degrees)
	return nil
}

// callback and plane are of kinds that encoding/json knows only by their methods.
type callback func()

func (callback) MarshalText() ([]byte, error)  { return []byte("f"), nil }
func (*callback) UnmarshalText(b []byte) error { return nil }

type plane complex128

func (p plane) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%g", real(p)), nil }

func (p *plane) UnmarshalText(b []byte) error {
	x, err := strconv.ParseFloat(string(b), 64)
	*p = plane(complex(x, 0))
	return err
}

// mask is text by a method of the pointer.
type mask struct{ Bits uint8 }

func (m *mask) MarshalText() ([]byte, error) { return strconv.AppendUint(nil, uint64(m.Bits), 2), nil }

func (m *mask) UnmarshalText(b []byte) error {
	n, err := strconv.ParseUint(string(b), 2, 8)
	m.Bits = uint8(n)
	return err
}

// point is text, as a map's key too.
type point struct{ X, Y int }

func (p point) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%d,%d", p.X, p.Y), nil }

func (p *point) UnmarshalText(b []byte) error {
	_, err := fmt.Sscanf(string(b), "%d,%d", &p.X, &p.Y)
	return err
}

// writeOnly makes its own JSON and does not read it.
type writeOnly struct{ N int }

func (w writeOnly) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, `{"N":%d,"made":true}`, w.N), nil
}

// readOnly reads its JSON and does not make it.
type readOnly struct{ N int }

func (r *readOnly) UnmarshalJSON(b []byte) error { r.N = len(b); return nil }
