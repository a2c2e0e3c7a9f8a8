// Wirecall writes the code between a Go interface and the wire, and calls what is there.
//
//	go tool wirecall gen [-check] [-explain] [-tags list]
//	                     [-ts folder [-ts-bigint] [-ts-react] [-ts-post]]
//	                     [-openrpc file] [packages]
//	go tool wirecall import [-check] [-o file] [-package name] document
//	go tool wirecall call [flags] URL METHOD [name=text] [name:=JSON] …
//	go tool wirecall watch [flags] URL METHOD [name=text] …
//	go tool wirecall list [flags] URL [PREFIX]
//	go tool wirecall describe [flags] URL METHOD|TYPE
//	go tool wirecall diff [flags] OLD NEW
//	go tool wirecall mcp [flags] URL
//	go tool wirecall completion bash|zsh|fish|pwsh
//	go tool wirecall help
//	go tool wirecall version
//
// # What gen reads
//
// Interfaces that are marked, in the packages named, by default the one in the
// current folder:
//
//	// Room is one chat room.
//	//
//	//wirecall:service
//	type Room interface {
//		// Messages streams what was said after the given id.
//		//
//		//wirecall:cursor after=ID
//		Messages(ctx context.Context, after int64) (iter.Seq2[Message, error], error)
//	}
//
// A directive is a line of its own in the comment right above what it is about,
// without a space after the slashes. Its arguments are words, or Go strings in
// quotes. Above an interface:
//
//	//wirecall:service             serve it; its name on the wire is its own
//	//wirecall:service name=NAME   serve it under another name
//
// Above a method, of a marked interface or of one that is embedded in it:
//
//	//wirecall:name NAME           its whole name on the wire, in place of Room.Messages
//	//wirecall:notify              nobody answers; its only result is error
//	//wirecall:idempotent          calling it twice does no more than calling it once
//	//wirecall:unordered           a notification does not hold up the calls of its
//	                               service that come behind it, a call does not
//	                               wait for notifications
//	//wirecall:cursor PARAM=FIELD  its stream continues after the item whose field
//	                               FIELD was given as the parameter PARAM; where it
//	                               is lost the client calls again, so that it is
//	                               idempotent as well
//	//wirecall:param PARAM [name=NAME] [alias=NAME,NAME]
//	                               the name of a parameter on the wire, in place of
//	                               that in Go, and others that are accepted, such as
//	                               older ones
//	//wirecall:result RESULT [name=NAME] [alias=NAME,NAME]
//	                               the same of one of several results
//
// Above either, for a service or for one method of it:
//
//	//wirecall:json all            generate JSON for types of any size
//	//wirecall:json none           generate no JSON
//	//wirecall:option KEY=VALUE    what interceptors and tools need to know; may stand
//	                               once for each KEY, and a method's replaces the
//	                               service's
//	//wirecall:error TYPE [CODE] [name=NAME]
//	                               it returns errors of TYPE, a type or a variable of
//	                               this package or of one that it imports; callers
//	                               find them by errors.As. CODE is 1 if left out,
//	                               NAME the package's name and TYPE's
//
// Above an integer type:
//
//	//wirecall:bigint              it is a bigint in TypeScript, not a number of up to 2^53
//
// Names on the wire are letters, digits and _ - . / after a letter, and do not
// begin with rpc. The methods of embedded interfaces are named after the marked
// one and come after its own, in the order in which they are embedded.
//
// # What gen writes
//
// One file for each package that has marked interfaces: wirecall_gen.go. Those
// in its tests are written to wirecall_gen_test.go, and those in tests outside
// the package to wirecall_gen_x_test.go. For each interface a file has
//
//	interface    its service        its client    how to make one
//	Room         RoomService        *RoomClient   NewRoomClient
//	ChatService  NewChatService     *ChatClient   NewChatClient
//	room         roomService        *roomClient   newRoomClient
//
// and a constant for the name of each method on the wire, such as RoomMessagesMethod.
//
// A trailing Service is dropped from the interface's name, and from the
// service's name on the wire, before anything is added; where that would give
// the interface's own name again the function is called New… instead. Where the
// package declares one of these names itself gen refuses to go on, and in tests
// where go test would run the function, such as TestService.
//
// The file is under the build constraint of the files that its interfaces are in.
// Where the names of those end in a system or an architecture so does that of the
// output, as wirecall_gen_linux.go for api_linux.go, and where they import C it is
// wirecall_gen_cgo.go. The //go:build lines must be the same for all interfaces
// of one output. Types that differ between builds are left to encoding/json.
//
// The file also says how the types that cross the wire are encoded to JSON and
// decoded, as encoding/json does it and several times faster. A field costs about
// 300 bytes of source, 1.1 KB in a program and 5 ms of compilation. Some types are
// left to encoding/json, and gen -explain prints which: parameters and results of
// more than 200 fields, those of the structs that they hold included, items of
// streams of more than 1,000, types that hold themselves, that embed a pointer or
// whose own methods make their JSON, structs without a name, and those with fields
// that the package cannot get at. So is a type that was changed after gen has seen
// it: that is slower until gen is run again, and never wrong.
//
// With -ts it also writes to a folder what the services are in TypeScript, a file for
// each package that has some outside its tests, and the runtime. The file is named after
// the package, which no two may have in common. What TypeScript cannot carry as Go does
// is printed as a note. With -ts-bigint integers of 64 bits are bigints there, and
// numbers of up to 2^53 otherwise. With -ts-react there is react.ts as well, hooks for
// React, and with -ts-post post.ts, calls over HTTP POST.
//
// With -openrpc it also writes an OpenRPC document that describes all services outside
// of tests, with a JSON Schema for each type.
//
// Only what has changed is written, and nothing as long as there is any mistake
// in any of the packages. Files that do not come from gen are never touched.
// When a package has no marked interface any more, what gen wrote for it before
// is removed; but where a single package is named and has none, that is an
// error and the file is left alone.
//
// Code that does not compile is no obstacle unless a service's signatures need
// it, so that a program may mention what is yet to be generated. A stale or
// broken output is ignored. The modules that it requires are compiled, as go build
// would, where they have not been before; where one does not compile, or where
// GOOS or GOARCH are set for another machine, its source is read instead.
//
// # What import writes
//
// A contract for the server that an OpenRPC document describes: interfaces with
// directives, types, constants and errors. The document is a file, the URL of one, or
// the URL of a server that answers rpc.discover. What has no type in Go, such as a
// value that is a string or an object, is json.RawMessage, and what cannot be said
// at all is left out, with a comment that says why. The same document gives the same
// file. What is wrong with a document is said with the place, as a JSON pointer.
//
// # Exit status
//
// 0 if all is well, 1 after a mistake or if -check found something stale, 2 if
// the command was not understood.
package main
