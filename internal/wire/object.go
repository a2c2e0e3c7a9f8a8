package wire

import (
	"github.com/wirecall/wirecall/internal/cborscan"
	"github.com/wirecall/wirecall/internal/jsonscan"
)

// An ObjectReader reads the members of a raw object, one after another:
//
//	for r := f.ReadObject(raw); r.Next(); {
//		use(r.Name, r.Value())
//	}
//
// Whoever finds the end of a value by decoding it calls Rest and Skip in place of Value.
// One of the two must be called for each member.
type ObjectReader struct {
	Name []byte // of the member, unescaped; nil for a CBOR key that is not text; valid until Next

	format Format
	raw    []byte
	at     int // where the value begins, or what follows the value
	left   int // CBOR: members that follow
	begun  bool
}

// ReadObject returns a reader of raw, which has no members if it is another value.
func (f Format) ReadObject(raw []byte) ObjectReader { return ObjectReader{format: f, raw: raw} }

// Next moves to the next member, and returns false at the end.
func (r *ObjectReader) Next() bool {
	if r.format == CBOR {
		return r.nextCBOR()
	}
	s, i := r.raw, jsonscan.Space(r.raw, r.at)
	switch {
	case r.begun && jsonscan.At(s, i, ','), !r.begun && jsonscan.At(s, i, '{'):
		i = jsonscan.Space(s, i+1)
	default:
		return false
	}
	r.begun = true
	if !jsonscan.At(s, i, '"') {
		return false
	}
	quote := jsonscan.StringEnd(s, i+1)
	if quote < 0 {
		return false
	}
	start := jsonscan.Colon(s, quote)
	if start < 0 {
		return false
	}
	r.at = start
	r.Name = jsonscan.Unescape(s[i+1 : quote-1])
	return true
}

func (r *ObjectReader) nextCBOR() bool {
	if !r.begun {
		major, n, i := cborscan.Head(r.raw, 0)
		if i < 0 || major != cborscan.Map || n > uint64(len(r.raw)-i)/2 {
			return false
		}
		r.begun, r.left, r.at = true, int(n), i
	}
	if r.left == 0 {
		return false
	}
	r.left--
	from := r.at
	if r.at = cborscan.Item(r.raw, from, MaxDepth); r.at < 0 {
		r.at, r.left = len(r.raw), 0 // raw is not well formed
		return false
	}
	r.Name = cborscan.Text(r.raw[from:r.at])
	return true
}

// Value returns the member's value.
func (r *ObjectReader) Value() []byte {
	var end int
	if r.format == CBOR {
		end = cborscan.Item(r.raw, r.at, MaxDepth)
	} else {
		end = jsonscan.Known(r.raw, r.at, MaxDepth)
	}
	if end < 0 { // raw is not well formed
		r.at, r.left = len(r.raw), 0
		return nil
	}
	value := r.raw[r.at:end:end]
	r.at = end
	return value
}

// Rest returns what begins with the member's value.
func (r *ObjectReader) Rest() []byte { return r.raw[r.at:] }

// Skip skips the member's value, whose size is n bytes.
func (r *ObjectReader) Skip(n int) { r.at += n }
