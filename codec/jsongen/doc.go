// Package jsongen is for generated code: what `wirecall gen` writes calls it to
// encode and decode the types that cross the wire. Nobody else needs it.
//
// All of it handles the straightforward case only and gives up on anything
// else; package codec then leaves the whole value to encoding/json, which
// begins again at the beginning. What comes out, errors included, is therefore
// what encoding/json makes of it, and nothing here has errors of its own.
//
// What appends takes a pointer to a value and returns nil where it gives up.
// What decodes takes the text, the place where a value begins in it and where
// to store it, and returns the place behind it, or a negative number where it
// gives up. It neither keeps the text nor writes through a pointer, a slice or a
// map that was there before, so that what was there can be put back.
package jsongen

// failed is the place behind what is not for us.
const failed = -1

// maxDepth is how deep values may be nested that generated code knows nothing
// of. encoding/json goes to 10,000.
const maxDepth = 500
