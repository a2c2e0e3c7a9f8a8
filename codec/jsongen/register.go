package jsongen

import (
	"encoding/binary"
	"maps"
	"reflect"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/wirecall/wirecall/internal/jsonscan"
)

// A coder encodes and decodes values of one type, given pointers to them. It
// knows them as any: functions with a type parameter would be five times as
// large in the binary, for every type.
type coder struct {
	size    uintptr
	shape   uint64
	sound   bool // see AppendSound; set where the type is first asked for
	methods bool // decoding may call methods of the type or of what it holds; set likewise
	append  func(dst []byte, v any) []byte
	decode  func(s []byte, i int, v any) int
}

var (
	mu         sync.Mutex
	registered = map[reflect.Type][]*coder{}

	// known is what has been asked for, whether or not it is registered. It is
	// copied to be written to. Its key is the address of the type's descriptor,
	// which is found in half the time.
	known atomic.Pointer[map[uintptr]*coder]
)

// Register says how the values that pointers like v, nil or not, point to are
// encoded and decoded where the shape of their type is as given. If it is another
// when the program runs, because the type or one that it holds has changed and
// nothing was generated since, the type is left to encoding/json. Several packages
// may register the same type.
func Register(v any, shape uint64, appender func(dst []byte, v any) []byte, decoder func(s []byte, i int, v any) int) {
	mu.Lock()
	defer mu.Unlock()
	t := reflect.TypeOf(v)
	registered[t] = append(registered[t], &coder{size: t.Elem().Size(), shape: shape, append: appender, decode: decoder})
	known.Store(nil)
}

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
	return learn(t)
}

func descriptor(t reflect.Type) uintptr { return reflect.ValueOf(t).Pointer() }

// learn finds out about a type that was not asked for before.
func learn(t reflect.Type) *coder {
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
		}
	}
	m[descriptor(t)] = found
	known.Store(&m)
	return found
}

// Append appends what v points to, and returns nil if that is not for us.
func Append(dst []byte, v any) []byte {
	b, _ := AppendSound(dst, v)
	return b
}

// AppendSound is Append, and reports whether no value of this type can have JSON
// that is not UTF-8 or that nests deeper than a message may.
func AppendSound(dst []byte, v any) (b []byte, sound bool) {
	c := lookup(v)
	if c == nil || reflect.ValueOf(v).IsNil() {
		return nil, false
	}
	return c.append(dst, v), c.sound
}

// Decode decodes src into what v points to, which must be zero. It returns
// false, with nothing changed, if that is not for us. Methods of the types are
// called only if src is one JSON value: encoding/json promises them that.
func Decode(src []byte, v any) bool {
	c := lookup(v)
	if c == nil || !c.zero(v) || c.methods && jsonscan.Whole(src, maxDepth) < 0 {
		return false
	}
	if i := jsonscan.Space(src, c.decode(src, jsonscan.Space(src, 0), v)); i == len(src) {
		return true
	}
	reflect.ValueOf(v).Elem().SetZero()
	return false
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

// Go's own types need nothing generated.
func init() {
	builtin(AppendBool[bool], Bool[bool])
	builtin(AppendString[string], String[string])
	builtin(AppendInt[int], Int[int])
	builtin(AppendInt[int8], Int[int8])
	builtin(AppendInt[int16], Int[int16])
	builtin(AppendInt[int32], Int[int32])
	builtin(AppendInt[int64], Int[int64])
	builtin(AppendUint[uint], Uint[uint])
	builtin(AppendUint[uint8], Uint[uint8])
	builtin(AppendUint[uint16], Uint[uint16])
	builtin(AppendUint[uint32], Uint[uint32])
	builtin(AppendUint[uint64], Uint[uint64])
	builtin(AppendUint[uintptr], Uint[uintptr])
	builtin(AppendFloat[float32], Float[float32])
	builtin(AppendFloat[float64], Float[float64])
	builtin(AppendBytes[[]byte], Bytes[[]byte])
	builtin(AppendTime, Time)
	builtin(AppendRaw, Raw)
	builtin(AppendAny, Any)
	builtin(func(dst []byte, v *[]string) []byte { return AppendSlice(dst, v, AppendString) },
		func(s []byte, i int, v *[]string) int { return Slice(s, i, v, String) })
}

func builtin[T any](appender Appender[T], decoder Decoder[T]) {
	shape, _ := shapeOf(reflect.TypeFor[T]())
	Register((*T)(nil), shape, func(dst []byte, v any) []byte { return appender(dst, v.(*T)) },
		func(s []byte, i int, v any) int { return decoder(s, i, v.(*T)) })
}
