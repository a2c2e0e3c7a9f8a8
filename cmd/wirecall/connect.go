package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v3"

	"github.com/wirecall/wirecall/internal/connect"
	"github.com/wirecall/wirecall/rpc"
)

// An exitError is an error with the exit status that it means.
type exitError struct {
	status int
	err    error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// connectFlags are those of every command that speaks to a server.
func connectFlags() []cli.Flag {
	return append(tlsFlags(),
		&cli.StringSliceFlag{Name: "header", Aliases: []string{"H"}, Usage: "`'Name: value'` of a header of the handshake; may be repeated"},
		&cli.StringFlag{Name: "token", Usage: "the token that authenticates, or @FILE", Sources: cli.EnvVars("WIRECALL_TOKEN")},
		&cli.BoolFlag{Name: "cbor", Usage: "send values as CBOR; the server must have that codec"},
		&cli.BoolFlag{Name: "plain", Usage: "speak plain JSON-RPC 2.0, without asking whether the server speaks wirecall"},
		&cli.BoolFlag{Name: "post", Usage: "call by HTTP POST, in place of a WebSocket; it has no streams"},
		&cli.BoolFlag{Name: "position", Usage: "send parameters by position, in the order in which they are written"},
		&cli.StringFlag{Name: "framing", Usage: "lines, or headers as the Language Server Protocol has them; for tcp, unix and exec", Value: "lines"},
		&cli.DurationFlag{Name: "connect-timeout", Usage: "give up if there is no connection after this time", Value: defaultConnectTimeout},
	)
}

// tlsFlags are those of connect.Options.TLSConfig.
func tlsFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "cacert", Usage: "trust the certificates in this PEM `FILE` as well", TakesFile: true},
		&cli.StringFlag{Name: "cert", Usage: "a certificate of the client's own, as a PEM `FILE`; with -key", TakesFile: true},
		&cli.StringFlag{Name: "key", Usage: "its key, as a PEM `FILE`", TakesFile: true},
		&cli.BoolFlag{Name: "insecure", Usage: "do not check the server's certificate"},
	}
}

const defaultConnectTimeout = 10e9 // 10 s

// A connection is a Caller, and what closes it.
type connection struct {
	rpc.Caller
	Close func() error
}

// connect connects to the server.
func (s *session) connect(ctx context.Context, cmd *cli.Command, url string) (connection, error) {
	return s.connectPrepared(ctx, cmd, url, nil)
}

// connectPrepared connects with options that prepare may change; nil changes nothing.
func (s *session) connectPrepared(ctx context.Context, cmd *cli.Command, url string, prepare func(*rpc.DialOptions)) (connection, error) {
	conn, err := s.dial(ctx, cmd, url, prepare)
	switch {
	case err == nil || errors.Is(err, errUsage):
		return conn, err
	case errors.Is(err, context.Canceled):
		return conn, &exitError{exitInterrupted, errors.New("wirecall: interrupted")}
	}
	return conn, &exitError{exitUnreachable, fmt.Errorf("wirecall: %s: %w", url, err)}
}

func (s *session) dial(ctx context.Context, cmd *cli.Command, url string, prepare func(*rpc.DialOptions)) (connection, error) {
	o, err := s.dialOptions(cmd)
	if err != nil {
		fmt.Fprintln(s.stderr, "wirecall:", err)
		return connection{}, errUsage
	}
	if cmd.Bool("post") {
		post := &rpc.HTTPOptions{HTTPClient: o.HTTPClient, Header: o.Header, Token: o.Token, ByPosition: o.ByPosition, Logger: o.Logger}
		caller, err := rpc.NewHTTPCaller(url, post)
		return connection{caller, func() error { return nil }}, err
	}
	if prepare != nil {
		prepare(o)
	}
	ctx, cancel := context.WithTimeout(ctx, cmd.Duration("connect-timeout"))
	defer cancel()
	conn, err := s.connectOptions(cmd).To(ctx, url, o)
	if err != nil {
		return connection{}, err
	}
	return connection{conn, conn.Close}, nil
}

func (s *session) dialOptions(cmd *cli.Command) (*rpc.DialOptions, error) {
	return s.connectOptions(cmd).DialOptions()
}

// connectOptions returns what the flags of connectFlags say.
func (s *session) connectOptions(cmd *cli.Command) *connect.Options {
	return &connect.Options{
		Headers: cmd.StringSlice("header"), Token: cmd.String("token"),
		CACert: cmd.String("cacert"), Cert: cmd.String("cert"), Key: cmd.String("key"), Insecure: cmd.Bool("insecure"),
		CBOR: cmd.Bool("cbor"), Plain: cmd.Bool("plain"), ByPosition: cmd.Bool("position"), Framing: cmd.String("framing"),
		Dir: s.dir, Stderr: s.stderr,
	}
}
