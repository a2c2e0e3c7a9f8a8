// Package files is a store of files, with the contract and the implementation
// that the pages in docs/ are about: uploads and downloads as streams, a stream
// with a cursor, errors and roles.
package files

import (
	"context"
	"fmt"
	"iter"
)

//go:generate go tool wirecall gen

// Store is a store of files.
//
//wirecall:service
//wirecall:error NotFound 404
//wirecall:option role=reader
type Store interface {
	// Stat returns the size of a file in bytes. The error is a *NotFound where
	// there is none.
	Stat(ctx context.Context, name string) (size int64, err error)

	// Put writes content from the byte at on, and returns the size of the file, which
	// ends there. Where the stream fails, what came before it stays: call Stat, and
	// go on from there.
	//
	//wirecall:option role=writer
	Put(ctx context.Context, name string, at int64, content iter.Seq2[[]byte, error]) (size int64, err error)

	// Get streams a file, behind its first after bytes.
	//
	//wirecall:cursor after=End
	Get(ctx context.Context, name string, after int64) (iter.Seq2[Chunk, error], error)

	// Changes streams the changes of all files behind the one of a number, and then
	// each that comes.
	//
	//wirecall:cursor after=Number
	Changes(ctx context.Context, after int64) (iter.Seq2[Change, error], error)
}

// A Chunk is a piece of a file.
type Chunk struct {
	End  int64  `json:"end"` // where the next one begins
	Data []byte `json:"data"`
}

// A Change says that a file was written. Numbers count up from 1.
type Change struct {
	Number int64  `json:"number"`
	Name   string `json:"name"`
	Size   int64  `json:"size"`
}

// NotFound is the error of a file that is not there.
type NotFound struct {
	Name string `json:"name"`
}

// Error names the file.
func (e *NotFound) Error() string { return fmt.Sprintf("there is no file %q", e.Name) }
