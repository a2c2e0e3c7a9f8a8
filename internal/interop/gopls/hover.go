// Package gopls drives Go's language server through the interfaces of example/lsp, and
// what this package adds to them.
package gopls

import (
	"context"

	"github.com/wirecall/wirecall/example/lsp/protocol"
)

//go:generate go tool wirecall gen .

// Reader is what one asks a language server while one reads.
//
//wirecall:service
type Reader interface {
	// Hover returns what is known of what stands at a position, nil for nothing.
	//
	//wirecall:name textDocument/hover
	Hover(ctx context.Context, textDocument protocol.DocumentID, position protocol.Position) (*Hover, error)

	// Symbols returns the symbols of a program with a name like this.
	//
	//wirecall:name workspace/symbol
	Symbols(ctx context.Context, query string) ([]Symbol, error)

	//wirecall:name textDocument/didChange
	//wirecall:notify
	DidChange(ctx context.Context, textDocument VersionedID, contentChanges []Change) error
}

// A Hover is a text to show.
type Hover struct {
	Contents struct {
		Kind  string `json:"kind"`
		Value string `json:"value"`
	} `json:"contents"`
}

// A Symbol is something that has a name.
type Symbol struct {
	Name string `json:"name"`
}

// A VersionedID is a version of a file that is open.
type VersionedID struct {
	URI     string `json:"uri"`
	Version int    `json:"version"`
}

// A Change is the whole new text of a file.
type Change struct {
	Text string `json:"text"`
}
