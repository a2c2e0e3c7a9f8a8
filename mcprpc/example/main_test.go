package main

import (
	"encoding/json"
	"net/http/httptest"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/wirecall/wirecall/example/chat"
	"github.com/wirecall/wirecall/rpc"
)

// An agent and a program are in one room.
func TestRoom(t *testing.T) {
	h, err := newHandler(&rpc.ServerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	hs := httptest.NewServer(h)
	defer hs.Close()
	conn, err := rpc.Dial(t.Context(), hs.URL+"/rpc", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	messages, err := chat.NewRoomClient(conn).Messages(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	agent, err := mcp.NewClient(&mcp.Implementation{Name: "agent", Version: "1"}, nil).Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: hs.URL + "/mcp"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer agent.Close()
	arguments := json.RawMessage(`{"author":"agent","text":"hello"}`)
	if r, err := agent.CallTool(t.Context(), &mcp.CallToolParams{Name: "Room_Post", Arguments: arguments}); err != nil || r.IsError {
		t.Fatal(r, err)
	}
	for m, err := range messages {
		if err != nil || m.Author != "agent" || m.Text != "hello" {
			t.Errorf("%+v, %v", m, err)
		}
		break
	}
}
