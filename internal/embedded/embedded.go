// Package embedded connects a program to NATS: to servers that run already, or to one in
// its own process. It is a module of its own, since the server is a large dependency.
package embedded

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Options say where NATS is. Without a URL a server is started in this process.
type Options struct {
	URL string // of servers that run already, as nats.Connect takes it

	// Folder keeps what the started server stores. The default is a temporary one, which
	// goes with the server.
	Folder string

	// Share is an address at which other processes reach the started server, such as
	// localhost:4222. By default none does.
	Share string
}

// Connect connects to NATS. The connection is made again whenever it breaks; stop closes it
// and stops what was started.
func Connect(opts Options) (nc *nats.Conn, stop func(), err error) {
	if opts.URL != "" {
		nc, err := nats.Connect(opts.URL, nats.MaxReconnects(-1))
		if err != nil {
			return nil, nil, fmt.Errorf("NATS at %s: %w", opts.URL, err)
		}
		return nc, nc.Close, nil
	}
	s, stopServer, err := Start(opts)
	if err != nil {
		return nil, nil, err
	}
	nc, err = nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		stopServer()
		return nil, nil, err
	}
	return nc, func() {
		nc.Close()
		stopServer()
	}, nil
}

// Start starts a server in this process, and returns what stops it. The URL is of no use.
func Start(opts Options) (s *server.Server, stop func(), err error) {
	config := &server.Options{JetStream: true, StoreDir: opts.Folder, DontListen: opts.Share == "", NoSigs: true, NoLog: true}
	if opts.Share != "" {
		if config.Host, config.Port, err = split(opts.Share); err != nil {
			return nil, nil, err
		}
	}
	remove := func() error { return nil }
	if config.StoreDir == "" {
		if config.StoreDir, err = os.MkdirTemp("", "nats"); err != nil {
			return nil, nil, err
		}
		remove = func() error { return os.RemoveAll(config.StoreDir) }
	}
	if s, err = server.NewServer(config); err != nil {
		return nil, nil, errors.Join(err, remove())
	}
	stop = func() {
		s.Shutdown()
		s.WaitForShutdown()
		remove()
	}
	s.Start() // returns when it is ready, or has failed without a word
	if !s.ReadyForConnections(time.Second) {
		stop()
		return nil, nil, fmt.Errorf("the server of NATS in this process does not start: it stores in %s, and its address is %q", config.StoreDir, opts.Share)
	}
	return s, stop, nil
}

// split splits an address as server.Options want it.
func split(addr string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(addr)
	if err == nil {
		port, err = strconv.Atoi(text)
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	return host, port, err
}
