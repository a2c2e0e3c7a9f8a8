// Package jsongen is for generated code: what `wirecall gen` writes calls it to
// encode and decode the types that cross the wire. Nothing else needs it.
//
// Its functions handle only the values and the JSON that are usual. For anything else
// they return a failure without a reason, and package codec leaves the whole value to
// encoding/json, from its beginning. Therefore results and errors are always those of
// encoding/json.
//
// A function that appends takes a pointer to a value, and returns nil on failure. A
// function that decodes takes the text, the index at which a value begins in it and a
// pointer to where to store it, and returns the index behind the value, or a negative
// number on failure. It does not retain the text, and does not write through a pointer,
// a slice or a map that was there before, so that the value can be made zero again.
package jsongen

// failed is the index that a function returns on failure.
const failed = -1

// maxDepth is the number of levels that may nest in a value of a type without generated
// code; encoding/json allows 10,000.
const maxDepth = 500
