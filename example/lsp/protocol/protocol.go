// Package protocol is a part of the Language Server Protocol 3.17 as two interfaces: as
// much as it takes to open files and to see what is wrong with them.
//
// The protocol's names of methods are in directives. Its parameters are members of one
// object, and so are those of a Go method: by their names.
package protocol

import (
	"context"
	"encoding/json"
)

//go:generate go tool wirecall gen .

// Server is what a language server serves.
//
//wirecall:service
type Server interface {
	// Initialize begins. It comes before everything else.
	//
	//wirecall:name initialize
	Initialize(ctx context.Context, processId *int, rootUri *string, capabilities Capabilities) (About, error)

	// Initialized ends the initialization: the server may make calls from now on. There
	// are no options yet, but servers want an object.
	//
	//wirecall:name initialized
	//wirecall:notify
	Initialized(ctx context.Context, options *struct{}) error

	// DidOpen passes the ownership of a file to the server's client: its text is what the
	// client says, until DidClose.
	//
	//wirecall:name textDocument/didOpen
	//wirecall:notify
	DidOpen(ctx context.Context, textDocument Document) error

	//wirecall:name textDocument/didClose
	//wirecall:notify
	DidClose(ctx context.Context, textDocument DocumentID) error

	// Shutdown ends what the server does. Exit follows.
	//
	//wirecall:name shutdown
	Shutdown(ctx context.Context) error

	//wirecall:name exit
	//wirecall:notify
	Exit(ctx context.Context) error
}

// Editor is what the client of a language server serves.
//
//wirecall:service
type Editor interface {
	// PublishDiagnostics replaces what was found in a file.
	//
	//wirecall:name textDocument/publishDiagnostics
	//wirecall:notify
	PublishDiagnostics(ctx context.Context, uri string, diagnostics []Diagnostic) error

	// LogMessage and ShowMessage are for the log and for the user.
	//
	//wirecall:name window/logMessage
	//wirecall:notify
	LogMessage(ctx context.Context, message string) error

	//wirecall:name window/showMessage
	//wirecall:notify
	ShowMessage(ctx context.Context, message string) error

	// CreateProgress announces the token of work that takes time. Progress tells how far
	// it is.
	//
	//wirecall:name window/workDoneProgress/create
	CreateProgress(ctx context.Context, token Token) error

	//wirecall:name $/progress
	//wirecall:notify
	Progress(ctx context.Context, token Token, value Work) error

	// Configuration returns the editor's settings for each item; null for the default.
	//
	//wirecall:name workspace/configuration
	Configuration(ctx context.Context, items []Item) ([]json.RawMessage, error)

	// RegisterCapability asks for events that were not agreed on in Initialize.
	//
	//wirecall:name client/registerCapability
	RegisterCapability(ctx context.Context, registrations []Registration) error
}

// Capabilities are what a client can do.
type Capabilities struct {
	Workspace struct {
		Configuration bool `json:"configuration"`
	} `json:"workspace"`
	Window struct {
		WorkDoneProgress bool `json:"workDoneProgress"`
	} `json:"window"`
}

// About is what a server says of itself.
type About struct {
	ServerInfo struct {
		Name string `json:"name"`
	} `json:"serverInfo"`
	Capabilities json.RawMessage `json:"capabilities"`
}

// A Document is a file with its text.
type Document struct {
	URI        string `json:"uri"`
	LanguageID string `json:"languageId"` // such as "go"
	Version    int    `json:"version"`    // grows with each change
	Text       string `json:"text"`
}

// A DocumentID is a file that is open.
type DocumentID struct {
	URI string `json:"uri"`
}

// A Diagnostic is something wrong in a file.
type Diagnostic struct {
	Range    Range  `json:"range"`
	Severity int    `json:"severity"` // 1 for an error, 2 for a warning, 3 for information, 4 for a hint
	Source   string `json:"source"`
	Message  string `json:"message"`
}

// A Range is a part of a file, without its end.
type Range struct {
	Start Position `json:"start"`
	End   Position `json:"end"`
}

// A Position is counted from 0; Character in units of UTF-16.
type Position struct {
	Line      int `json:"line"`
	Character int `json:"character"`
}

// A Token is a number or a string.
type Token = json.RawMessage

// Work is the state of work that takes time.
type Work struct {
	Kind    string `json:"kind"` // "begin", "report" or "end"
	Title   string `json:"title"`
	Message string `json:"message"`
}

// An Item is a section of the settings.
type Item struct {
	ScopeURI string `json:"scopeUri"`
	Section  string `json:"section"`
}

// A Registration is an event that a server asks for.
type Registration struct {
	ID     string `json:"id"`
	Method string `json:"method"`
}
