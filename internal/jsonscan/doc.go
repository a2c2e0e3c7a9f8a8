// Package jsonscan reads JSON text without building values from it, and writes
// JSON strings. The grammar is that of RFC 8259 and agrees with encoding/json,
// except that the depth of nesting is the caller's choice.
//
// A scanning function takes the text s and the index i at which something
// begins, and returns the index behind it. A negative result is a failure: ^i
// for a byte that is wrong or missing at index i, or [TooDeep]. A negative index
// is returned unchanged, so that calls can be nested and checked once.
//
// Whether the text is UTF-8 is not checked: a caller that needs it checks the
// whole text once with [unicode/utf8.Valid], which costs less.
package jsonscan

import "math"

// TooDeep is returned for a value in which more levels of arrays and objects nest
// than allowed.
const TooDeep = math.MinInt

// fail returns the negative result for index i.
func fail(i int) int {
	if i < 0 {
		return i
	}
	return ^i
}
