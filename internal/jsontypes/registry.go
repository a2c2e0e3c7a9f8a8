// Package jsontypes holds the types whose JSON is encoded and decoded by code that was
// generated for them, or written for Go's own types. Package codec looks them up;
// generated code registers them by way of codec/jsongen.
package jsontypes

import (
	"encoding/binary"
	"maps"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/wirecall/wirecall/internal/jsonscan"
)

// A coder encodes and decodes values of one type, given pointers to them as any:
// functions with a type parameter would be five times as large in the binary, for
// every type.
type coder struct {
	size    uintptr
	shape   uint64
	sound   bool // see Append; set when the type is first looked up
	methods bool // decoding may call methods of the type or of one inside it; set likewise
	shares  bool // the strings of a small value share their memory; set likewise
	append  func(dst []byte, v any) []byte
	decode  func(s []byte, i int, v any) int
}

var (
	mu         sync.Mutex
	registered = map[reflect.Type][]*coder{}

	// known holds the types that were looked up; the value is nil for one that is
	// not registered. It is copied to be written to. Its key is the address of the
	// type's descriptor, which is found in half the time.
	known atomic.Pointer[map[uintptr]*coder]
)

// maxDepth is the number of levels that encoding/json allows in a document.
const maxDepth = 10000

// Register sets how values are encoded and decoded of the type to which pointers like
// v, nil or not, point. The functions are used only if [Shape] of the type is shape:
// if the type or one inside it has changed since its code was generated, it is left to
// encoding/json. Several packages may register the same type.
//
// The functions are as in package codec/jsongen: nil or a negative index leaves the
// value to encoding/json.
func Register(v any, shape uint64, appender func(dst []byte, v any) []byte, decoder func(s []byte, i int, v any) int) {
	mu.Lock()
	defer mu.Unlock()
	t := reflect.TypeOf(v)
	registered[t] = append(registered[t], &coder{size: t.Elem().Size(), shape: shape, append: appender, decode: decoder})
	known.Store(nil)
}

// lookup returns the coder of the type to which v points, or nil.
func lookup(v any) *coder {
	t := reflect.TypeOf(v)
	if t == nil {
		return nil
	}
	if m := known.Load(); m != nil {
		if c, ok := (*m)[descriptor(t)]; ok {
			return c
		}
	}
	return resolve(t)
}

func descriptor(t reflect.Type) uintptr { return reflect.ValueOf(t).Pointer() }

// resolve adds a type to the known ones and returns its coder, or nil.
func resolve(t reflect.Type) *coder {
	mu.Lock()
	defer mu.Unlock()
	m := map[uintptr]*coder{}
	if old := known.Load(); old != nil {
		m = maps.Clone(*old)
	}
	var found *coder
	for _, c := range registered[t] {
		if shape, methods := shapeOf(t.Elem()); found == nil && c.shape == shape {
			found = new(*c)
			found.sound, found.methods = soundness{}.of(t.Elem(), nil), methods
			found.shares = !methods && countStrings(t.Elem(), nil) > 1
		}
	}
	m[descriptor(t)] = found
	known.Store(&m)
	return found
}

// Append appends the JSON of what v points to, or returns nil if that is left to
// encoding/json. It also reports whether no value of the type can have JSON that is not
// UTF-8 or that nests deeper than a message may.
func Append(dst []byte, v any) (b []byte, sound bool) {
	c := lookup(v)
	if c == nil || reflect.ValueOf(v).IsNil() {
		return nil, false
	}
	return c.append(dst, v), c.sound
}

// Decode decodes src into what v points to. It returns false, with nothing changed, if
// that is left to encoding/json, as it is if the value is not zero. Methods of the
// types are called only if src is one JSON value: encoding/json promises them that.
func Decode(src []byte, v any) bool {
	c := lookup(v)
	if c == nil || !c.zero(v) || c.methods && jsonscan.Whole(src, maxDepth) < 0 {
		return false
	}
	src = c.text(src)
	if i := jsonscan.Space(src, c.decode(src, jsonscan.Space(src, 0), v)); i == len(src) {
		return true
	}
	reflect.ValueOf(v).Elem().SetZero()
	return false
}

// DecodePrefix decodes the JSON value at the beginning of src, which is known to be part
// of a well-formed object or array, into what v points to, and returns its size. It
// returns -1, with nothing changed, if that is left to Decode.
func DecodePrefix(src []byte, v any) int {
	c := lookup(v)
	if c == nil || c.methods || !c.zero(v) {
		return -1
	}
	src = c.text(src)
	n := c.decode(src, 0, v)
	if i := jsonscan.Space(src, n); n >= 0 && i < len(src) && (src[i] == ',' || src[i] == '}' || src[i] == ']') {
		return n
	}
	reflect.ValueOf(v).Elem().SetZero()
	return -1
}

// maxShared is the size in bytes of the largest JSON whose strings share their memory:
// one that is kept keeps all of it.
const maxShared = 256

// text returns src as a decoder gets it. Where capacity follows its end, src belongs to
// the value that is decoded, whose strings may alias it; otherwise they are copies. One
// copy of a small value's JSON costs less than one of each of its strings.
func (c *coder) text(src []byte) []byte {
	if !c.shares || len(src) > maxShared {
		return src[:len(src):len(src)]
	}
	own := make([]byte, len(src)+1)
	return own[:copy(own, src)]
}

// countStrings returns how many strings a value of type t, which is inside the types
// above, is likely to have: those of its fields, and two for each list and map of them.
func countStrings(t reflect.Type, above []reflect.Type) (n int) {
	if slices.Contains(above, t) || len(above) == mostLevels {
		return 2
	}
	above = append(above, t)
	switch t.Kind() {
	case reflect.String:
		return 1
	case reflect.Interface:
		return 2
	case reflect.Pointer:
		return countStrings(t.Elem(), above)
	case reflect.Slice, reflect.Array:
		return 2 * countStrings(t.Elem(), above)
	case reflect.Map:
		return 2 * (countStrings(t.Key(), above) + countStrings(t.Elem(), above))
	case reflect.Struct:
		for f := range t.Fields() {
			n += countStrings(f.Type, above)
		}
	}
	return n
}

// zero reports whether v points to bytes that are all zero.
func (c *coder) zero(v any) bool {
	p := (*byte)(reflect.ValueOf(v).UnsafePointer())
	if p == nil {
		return false
	}
	b := unsafe.Slice(p, c.size)
	for ; len(b) >= 8; b = b[8:] {
		if binary.NativeEndian.Uint64(b) != 0 {
			return false
		}
	}
	for _, b := range b {
		if b != 0 {
			return false
		}
	}
	return true
}
