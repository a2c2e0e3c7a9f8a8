// Package mcp is a part of the Model Context Protocol as two interfaces: tools, and what
// their servers ask of a client. It is tested with servers of the protocol's own SDKs.
package mcp

import (
	"context"
	"encoding/json"
)

//go:generate go tool wirecall gen .

// Version is that of the protocol.
const Version = "2025-06-18"

// Server is what a server of tools serves.
//
//wirecall:service
type Server interface {
	//wirecall:name initialize
	Initialize(ctx context.Context, protocolVersion string, capabilities Capabilities, clientInfo Program) (About, error)

	//wirecall:name notifications/initialized
	//wirecall:notify
	Initialized(ctx context.Context) error

	// ListTools returns a page of the tools, the first for a nil cursor.
	//
	//wirecall:name tools/list
	//wirecall:params omitempty=cursor
	ListTools(ctx context.Context, cursor *string) (Tools, error)

	// CallTool runs a tool. With a token in meta the server reports its progress.
	//
	//wirecall:name tools/call
	//wirecall:params omitempty=_meta
	CallTool(ctx context.Context, name string, arguments any, _meta *Meta) (Output, error)
}

// Client is what a client serves.
//
//wirecall:service
type Client interface {
	//wirecall:name ping
	Ping(ctx context.Context) (struct{}, error)

	//wirecall:name roots/list
	ListRoots(ctx context.Context) (Roots, error)

	// CreateMessage has a language model continue a conversation.
	//
	//wirecall:name sampling/createMessage
	CreateMessage(ctx context.Context, messages []Message, maxTokens int) (Sample, error)

	//wirecall:name notifications/progress
	//wirecall:notify
	Progress(ctx context.Context, progressToken string, progress, total float64) error
}

// Capabilities are what a client serves: an empty object stands for yes.
type Capabilities struct {
	Roots    *struct{} `json:"roots,omitempty"`
	Sampling *struct{} `json:"sampling,omitempty"`
}

// A Program is one side.
type Program struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// About is what a server says of itself.
type About struct {
	ProtocolVersion string  `json:"protocolVersion"`
	ServerInfo      Program `json:"serverInfo"`
}

// Tools are a page of them.
type Tools struct {
	Tools      []Tool  `json:"tools"`
	NextCursor *string `json:"nextCursor"`
}

// A Tool is something that can be run.
type Tool struct {
	Name        string          `json:"name"`
	InputSchema json.RawMessage `json:"inputSchema"`
}

// Meta is what goes beside the parameters of a call.
type Meta struct {
	ProgressToken string `json:"progressToken"`
}

// Output is the result of a tool, which may be an error of its own.
type Output struct {
	Content []Content `json:"content"`
	IsError bool      `json:"isError"`
}

// Content is a text, among others.
type Content struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

// Roots are the folders that a server may use.
type Roots struct {
	Roots []Root `json:"roots"`
}

// A Root is a folder.
type Root struct {
	URI  string `json:"uri"`
	Name string `json:"name"`
}

// A Message is a part of a conversation.
type Message struct {
	Role    string  `json:"role"`
	Content Content `json:"content"`
}

// A Sample is what a model has said.
type Sample struct {
	Role    string  `json:"role"`
	Content Content `json:"content"`
	Model   string  `json:"model"`
}
