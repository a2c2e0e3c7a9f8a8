package wire

import (
	"unicode/utf8"

	"github.com/wirecall/wirecall/internal/jsonscan"
)

// json reads a message of JSON. RFC 8259, section 8.1: JSON between programs
// is UTF-8. Checking src at once is cheaper than string by string, and outside strings
// the grammar allows only ASCII.
func (d *decoder) json(src []byte) *Fault {
	if !utf8.Valid(src) {
		return parseError("invalid UTF-8")
	}
	i := jsonscan.Space(src, 0)
	if i == len(src) {
		return parseError("no message")
	}
	if src[i] != '{' {
		if end := jsonscan.Whole(src, d.levels); end < 0 {
			return d.malformed(end)
		}
		return invalidRequest("not an object")
	}
	end := d.envelope(src, i)
	if end < 0 {
		return d.malformed(end)
	}
	if end = jsonscan.Space(src, end); end != len(src) {
		return d.malformed(^end)
	}
	return nil
}

// usualStart is how messages of JSON begin that wirecall writes.
const usualStart = `{"jsonrpc":"2.0",`

// envelope scans the object that begins at src[i] and takes its members. The result is
// that of a scanner.
func (d *decoder) envelope(src []byte, i int) int {
	if rest := src[i:]; len(rest) > len(usualStart) && string(rest[:len(usualStart)]) == usualStart {
		d.seen |= memberVersion
		i = jsonscan.Space(src, i+len(usualStart))
	} else if i = jsonscan.Space(src, i+1); jsonscan.At(src, i, '}') {
		return i + 1
	}
	for {
		if !jsonscan.At(src, i, '"') {
			return ^i
		}
		quote := jsonscan.StringEnd(src, i+1)
		start := quote
		if quote >= 0 {
			start = jsonscan.Colon(src, quote)
		}
		if start < 0 {
			return start
		}
		name := jsonscan.Unescape(src[i+1 : quote-1])
		var end int
		if string(name) == "params" && string(d.m.Method) == methodItems {
			end = d.items(src, start)
		} else {
			end = jsonscan.Value(src, start, d.levels-1)
		}
		if end < 0 {
			return end
		}
		d.member(name, src[start:end:end])
		if i = jsonscan.Space(src, end); i >= len(src) {
			return ^i
		}
		switch src[i] {
		case ',':
			i = jsonscan.Space(src, i+1)
		case '}':
			return i + 1
		default:
			return ^i
		}
	}
}

// items scans the params of $/items, as wirecall writes them, and notes the items, so that
// nobody has to look for them again. Params in another form are only scanned: see
// splitItems.
func (d *decoder) items(src []byte, params int) int {
	m := d.m
	i := jsonscan.Digits(src, params+1)
	if i < 0 || src[params] != '[' || !jsonscan.At(src, i, ',') || !jsonscan.At(src, i+1, '[') {
		return jsonscan.Value(src, params, d.levels-1)
	}
	handle, ok := d.f.Natural(src[params+1 : i])
	i += 2
	if ok && !jsonscan.At(src, i, ']') {
		for more := true; more; i++ {
			end := jsonscan.Value(src, i, d.levels-3)
			if end < 0 {
				return end
			}
			m.Items = append(m.Items, src[i:end:end])
			i = end
			more = jsonscan.At(src, i, ',')
		}
		i--
	}
	if !ok || !jsonscan.At(src, i, ']') || !jsonscan.At(src, i+1, ']') {
		m.Items = m.Items[:0]
		return jsonscan.Value(src, params, d.levels-1)
	}
	m.Handle = handle
	return i + 2
}

// splitItems finds the items of $/items among its params in any form. Message.Handle
// stays negative if they are malformed.
func (d *decoder) splitItems() {
	m := d.m
	handle, items, n := int64(-1), []byte(nil), 0
	for part := range d.f.Array(m.Params) {
		switch n++; n {
		case 1:
			if h, ok := d.f.Natural(part); ok {
				handle = h
			}
		case 2:
			items = part
		}
	}
	if d.f.Kind(items) != Array {
		return
	}
	m.Handle = handle
	for item := range d.f.Array(items) {
		m.Items = append(m.Items, item)
	}
}
