// Package dynamic calls methods that are known only when the program runs: by their
// names, and by what a server says of them if it describes itself.
//
// A server describes itself by answering rpc.discover with an OpenRPC document. What
// OpenRPC has no word for, such as streams, is in members named x-wirecall.
package dynamic
