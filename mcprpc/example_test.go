package mcprpc_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/wirecall/wirecall/example/chat"
	"github.com/wirecall/wirecall/mcprpc"
	"github.com/wirecall/wirecall/rpc"
)

// The tools of a server in the same program, over another transport than HTTP.
func ExampleNewServer() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	srv := rpc.NewServer(&rpc.ServerOptions{Describe: true})
	defer srv.Close()
	srv.Register(chat.RoomService(chat.InMemory()))
	tools, err := mcprpc.NewServer(ctx, srv.Caller(ctx), nil)
	if err != nil {
		log.Fatal(err)
	}
	near, far := mcp.NewInMemoryTransports() // a program has an mcp.StdioTransport
	go tools.Run(ctx, far)

	agent, err := mcp.NewClient(&mcp.Implementation{Name: "agent", Version: "1"}, nil).Connect(ctx, near, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer agent.Close()
	for tool, err := range agent.Tools(ctx, nil) {
		fmt.Println(tool.Name, err)
	}
	arguments := map[string]string{"author": "Ann", "text": "hello"}
	if _, err = agent.CallTool(ctx, &mcp.CallToolParams{Name: "Room_Post", Arguments: arguments}); err != nil {
		log.Fatal(err)
	}
	result, err := agent.CallTool(ctx, &mcp.CallToolParams{Name: "Room_Post", Arguments: json.RawMessage(`{"author":"Ann"}`)})
	fmt.Println(result.IsError, result.Content[0].(*mcp.TextContent).Text, err)
	// Output:
	// Room_Messages <nil>
	// Room_Post <nil>
	// true the parameter text is missing: Room.Post(author string, text string) chat.Message (code -32602) <nil>
}
