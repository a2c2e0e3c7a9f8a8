// Package mcprpc shows the methods of wirecall's servers to agents, as tools of the Model
// Context Protocol (https://modelcontextprotocol.io).
//
//	srv := rpc.NewServer(&rpc.ServerOptions{Describe: true})
//	srv.Register(chat.RoomService(room))
//	agents, err := mcprpc.Handler(srv, nil)
//	mux.Handle("/rpc", srv)
//	mux.Handle("/mcp", agents)
//
// Handler is for a server of the same program, NewServer for any that describes itself,
// and cmd/wirecall-mcp is NewServer as a program. The package is a module of its own, so
// that programs which do not import it do not depend on the protocol's SDK.
//
// # Which methods are tools
//
// Those whose contract says so, on the method or on its service:
//
//	//wirecall:option mcp.tool=readonly
//
// The values are readonly, destructive and yes, which become the annotations of the
// tool, and no, which [Options] cannot override. A method that calls its client back has
// nobody to call: it should have no, or no option.
//
// # What a tool is
//
// The tool of Room.Post is Room_Post. Its description is the comment of the method, and
// its schemas are those of the server's OpenRPC document. Its arguments are the
// parameters by name; a stream among them is an array of its items.
//
// The result of a method that returns a struct is that object; any other is in the
// member "result" of one. Several results are members by their names. A stream among
// them is
//
//	{"items": […], "more": true, "after": 17}
//
// with at most 100 items, 64 KiB of them, or those of 30 s. more says that the stream had
// not ended; after is there if the contract names a cursor, and is what to pass as that
// parameter to continue. A client that gives a progress token gets the items while they
// come, at most ten a second.
//
// An error of the method is a result with isError, whose text is for the model and whose
// structured content has the code, the message and the data. Only two are errors of the
// protocol: that the server has no such method any more, and that the credentials are not
// accepted.
package mcprpc
